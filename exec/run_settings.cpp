#include "exec/run_settings.h"

namespace tpsim::exec {

double epsilon_of(const RunRequest& request) {
  if (request.dtype == DType::bf16) return 0x1.0p-9;
  if (request.dtype == DType::fp16) return 0x1.0p-12;
  return request.float64 ? 0x1.0p-53 : 0x1.0p-24;
}

Rounding rounding_of(DType dtype) {
  return dtype == DType::bf16 ? Rounding::bf16 : dtype == DType::fp16 ? Rounding::fp16 : Rounding::none;
}

std::vector<ExecutedEvent> analysed_events(const Analysis& analysis, EventList list,
                                           const std::vector<ExecutedEvent>& executed) {
  std::vector<ExecutedEvent> expected;
  const auto analysed = events(analysis, list);
  for (const CollectiveEvent& event : analysed) expected.push_back({event.op, event.module, event.input_shape});
  for (std::size_t i = 0; i < expected.size() && i < executed.size(); ++i)
    if (analysed[i].data_dependent) expected[i].input = executed[i].input;
  return expected;
}

}  // namespace tpsim::exec
