#include "exec/backward_run.h"

#include <algorithm>
#include <utility>

#include "exec/backward/gradients.h"
#include "exec/backward/shapes.h"
#include "exec/interrupt.h"
#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {
namespace {

std::size_t place(int value) { return static_cast<std::size_t>(value); }

const RecordedTrace& trace_of(const Recorded& pass, std::size_t step) {
  return pass.recording.traces[place(pass.analysis.steps[step].trace)];
}

// Which values carry a gradient: those that come from a parameter by operations under gradients.
class Tracked {
public:
  Tracked(const Model& model, const Recorded& pass) : model_(model), pass_(pass) {
    of_pass_.assign(place(pass.recording.values), 0);
    of_steps_.resize(pass.recording.steps.size());
    for (std::size_t s = 0; s < of_steps_.size(); ++s) follow_step(s);
  }
  const std::vector<char>& of(std::size_t step) const { return layer(step) ? of_steps_[step] : of_pass_; }

private:
  bool layer(std::size_t step) const { return !pass_.analysis.steps[step].prefix.empty(); }

  void follow_step(std::size_t s) {
    if (!layer(s)) return follow(s, of_pass_);
    const RecordedStep& links = pass_.recording.steps[s];
    std::vector<char>& mine = of_steps_[s];
    mine.assign(place(trace_of(pass_, s).values), 0);
    for (std::size_t i = 0; i < links.inputs.size(); ++i)
      if (links.inputs[i] >= 0) mine[i] = of_pass_[place(links.inputs[i])];
    follow(s, mine);
    for (const auto& [inner, outer] : links.outputs) of_pass_[place(outer)] = mine[place(inner)];
  }

  void follow(std::size_t s, std::vector<char>& tracked) {
    for (const RecordedOp& op : trace_of(pass_, s).code) {
      bool any =
          op.primitive == Primitive::parameter && is_parameter(full_path(pass_.analysis.steps[s].prefix, op.text));
      for (const int input : op.inputs) any |= input >= 0 && tracked[place(input)] != 0;
      for (const int output : op.outputs) tracked[place(output)] = any && op.gradients ? 1 : 0;
    }
  }

  bool is_parameter(const std::string& name) const {
    const auto tied =
        std::find_if(model_.ties.begin(), model_.ties.end(), [&](const auto& t) { return t.first == name; });
    return tied != model_.ties.end() || has_shard(pass_.analysis, name);
  }

  const Model& model_;
  const Recorded& pass_;
  std::vector<char> of_pass_;
  std::vector<std::vector<char>> of_steps_;
};

template <class Real>
void add_to(Tensor<Real>& sum, const Tensor<Real>& x) {
  if (sum.empty()) {
    sum = x;
    return;
  }
  Tensor<Real> total = make_tensor<Real>(sum.shape);
  std::transform(sum.data(), sum.data() + sum.numel(), x.data(), total.data(), [](Real a, Real b) { return a + b; });
  sum = std::move(total);
}

template <class Real>
class BackwardRun {
public:
  using Values = std::vector<Tensor<Real>>;
  using Pointers = std::vector<const Tensor<Real>*>;

  BackwardRun(RankRun<Real>& rank, const Model& model, const Recorded& pass, const Tape<Real>& tape)
      : rank_(rank), model_(model), pass_(pass), tape_(tape), tracked_(model, pass) {}

  Result<ParameterGradients<Real>> run(const Tensor<Real>& of_output) {
    const Recording& recording = pass_.recording;
    Values gradients(place(recording.values));
    gradients[place(recording.output)] = of_output;
    for (std::size_t s = recording.steps.size(); s-- > 0;) {
      if (pass_.analysis.steps[s].prefix.empty()) {
        if (auto done = run_step(s, tape_.pass, gradients); !done) return done.error();
        continue;
      }
      const RecordedStep& links = recording.steps[s];
      Values local(place(trace_of(pass_, s).values));
      for (const auto& [inner, outer] : links.outputs)
        if (const Tensor<Real>& of = gradients[place(outer)]; !of.empty()) add_to(local[place(inner)], of);
      if (auto done = run_step(s, tape_.steps[s], local); !done) return done.error();
      for (std::size_t i = 0; i < links.inputs.size(); ++i)
        if (links.inputs[i] >= 0 && !local[i].empty()) add_to(gradients[place(links.inputs[i])], local[i]);
    }
    return std::move(parameters_);
  }

private:
  Result<void> run_step(std::size_t step, const Values& values, Values& gradients) {
    const std::vector<RecordedOp>& code = trace_of(pass_, step).code;
    for (std::size_t i = code.size(); i-- > 0;) {
      if (run_stopped()) return stop_reason();
      const RecordedOp& op = code[i];
      if (op.outputs.empty() || tracked_.of(step)[place(op.outputs.front())] == 0) continue;
      Pointers of;
      for (const int output : op.outputs) of.push_back(present(gradients[place(output)]));
      if (std::all_of(of.begin(), of.end(), [](const auto* g) { return g == nullptr; }) && !moves_tokens(op)) continue;
      if (auto done = run_one(step, i, values, of, gradients); !done) return done;
      for (const int output : op.outputs) gradients[place(output)] = {};
    }
    return {};
  }

  static const Tensor<Real>* present(const Tensor<Real>& x) { return x.empty() ? nullptr : &x; }

  // Its backward communicates even where no row of this rank got a gradient.
  static bool moves_tokens(const RecordedOp& op) { return op.primitive == Primitive::send_to_experts; }

  Result<void> run_one(std::size_t step, std::size_t index, const Values& values, const Pointers& of,
                       Values& gradients) {
    const std::string& prefix = pass_.analysis.steps[step].prefix;
    const RecordedOp& op = trace_of(pass_, step).code[index];
    if (op.primitive == Primitive::parameter) {
      add_to(parameters_[resolved(full_path(prefix, op.text))], *of.front());
      return {};
    }
    Pointers inputs, outputs;
    for (const int input : op.inputs) inputs.push_back(input < 0 ? nullptr : &values[place(input)]);
    for (const int output : op.outputs) outputs.push_back(&values[place(output)]);
    auto made = moved_back({step, index}, op, full_path(prefix, op.module),
                           {op, inputs, outputs, of, rank_.communicator().rank()});
    if (!made) return made.error();
    for (std::size_t i = 0; i < made->size() && i < op.inputs.size(); ++i) {
      if (op.inputs[i] < 0 || (*made)[i].empty() || tracked_.of(step)[place(op.inputs[i])] == 0) continue;
      rank_.round((*made)[i]);
      add_to(gradients[place(op.inputs[i])], (*made)[i]);
    }
    return {};
  }

  Result<Values> moved_back(std::pair<std::size_t, std::size_t> at, const RecordedOp& op, const std::string& module,
                            const BackwardCall<Real>& call) {
    const Shape& x = call.inputs.empty() || call.inputs[0] == nullptr ? Shape{} : call.inputs[0]->shape;
    switch (op.primitive) {
      case Primitive::gradient: return summed(op, module, *call.gradients[0]);
      case Primitive::reduce: return Values{*call.gradients[0]};
      case Primitive::gather: return of_gathered(op, module, x, *call.gradients[0]);
      case Primitive::scatter: return collected(op, module, x, *call.gradients[0]);
      case Primitive::own_chunk:
        return op.backward ? collected(op, module, x, *call.gradients[0]) : Result<Values>(gradients_of(call));
      case Primitive::return_to_tokens: {
        auto rows = tape_.exchanges.at(at)->bring_back_gradient(*call.gradients[0], rank_.events(), module);
        if (!rows) return rows.error();
        return Values{*std::move(rows)};
      }
      case Primitive::send_to_experts: {
        const Tensor<Real> none = make_tensor<Real>(call.outputs[0]->shape);
        auto sent = tape_.exchanges.at(at)->send_gradient(call.gradients[0] == nullptr ? none : *call.gradients[0],
                                                          rank_.events(), module);
        if (!sent) return sent.error();
        return Values{std::move(sent->x), {}, viewed(sent->weights, call.inputs[2]->shape)};
      }
      default: return gradients_of(call);
    }
  }

  // The sum over all ranks, of the last columns only, or over the ranks of a group.
  Result<Values> summed(const RecordedOp& op, const std::string& module, const Tensor<Real>& of) {
    const std::int64_t columns = op.ints[0], group = op.ints[1], width = of.columns();
    if (group > 0 && group < rank_.communicator().size()) return summed_in_group(group, module, of);
    RecordedOp reduce;
    reduce.primitive = Primitive::reduce;
    const Tensor<Real> part = columns == 0 ? of : slice(of, -1, {width - columns, width});
    auto sum = rank_.communicated(reduce, module, {&part});
    if (!sum || columns == 0) return sum;
    const Tensor<Real> rest = slice(of, -1, {0, width - columns});
    return Values{concat<Real>({&rest, &sum->front()}, -1)};
  }

  // Groups lie one behind the other: everyone's gradients are gathered and those of the own group added.
  Result<Values> summed_in_group(std::int64_t group, const std::string& module, const Tensor<Real>& of) {
    RecordedOp gather;
    gather.primitive = Primitive::gather;
    gather.ints = {0};
    const int ranks = rank_.communicator().size();
    gather.shapes = {RankShapes(Shape{ranks, of.numel()})};
    gather.ranges.assign(place(ranks), {{0, 1}});
    const Tensor<Real> row = viewed(of, Shape{1, of.numel()});
    auto all = rank_.communicated(gather, module, {&row});
    if (!all) return all;
    rank_.events().back() = {CollectiveOp::all_reduce, module, of.shape};
    const std::int64_t first = rank_.communicator().rank() / group * group;
    return Values{viewed(sum_over(slice(all->front(), 0, {first, first + group}), 0, false), of.shape)};
  }

  // Of a gathered tensor: the own piece, or that of the sum over the ranks.
  Result<Values> of_gathered(const RecordedOp& op, const std::string& module, const Shape& x, const Tensor<Real>& of) {
    const int dim = static_cast<int>(op.ints.front());
    if (op.backward == CollectiveOp::reduce_scatter) {
      RecordedOp scatter;
      scatter.primitive = Primitive::scatter;
      scatter.ints = {dim};
      return rank_.communicated(scatter, module, {&of});
    }
    std::int64_t begin = 0;
    for (int r = 0; r < rank_.communicator().rank(); ++r) begin += op.ranges[place(r)].front().size();
    return Values{slice(of, dim, {begin, begin + x[dim]})};
  }

  // Of a piece: the ranks' pieces put together.
  Result<Values> collected(const RecordedOp& op, const std::string& module, const Shape& x, const Tensor<Real>& of) {
    RecordedOp gather;
    gather.primitive = Primitive::gather;
    const int dim = static_cast<int>(op.ints.front()), ranks = rank_.communicator().size();
    gather.ints = {dim};
    gather.shapes = {RankShapes(x)};
    for (int r = 0; r < ranks; ++r) gather.ranges.push_back({{0, chunk_range(x[dim], ranks, r).size()}});
    return rank_.communicated(gather, module, {&of});
  }

  std::string resolved(const std::string& name) const {
    for (const auto& [first, second] : model_.ties)
      if (first == name) return second;
    return name;
  }

  RankRun<Real>& rank_;
  const Model& model_;
  const Recorded& pass_;
  const Tape<Real>& tape_;
  Tracked tracked_;
  ParameterGradients<Real> parameters_;
};

}  // namespace

template <class Real>
Result<ParameterGradients<Real>> run_backward(RankRun<Real>& rank, const Model& model, const Recorded& pass,
                                              const Tape<Real>& tape, const Tensor<Real>& of_output) {
  return BackwardRun<Real>(rank, model, pass, tape).run(of_output);
}

Result<void> check_trainable(const Recorded& pass) {
  for (const Step& step : pass.analysis.steps)
    for (const RecordedOp& op : pass.recording.traces[place(step.trace)].code)
      if (const auto missing = without_backward(op)) {
        Error error = input_error("the model can be run but not trained here: there is no backward of " + *missing,
                                  full_path(step.prefix, op.module));
        error.fixes.push_back("leave out --phase train: the forward pass is executed and judged");
        return error;
      }
  return {};
}

template Result<ParameterGradients<float>> run_backward(RankRun<float>&, const Model&, const Recorded&,
                                                        const Tape<float>&, const Tensor<float>&);
template Result<ParameterGradients<double>> run_backward(RankRun<double>&, const Model&, const Recorded&,
                                                         const Tape<double>&, const Tensor<double>&);

}  // namespace tpsim::exec
