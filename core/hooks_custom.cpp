// Strategies described by data: plain tensors in every version.
#include "core/hook_steps.h"

#include <string>

#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim::hook {

void custom_before(Machine& m, const CustomStrategy& s, ModuleCall& call) {
  use_local_parameters(call);
  if (s.bias_after_reduction) hide_bias(call);
  if (!s.split_input && !s.backward_input) return;
  TensorState* x = first_input(m, call, "no positional input");
  if (x == nullptr) return;
  if (s.split_input) *x = local_chunk(m, *x, -1, false);
  if (!s.backward_input || m.failed()) return;
  const std::int64_t factor = *s.backward_input == CollectiveOp::all_gather ? m.ranks() : 1;
  m.communicate(*s.backward_input, *x, x->local.at(0).numel() * factor, kBackward);
  if (s.split_input)
    note_backward(m, *s.backward_input, *x);
  else
    note_gradient(m, *s.backward_input, *x);
}

void custom_after(Machine& m, const CustomStrategy& s, ModuleCall& call) {
  TensorState* out = s.forward || s.bias_after_reduction ? output_tensor(m, call, "no tensor output") : nullptr;
  if (out == nullptr) return;
  if (s.forward == CollectiveOp::all_reduce) *out = all_reduce(m, *out);
  if (s.forward == CollectiveOp::all_gather) *out = all_gather(m, *out, -1, true);
  if (s.forward == CollectiveOp::reduce_scatter) *out = reduce_scatter(m, *out, 1);
  if (!m.failed() && s.bias_after_reduction) add_hidden_bias(m, call, *out);
}

}  // namespace tpsim::hook
