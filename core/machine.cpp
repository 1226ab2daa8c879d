#include "core/machine.h"

#include <algorithm>
#include <utility>

namespace tpsim {

RankShapes::RankShapes(std::vector<Shape> shapes) : first_(shapes.front()) {
  if (std::all_of(shapes.begin(), shapes.end(), [&](const Shape& s) { return s == first_; })) return;
  others_.assign(shapes.begin() + 1, shapes.end());
}

DType element_type(const TensorState& state, const Workload& workload) {
  return state.elements == Elements::floating ? workload.activations : DType::int64;
}

std::int64_t bytes_on(const TensorState& state, int rank, const Workload& workload) {
  return storage_bytes(element_type(state, workload), state.local.at(rank));
}

std::int64_t heaviest_bytes(const TensorState& state, const Machine& machine) {
  if (state.local.uniform()) return bytes_on(state, 0, machine.workload());
  std::int64_t most = 0;
  for (int rank = 0; rank < machine.ranks(); ++rank) most = std::max(most, bytes_on(state, rank, machine.workload()));
  return most;
}

std::string Machine::full_module() const {
  if (prefix.empty()) return module;
  return module.empty() ? prefix : prefix + "." + module;
}

void Machine::fail(std::string code, std::string message, std::string library) {
  if (failed_) return;
  failed_ = true;
  fault_ = Cause{std::move(code), full_module(), rule, std::move(message), std::move(library), {}, {}, operations_};
}

Layout Machine::wrong(std::string code, std::string message) {
  Layout layout;
  layout.content = Content::wrong;
  layout.cause = static_cast<int>(causes_.size());
  causes_.push_back(Cause{std::move(code), full_module(), rule, std::move(message), {}, {}, {}, operations_});
  return layout;
}

void Machine::place_cause(int index, const std::string& path, int rule_index) {
  Cause& cause = causes_[static_cast<std::size_t>(index)];
  cause.module = path;
  cause.rule = rule_index;
}

void Machine::explain_causes(std::size_t known, const std::vector<Operand>& operands) {
  if (failed_ && fault_.operands.empty()) fault_.operands = operands;
  for (std::size_t i = known; i < causes_.size(); ++i)
    if (causes_[i].operands.empty()) causes_[i].operands = operands;
}

void Machine::record(Operation operation) {
  ++operations_;
  if (trace == nullptr) return;
  operation.module = module;
  trace->operations.push_back(std::move(operation));
}

void Machine::communicate(CollectiveOp op, const TensorState& input, std::int64_t payload_elements, When when,
                          bool depends_on_data) {
  communicate(op, input.local.at(0), payload_elements, element_type(input, workload_), when, depends_on_data);
}

void Machine::communicate(CollectiveOp op, const Shape& input, std::int64_t payload_elements, DType dtype, When when,
                          bool depends_on_data) {
  if (trace == nullptr) return;
  CollectiveEvent event;
  event.op = op;
  event.module = module;
  event.input_shape = input;
  event.numel = input.numel();
  event.dtype = dtype;
  event.group = group > 0 ? group : ranks_;
  event.payload_bytes = payload_elements * element_bits(dtype) / 8;
  event.wire_bytes_per_rank = wire_bytes_per_rank(op, event.payload_bytes, event.group);
  event.data_dependent = depends_on_data || data_dependent;
  if (when == When::inference || when == When::both) {
    trace->forward.push_back(event);
    trace->forward_after.push_back(static_cast<int>(trace->operations.size()));
  }
  if (when == When::training || when == When::both) trace->train_forward.push_back(event);
  if (when == When::backward && gradients) trace->backward.push_back(event);
}

void Machine::start_trace(Trace* into) {
  trace = into;
  if (trace != nullptr) trace->peak_activation_bytes = live_;
}

int Machine::allocate(const TensorState& state) {
  allocations_.push_back({heaviest_bytes(state, *this), 0});
  live_ += allocations_.back().bytes;
  if (trace != nullptr) trace->peak_activation_bytes = std::max(trace->peak_activation_bytes, live_);
  return static_cast<int>(allocations_.size()) - 1;
}

void Machine::retain(int storage) {
  if (storage >= 0) ++allocations_[static_cast<std::size_t>(storage)].users;
}

void Machine::release(int storage) {
  if (storage < 0) return;
  Allocation& allocation = allocations_[static_cast<std::size_t>(storage)];
  if (--allocation.users > 0) return;
  live_ -= allocation.bytes;
  allocation.bytes = 0;
}

void Machine::let_go(int storage) {
  if (storage >= 0) --allocations_[static_cast<std::size_t>(storage)].users;
}

}  // namespace tpsim
