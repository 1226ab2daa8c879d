#include "exec/rank_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "exec/interrupt.h"
#include "exec/kernels/isa/vector_kernels.h"
#include "exec/kernels/linear.h"
#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {
namespace {

using Clock = std::chrono::steady_clock;

template <class Real>
constexpr Scalar kScalar = std::is_same_v<Real, double> ? Scalar::float64 : Scalar::float32;

template <class Real>
Numbers numbers_of(Tensor<Real>& x) {
  return x.whole != nullptr ? Numbers{x.whole->data(), x.numel(), Scalar::int64}
                            : Numbers{x.real->data(), x.numel(), kScalar<Real>};
}

// For each value the last operation that needs it; values that leave the trace are kept to its end.
std::vector<std::size_t> last_uses(const RecordedTrace& trace, std::size_t values) {
  std::vector<std::size_t> last(values, 0);
  for (std::size_t i = 0; i < trace.code.size(); ++i)
    for (const int input : trace.code[i].inputs)
      if (input >= 0) last[static_cast<std::size_t>(input)] = i;
  for (const RecordedOutput& output : trace.outputs)
    last[static_cast<std::size_t>(output.value)] = std::max(last[static_cast<std::size_t>(output.value)], output.after);
  return last;
}

float to_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u;  // to nearest, ties to even
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float to_fp16(float value) {
  const float magnitude = std::fabs(value);
  if (!(magnitude < 65520.0F)) return std::isnan(value) ? value : std::copysign(INFINITY, value);
  const int exponent = std::max(magnitude == 0 ? -14 : std::ilogb(magnitude), -14);
  const float step = std::ldexp(1.0F, exponent - 10);
  return std::copysign(std::nearbyint(magnitude / step) * step, value);
}

Error misshapen(const RecordedOp& op, const std::string& module, const Shape& got, const Shape& recorded) {
  Error error =
      input_error("an operation gives " + to_string(got) + " where the analysis has " + to_string(recorded), module);
  error.kind = ErrorKind::internal;
  error.details.push_back("operation " + std::to_string(static_cast<int>(op.op)) + ", primitive " +
                          std::to_string(static_cast<int>(op.primitive)));
  return error;
}

// The matrix product that is all a trace does with a value, as its weight; null = something else happens to it.
const RecordedOp* only_product_with(const RecordedTrace& trace, int value) {
  const RecordedOp* product = nullptr;
  for (const RecordedOp& op : trace.code)
    for (std::size_t i = 0; i < op.inputs.size(); ++i) {
      if (op.inputs[i] != value) continue;
      if (op.primitive != Primitive::operation || op.op != Op::linear || i != 1 || product != nullptr) return nullptr;
      product = &op;
    }
  return product;
}

// Splits a dimension over the ranks in front of all others, so that each rank's part lies in one piece.
template <class Real>
Tensor<Real> by_rank(const Tensor<Real>& x, int dim, int ranks, std::vector<std::int64_t>& counts) {
  std::vector<Tensor<Real>> parts;
  for (int r = 0; r < ranks; ++r) {
    parts.push_back(slice(x, dim, chunk_range(x.shape[dim], ranks, r)));
    counts.push_back(parts.back().numel());
    parts.back() = viewed(parts.back(), Shape{counts.back()});
  }
  std::vector<const Tensor<Real>*> pointers;
  for (const Tensor<Real>& part : parts) pointers.push_back(&part);
  return concat(pointers, 0);
}

}  // namespace

bool is_communication(Primitive primitive) {
  switch (primitive) {
    case Primitive::reduce:
    case Primitive::gather:
    case Primitive::scatter:
    case Primitive::send_to_experts:
    case Primitive::return_to_tokens: return true;
    default: return false;
  }
}

template <class Real>
Result<Tensor<Real>> RankRun<Real>::forward(const Recorded& pass, const Tensor<Real>& ids, std::int64_t past,
                                            RunObserver<Real>* observer, Tape<Real>* tape) {
  const Recording& recording = pass.recording;
  const WorkersScope scope(&workers_);
  past_ = past;
  tape_ = tape;
  if (tape != nullptr) tape->steps.resize(recording.steps.size());
  events_.clear();
  Values values(static_cast<std::size_t>(recording.values));
  values[static_cast<std::size_t>(recording.input)] = ids;
  for (std::size_t s = 0; s < recording.steps.size(); ++s) {
    const Step& step = pass.analysis.steps[s];
    const RecordedTrace& trace = recording.traces[static_cast<std::size_t>(step.trace)];
    const RecordedStep& links = recording.steps[s];
    if (step.prefix.empty()) {
      if (auto done = run_step(pass, s, values, observer); !done) return done.error();
      continue;
    }
    Values local(static_cast<std::size_t>(trace.values));
    for (std::size_t i = 0; i < links.inputs.size(); ++i)
      if (links.inputs[i] >= 0) local[i] = values[static_cast<std::size_t>(links.inputs[i])];
    Values kept = local;
    if (auto done = run_step(pass, s, local, observer); !done) return done.error();
    for (const auto& [inner, outer] : links.outputs) {
      const auto from = static_cast<std::size_t>(inner);
      values[static_cast<std::size_t>(outer)] = from < links.inputs.size() ? kept[from] : local[from];
    }
    if (tape != nullptr) tape->steps[s] = std::move(local);
  }
  if (recording.output < 0) return input_error("the forward pass returns no tensor");
  if (tape != nullptr) tape->pass = values;
  return values[static_cast<std::size_t>(recording.output)];
}

template <class Real>
Result<void> RankRun<Real>::run_step(const Recorded& pass, std::size_t step, Values& values,
                                     RunObserver<Real>* observer) {
  const std::string& prefix = pass.analysis.steps[step].prefix;
  const RecordedTrace& trace = pass.recording.traces[static_cast<std::size_t>(pass.analysis.steps[step].trace)];
  const bool layer = !prefix.empty();
  const auto last = last_uses(trace, values.size());
  std::vector<char> leaves(values.size(), layer ? 0 : 1);
  for (std::size_t s = 0; layer && s < pass.recording.steps.size(); ++s)
    if (&pass.recording.traces[static_cast<std::size_t>(pass.analysis.steps[s].trace)] == &trace)
      for (const auto& [inner, outer] : pass.recording.steps[s].outputs) leaves[static_cast<std::size_t>(inner)] = 1;
  std::size_t next_output = 0;
  const auto show = [&](std::size_t done) {
    for (; next_output < trace.outputs.size() && trace.outputs[next_output].after <= done; ++next_output) {
      const RecordedOutput& output = trace.outputs[next_output];
      const Tensor<Real>& value = values[static_cast<std::size_t>(output.value)];
      if (observer != nullptr && value.real != nullptr)
        observer->module_returned(output, full_path(prefix, output.module), value);
    }
  };
  for (std::size_t i = 0; i < trace.code.size(); ++i) {
    show(i);
    if (run_stopped()) return stop_reason();
    const RecordedOp& op = trace.code[i];
    const auto start = Clock::now();
    if (auto done = run_one(pass, step, i, values); !done) return done;
    if (observer != nullptr) observer->operation_ran(step, i, Clock::now() - start, events_.size());
    for (const int input : op.inputs)
      if (tape_ == nullptr && input >= 0 && last[static_cast<std::size_t>(input)] <= i &&
          leaves[static_cast<std::size_t>(input)] == 0)
        values[static_cast<std::size_t>(input)] = {};
  }
  show(trace.code.size());
  return {};
}

template <class Real>
Result<void> RankRun<Real>::run_one(const Recorded& pass, std::size_t step, std::size_t index, Values& values) {
  const std::string& prefix = pass.analysis.steps[step].prefix;
  const RecordedOp& op = pass.recording.traces[static_cast<std::size_t>(pass.analysis.steps[step].trace)].code[index];
  const std::string module = full_path(prefix, op.module);
  if (op.primitive == Primitive::parameter) {
    const RecordedTrace& trace = pass.recording.traces[static_cast<std::size_t>(pass.analysis.steps[step].trace)];
    auto loaded = parameter(pass, full_path(prefix, op.text),
                            tape_ != nullptr ? nullptr : only_product_with(trace, op.outputs.front()));
    if (!loaded) return loaded.error();
    values[static_cast<std::size_t>(op.outputs.front())] = *std::move(loaded);
    return {};
  }
  std::vector<const Tensor<Real>*> inputs;
  for (const int input : op.inputs) inputs.push_back(input < 0 ? nullptr : &values[static_cast<std::size_t>(input)]);
  Values results;
  if (is_communication(op.primitive)) {
    auto made = communicated(op, module, inputs);
    if (!made) return made.error();
    results = *std::move(made);
    if (tape_ != nullptr && op.primitive == Primitive::send_to_experts)
      tape_->exchanges[{step, index}] = exchanges_.back();
    if (tape_ != nullptr && op.primitive == Primitive::return_to_tokens) tape_->exchanges[{step, index}] = returned_;
  } else {
    OperationState<Real>* state = keeps_state(op) ? &states_[{step, index}] : nullptr;
    results = execute(op, inputs, OperationContext<Real>{communicator_.rank(), past_, &pass.recording.rotaries, state});
  }
  if (results.size() != op.outputs.size()) return misshapen(op, module, {}, op.shapes.front().at(communicator_.rank()));
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Shape& recorded = op.shapes[i].at(communicator_.rank());
    const bool as_given = op.primitive == Primitive::operation && op.op == Op::opaque;  // may differ per sequence
    if (!(results[i].shape == recorded) && !op.data_dependent && !as_given)
      return misshapen(op, module, results[i].shape, recorded);
    if (!only_moves(op)) round(results[i]);
    values[static_cast<std::size_t>(op.outputs[i])] = std::move(results[i]);
  }
  return {};
}

template <class Real>
Result<std::vector<Tensor<Real>>> RankRun<Real>::communicated(const RecordedOp& op, const std::string& module,
                                                              const std::vector<const Tensor<Real>*>& inputs) {
  const Tensor<Real>& x = *inputs.front();
  if (op.primitive == Primitive::send_to_experts) {
    exchanges_.push_back(std::make_shared<TokenExchange<Real>>(communicator_, op.ints.front()));
    auto got = exchanges_.back()->send(x, *inputs[1], *inputs[2], events_, module);
    if (!got) return got.error();
    return Values{got->rows, got->indices, got->weights};
  }
  if (op.primitive == Primitive::return_to_tokens) {
    auto all = exchanges_.back()->bring_back(x, events_, module);
    returned_ = std::move(exchanges_.back());
    exchanges_.pop_back();
    if (!all) return all.error();
    return Values{*std::move(all)};
  }
  const bool reduces = op.primitive == Primitive::reduce, gathers = op.primitive == Primitive::gather;
  events_.push_back({reduces   ? CollectiveOp::all_reduce
                     : gathers ? CollectiveOp::all_gather
                               : CollectiveOp::reduce_scatter,
                     module, x.shape});
  auto result = reduces ? reduced(x) : gathers ? gathered(op, x) : scattered(op, x);
  if (!result) return result.error();
  return Values{*std::move(result)};
}

template <class Real>
Result<Tensor<Real>> RankRun<Real>::parameter(const Recorded& pass, const std::string& name,
                                              const RecordedOp* only_product) {
  auto& kept = only_product == nullptr ? parameters_ : packed_;
  if (const auto known = kept.find(name); known != kept.end()) return known->second;
  auto piece = piece_of(model_, pass.analysis, name, communicator_.rank());
  if (!piece) return piece.error();
  auto values = weights_.read(*piece);
  if (!values) return values.error();
  Tensor<Real> tensor{piece->local(), nullptr, nullptr};
  if constexpr (std::is_same_v<Real, float>)
    tensor.real = std::make_shared<std::vector<Real>>(*std::move(values));
  else
    tensor.real = std::make_shared<std::vector<Real>>(values->begin(), values->end());
  round(tensor);
  if (only_product != nullptr && tensor.shape.rank() == 2)
    tensor =
        packed(tensor, !only_product->ints.empty() && only_product->ints.front() != 0, rounding_ == Rounding::bf16);
  return kept.emplace(name, std::move(tensor)).first->second;
}

template <class Real>
Result<Tensor<Real>> RankRun<Real>::reduced(const Tensor<Real>& x) {
  Tensor<Real> sum = make_like(x, x.shape);
  if (x.whole != nullptr)
    *sum.whole = *x.whole;
  else
    *sum.real = *x.real;
  if (auto done = communicator_.all_reduce(numbers_of(sum)); !done) return done.error();
  return sum;
}

template <class Real>
Result<Tensor<Real>> RankRun<Real>::gathered(const RecordedOp& op, const Tensor<Real>& x) {
  Tensor<Real> mine = x;
  const Shape& whole = op.shapes.front().at(communicator_.rank());
  const int dim = static_cast<int>(op.ints.front()), ranks = communicator_.size();
  Tensor<Real> flat = make_like(x, Shape{whole.numel()});
  if (auto done = communicator_.all_gather(numbers_of(mine), numbers_of(flat)); !done) return done.error();
  const std::vector<std::vector<Range>>& extents = op.ranges;
  std::vector<Tensor<Real>> parts;
  std::int64_t begin = 0;
  for (int r = 0; r < ranks; ++r) {
    const Shape shape = x.shape.with(dim, extents[static_cast<std::size_t>(r)].front().size());
    parts.push_back(viewed(slice(flat, 0, {begin, begin + shape.numel()}), shape));
    begin += shape.numel();
  }
  std::vector<const Tensor<Real>*> pointers;
  for (const Tensor<Real>& part : parts) pointers.push_back(&part);
  return concat(pointers, dim);
}

template <class Real>
Result<Tensor<Real>> RankRun<Real>::scattered(const RecordedOp& op, const Tensor<Real>& x) {
  const int dim = static_cast<int>(op.ints.front());
  std::vector<std::int64_t> counts;
  Tensor<Real> sorted = by_rank(x, dim, communicator_.size(), counts);
  const Range own = chunk_range(x.shape[dim], communicator_.size(), communicator_.rank());
  Tensor<Real> mine = make_like(x, x.shape.with(dim, own.size()));
  if (auto done = communicator_.reduce_scatter(numbers_of(sorted), counts, numbers_of(mine)); !done)
    return done.error();
  return mine;
}

template <class Real>
void RankRun<Real>::round(Tensor<Real>& value) const {
  if (rounding_ == Rounding::none || value.real == nullptr) return;
  Real* x = value.data();
  parallel_for(value.numel(), worth_a_thread(1), [&](std::int64_t begin, std::int64_t end) {
    if (rounding_ == Rounding::fp16)
      std::transform(x + begin, x + end, x + begin, [](Real v) { return Real(to_fp16(static_cast<float>(v))); });
    else if constexpr (std::is_same_v<Real, float>)
      vector_kernels().round_bf16(x + begin, end - begin);
    else
      std::transform(x + begin, x + end, x + begin, [](Real v) { return Real(to_bf16(static_cast<float>(v))); });
  });
}

Result<void> check_executable(const Recorded& pass) {
  for (const Step& step : pass.analysis.steps)
    for (const RecordedOp& op : pass.recording.traces[static_cast<std::size_t>(step.trace)].code)
      if (const auto missing = not_executable(op, pass.recording.rotaries)) {
        Error error = input_error("the model can be analysed but not executed: there is no kernel for " + *missing,
                                  full_path(step.prefix, op.module));
        error.fixes.push_back("tpsim check: the plan is analysed without executing it");
        return error;
      }
  return {};
}

template class RankRun<float>;
template class RankRun<double>;

}  // namespace tpsim::exec
