#include "core/interpreter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/attention_ops.h"
#include "core/grouped_ops.h"
#include "core/leaf_call.h"
#include "core/operand_origin.h"
#include "core/operation_step.h"
#include "core/recorder.h"
#include "core/recurrent_ops.h"
#include "core/strategy_hooks.h"
#include "core/tensor_ops.h"
#include "core/trace_graph.h"

namespace tpsim {
namespace {

constexpr int kUnused = -1;

struct LayerRun {
  int node = 0;
  bool gradients = true;
  std::vector<ForwardValue> inputs;
  int trace = 0;
  ForwardValue output;
};

class Interpreter {
public:
  Interpreter(Machine& m, const Model& model, const PlacedModel& placed, const AnalysisRequest& request)
      : m_(m), model_(model), placed_(placed), request_(request) {
    for (const ResolvedRule& rule : placed.rules)
      strategies_.push_back(strategy_of(rule, request.dialect, request.custom));
    splits_sequence_ = std::any_of(strategies_.begin(), strategies_.end(), [](const RuleStrategy& s) {
      return s.kind == StrategyKind::megatron_sequence_parallel;
    });
  }

  ForwardRun run() {
    run_.traces.emplace_back();
    open_ends();
    TensorState ids = replicated(m_, Shape{request_.workload.batch, request_.workload.tokens}, Elements::ids);
    ModuleCall call;
    call.keyword.emplace_back("input_ids", ids);
    settle(call.keyword.back().second);
    if (m_.recorder != nullptr)
      call.keyword.back().second.tensor.value = m_.recorder->recording.input = m_.recorder->new_value();
    run_.output = call_module(placed_.root, call);
    if (run_.output.is_tensor()) run_.output_origin = describe_operand(m_, run_.output.tensor);
    close_ends();
    if (m_.recorder != nullptr && run_.output.is_tensor()) m_.recorder->recording.output = run_.output.tensor.value;
    run_.traces.pop_back();  // the spare one
    return std::move(run_);
  }

private:
  // Traces are kept in a vector that grows, so the machine gets the one it writes to from `current_`.
  Trace current_;

  void open_ends() {
    current_ = Trace{};
    graph_.start();
    m_.prefix.clear();
    m_.start_trace(&current_);
  }

  void close_ends() {
    const bool recorded = m_.recorder != nullptr && m_.recorder->has_ends();
    if (current_.operations.empty() && current_.forward.empty() && current_.backward.empty() && !recorded) return;
    keep_trace(std::move(current_), "");
    if (m_.recorder != nullptr) m_.recorder->close_ends();
    current_ = Trace{};
  }

  int keep_trace(Trace trace, const std::string& prefix) {
    const int index = static_cast<int>(run_.traces.size()) - 1;
    run_.traces.back() = std::move(trace);
    run_.traces.emplace_back();
    run_.steps.push_back({index, prefix});
    return index;
  }

  ForwardValue call_module(int node_index, ModuleCall& call) {
    const PlacedNode& node = placed_.node(node_index);
    const ModuleType& type = model_.type(node.type);
    call.type = &type;
    for (const PlacedParameter& p : node.parameters) {
      call.parameters.push_back(p.state);
      call.parameters.back().storage = kPersistentStorage;
      note_parameter(m_, type.parameters[call.parameters.size() - 1].name, call.parameters.back());
    }
    call.hidden.assign(type.parameters.size(), 0);
    const int rule_before = m_.rule;
    m_.rule = node.rule;
    std::optional<Hook> hook;
    if (node.rule >= 0) hook = hook_of(node.rule, node_index);
    if (node.rule < 0 && node.replicated_by_default) hook.emplace();
    if (hook && !is_installed(*hook, type, m_.dialect())) hook.reset();
    std::size_t causes = m_.causes().size();
    const std::vector<ForwardValue> inputs = hook ? call.positional : std::vector<ForwardValue>{};
    if (hook) before_call(m_, *hook, call);
    if (hook) explain(causes, call.positional);
    if (hook && !call.positional.empty()) graph_.draw_collectives(call.positional.front(), inputs);
    const bool block = type.kind == ModuleKind::block;
    if (!m_.failed()) call.output = block ? run_block(node_index, call) : run_leaf(m_, call);
    if (!block) explain(causes, call.positional);
    causes = m_.causes().size();
    if (!m_.failed() && type.kind != ModuleKind::block)
      graph_.draw_leaf(node.rule < 0 ? std::string() : placed_.rules[static_cast<std::size_t>(node.rule)].rule.strategy,
                       call);
    const TensorState* output = hook && !m_.failed() ? first_tensor(call.output) : nullptr;
    const std::vector<ForwardValue> outputs =
        output == nullptr ? std::vector<ForwardValue>{} : std::vector<ForwardValue>{*output};
    if (hook && !m_.failed()) after_call(m_, *hook, call);
    if (hook) explain(causes, outputs);
    if (!m_.failed()) settle(call.output);
    if (hook && !m_.failed()) graph_.draw_collectives(call.output, outputs);
    note_output(m_, call.output);
    m_.rule = rule_before;
    return std::move(call.output);
  }

  // Notes what took part in the causes that came up since `known`.
  void explain(std::size_t known, const std::vector<ForwardValue>& values) {
    if (!m_.failed() && m_.causes().size() == known) return;
    std::vector<Operand> operands;
    for (const ForwardValue& value : values)
      if (value.is_tensor()) operands.push_back(describe_operand(m_, value.tensor));
    m_.explain_causes(known, operands);
  }

  Hook hook_of(int rule, int node_index) {
    Hook hook;
    const RuleStrategy& strategy = strategies_[static_cast<std::size_t>(rule)];
    if (strategy.kind) hook.kind = *strategy.kind;
    hook.custom = strategy.custom;
    hook.model = &model_;
    hook.split_descendants = placed_.node(node_index).has_split_parameters;
    hook.expert_rules = rule >= placed_.expert_rules_begin;
    hook.expert_ranks = std::max(request_.parallelism.ep, 1);
    if (hook.kind == StrategyKind::all_to_all_experts && hook.expert_ranks == 1) hook.expert_ranks = m_.ranks();
    hook.sequence_parallel = m_.dialect().extensions && splits_sequence_;
    hook.tensor_ranks = m_.ranks();
    hook.exchange_all_to_all = request_.parallelism.exchange == ExpertExchange::all_to_all;
    if (hook.kind == StrategyKind::replicated_with_grad_allreduce)
      collect_parameters(node_index, hook.descendant_parameters);
    return hook;
  }

  void collect_parameters(int node_index, std::vector<std::int64_t>& into) const {
    const PlacedNode& node = placed_.node(node_index);
    for (const PlacedParameter& p : node.parameters) into.push_back(p.state.local.at(0).numel());
    for (const PlacedChild& child : node.children)
      for (int n : child.nodes) collect_parameters(n, into);
  }

  // New tensors get an allocation.
  void settle(ForwardValue& value) {
    if (value.is_tensor() && value.tensor.storage == kNewStorage) value.tensor.storage = m_.allocate(value.tensor);
    for (ForwardValue& item : value.items) settle(item);
  }
  void retain(const ForwardValue& value) {
    if (value.is_tensor()) m_.retain(value.tensor.storage);
    for (const ForwardValue& item : value.items) retain(item);
  }
  void release(const ForwardValue& value) {
    if (value.is_tensor()) m_.release(value.tensor.storage);
    for (const ForwardValue& item : value.items) release(item);
  }

  bool bind(const ModuleCall& call, const Program& program, std::vector<ForwardValue>& slots) {
    std::vector<char> bound(program.inputs.size(), 0);
    if (call.positional.size() > program.inputs.size()) {
      m_.fail("TP121", call.type->class_name + " gets too many inputs", "TypeError: takes fewer positional arguments");
      return false;
    }
    for (std::size_t i = 0; i < call.positional.size(); ++i) {
      slots[i] = call.positional[i];
      bound[i] = 1;
    }
    for (const auto& [name, value] : call.keyword) {
      const auto at = std::find(program.inputs.begin(), program.inputs.end(), name);
      if (at == program.inputs.end()) continue;
      const auto i = static_cast<std::size_t>(at - program.inputs.begin());
      slots[i] = value;
      bound[i] = 1;
    }
    for (std::size_t i = 0; i < bound.size(); ++i)
      if (bound[i] == 0) {
        m_.fail("TP121",
                call.type->class_name + " does not get its input \"" + program.inputs[i] +
                    "\": the rule's hook passes on the first one only",
                "TypeError: missing required positional argument");
        return false;
      }
    return true;
  }

  const std::vector<int>& last_uses(int type_index) {
    auto& uses = last_use_[type_index];
    if (!uses.empty()) return uses;
    const Program& program = model_.type(type_index).program;
    uses.assign(static_cast<std::size_t>(program.slots) + 1, kUnused);
    for (std::size_t i = 0; i < program.code.size(); ++i) {
      for (int slot : program.code[i].inputs)
        if (slot >= 0) uses[static_cast<std::size_t>(slot)] = static_cast<int>(i);
      for (int slot : program.code[i].outputs)
        uses[static_cast<std::size_t>(slot)] = std::max(uses[static_cast<std::size_t>(slot)], static_cast<int>(i));
    }
    for (int slot : program.results) uses[static_cast<std::size_t>(slot)] = static_cast<int>(program.code.size());
    return uses;
  }

  ForwardValue run_block(int node_index, ModuleCall& call) {
    const PlacedNode& node = placed_.node(node_index);
    const Program& program = call.type->program;
    std::vector<ForwardValue> slots(static_cast<std::size_t>(program.slots));
    if (!bind(call, program, slots)) return {};
    const std::vector<int> uses = last_uses(node.type);
    for (std::size_t s = 0; s < program.inputs.size(); ++s)
      if (uses[s] != kUnused) retain(slots[s]);
    for (std::size_t i = 0; i < program.code.size(); ++i) {
      const bool gradients = m_.gradients;
      m_.gradients = gradients && !program.code[i].no_grad;
      execute(program.code[i], node, call, slots);
      m_.gradients = gradients;
      if (m_.failed()) return {};
      release_dead(program.code[i], uses, static_cast<int>(i), slots);
    }
    ForwardValue result;
    if (program.results.size() == 1)
      result = slots[static_cast<std::size_t>(program.results.front())];
    else {
      std::vector<ForwardValue> items;
      for (int slot : program.results) items.push_back(slots[static_cast<std::size_t>(slot)]);
      result = ForwardValue(std::move(items));
    }
    for (std::size_t s = 0; s < slots.size(); ++s)
      if (uses[s] == static_cast<int>(program.code.size())) hand_over(slots[s]);
    return result;
  }

  // The caller's slot takes over: the count falls, the memory stays.
  void hand_over(const ForwardValue& value) {
    if (value.is_tensor()) m_.let_go(value.tensor.storage);
    for (const ForwardValue& item : value.items) hand_over(item);
  }

  void release_dead(const Instruction& code, const std::vector<int>& uses, int index,
                    const std::vector<ForwardValue>& slots) {
    const auto dead = [&](int slot) { return slot >= 0 && uses[static_cast<std::size_t>(slot)] == index; };
    std::vector<int> done;
    const auto drop = [&](int slot) {
      if (!dead(slot) || std::find(done.begin(), done.end(), slot) != done.end()) return;
      done.push_back(slot);
      release(slots[static_cast<std::size_t>(slot)]);
    };
    for (int slot : code.inputs) drop(slot);
    for (int slot : code.outputs) drop(slot);
  }

  void store(const Instruction& code, std::vector<ForwardValue>& slots, ForwardValue value) {
    settle(value);
    if (code.outputs.size() == 1) {
      retain(value);
      slots[static_cast<std::size_t>(code.outputs.front())] = std::move(value);
      return;
    }
    if (value.kind != ForwardValue::Kind::tuple || value.items.size() < code.outputs.size()) {
      m_.fail("TP121",
              "the module does not return the " + std::to_string(code.outputs.size()) + " values that its caller takes",
              "ValueError: not enough values to unpack");
      return;
    }
    for (std::size_t i = 0; i < code.outputs.size(); ++i) {
      retain(value.items[i]);
      slots[static_cast<std::size_t>(code.outputs[i])] = std::move(value.items[i]);
    }
  }

  void execute(const Instruction& code, const PlacedNode& node, ModuleCall& call, std::vector<ForwardValue>& slots) {
    switch (code.op) {
      case Op::call: return store(code, slots, call_child(code, node, call, slots));
      case Op::for_each: return for_each(code, node, call, slots);
      case Op::each_expert: return store(code, slots, each_expert(code, node, call, slots));
      case Op::per_slice: return store(code, slots, per_slice(code, node, call, slots));
      case Op::parameter: return store(code, slots, own_tensor(code, node, call));
      case Op::constant_none: return store(code, slots, {});
      case Op::make_tuple: {
        std::vector<ForwardValue> items;
        for (int slot : code.inputs) items.push_back(slots[static_cast<std::size_t>(slot)]);
        return store(code, slots, ForwardValue(std::move(items)));
      }
      case Op::unpack: return store(code, slots, unpacked(code, slots[static_cast<std::size_t>(code.inputs.front())]));
      default: {
        const std::size_t before = m_.trace == nullptr ? 0 : m_.trace->operations.size();
        const std::size_t causes = m_.causes().size();
        const int function =
            code.child < 0 ? -1 : call.type->children[static_cast<std::size_t>(code.child)].types.front();
        if (m_.recorder != nullptr)
          m_.recorder->take_numbers(code, function < 0 ? code.text : model_.type(function).text);
        ForwardValue value = run_operation(m_, code, slots, splits_sequence_);
        note_operation(m_, code, slots, value);
        if (m_.failed() || m_.causes().size() > causes) explain(causes, inputs_of(code, slots));
        graph_.draw_operation(code, before, slots, value);
        return store(code, slots, std::move(value));
      }
    }
  }

  static std::vector<ForwardValue> inputs_of(const Instruction& code, const std::vector<ForwardValue>& slots) {
    std::vector<ForwardValue> values;
    for (int slot : code.inputs)
      if (slot >= 0) values.push_back(slots[static_cast<std::size_t>(slot)]);
    return values;
  }

  // `x, = value` takes the only element; several names are taken apart as they are stored.
  static ForwardValue unpacked(const Instruction& code, const ForwardValue& value) {
    const bool only = code.outputs.size() == 1 && value.kind == ForwardValue::Kind::tuple && value.items.size() == 1;
    return only ? value.items.front() : value;
  }

  ForwardValue own_tensor(const Instruction& code, const PlacedNode& node, ModuleCall& call) {
    if (code.child >= 0)
      return tensor_of_child(node.children[static_cast<std::size_t>(code.child)].nodes.front(), code.text,
                             call.type->children[static_cast<std::size_t>(code.child)].name);
    if (const TensorState* p = call.parameter(code.text)) return *p;
    for (const ParameterSpec& buffer : call.type->buffers)
      if (buffer.name == code.text) {
        TensorState state = replicated(m_, buffer.shape);
        state.storage = kPersistentStorage;
        if (placed_.distributes_everything) state.belief = Belief{Replicate{}, buffer.shape};
        note_parameter(m_, buffer.name, state);
        return state;
      }
    return {};
  }

  // A child's parameter that the code reads without calling the child: its hook does not run.
  ForwardValue tensor_of_child(int node_index, const std::string& name, const std::string& child) {
    const PlacedNode& node = placed_.node(node_index);
    const auto& parameters = model_.type(node.type).parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].name == name) {
        TensorState state = node.parameters[i].state;
        state.storage = kPersistentStorage;
        note_parameter(m_, child + "." + name, state);
        return state;
      }
    return {};
  }

  ModuleCall arguments(const Instruction& code, const std::vector<ForwardValue>& slots) const {
    ModuleCall call;
    for (std::size_t i = 0; i < code.inputs.size(); ++i) {
      ForwardValue value;
      if (code.inputs[i] >= 0) value = slots[static_cast<std::size_t>(code.inputs[i])];
      if (code.keyword_begin >= 0 && static_cast<int>(i) >= code.keyword_begin)
        call.keyword.emplace_back(code.keywords[i - static_cast<std::size_t>(code.keyword_begin)], std::move(value));
      else
        call.positional.push_back(std::move(value));
    }
    return call;
  }

  ForwardValue call_child(const Instruction& code, const PlacedNode& node, const ModuleCall& self,
                          const std::vector<ForwardValue>& slots) {
    ModuleCall call = arguments(code, slots);
    const auto child = static_cast<std::size_t>(code.child);
    const bool element = self.type->children[child].is_list;
    int called = node.children[child].nodes[element ? static_cast<std::size_t>(code.ints.front()) : 0];
    const int type = placed_.node(called).type;
    if (!request_.workload.all_logits && is_root(node) && model_.type(type).kind == ModuleKind::linear)
      keep_last_position(call);
    const std::string before = enter(self.type->children[child].name);
    if (element) enter(std::to_string(code.ints.front()));
    if (!code.text.empty()) {
      enter(code.text);
      called = grandchild(called, code.text);
    }
    ForwardValue result = call_module(called, call);
    m_.module = before;
    return result;
  }

  int grandchild(int node, const std::string& name) const {
    const auto& children = model_.type(placed_.node(node).type).children;
    const auto at = std::find_if(children.begin(), children.end(), [&](const Child& c) { return c.name == name; });
    return placed_.node(node).children[static_cast<std::size_t>(at - children.begin())].nodes.front();
  }

  // Element i of a module list on slice i of the input, as zip() pairs them.
  ForwardValue per_slice(const Instruction& code, const PlacedNode& node, const ModuleCall& self,
                         const std::vector<ForwardValue>& slots) {
    const TensorState x = tensor_input(m_, code, slots, 0);
    if (m_.failed()) return {};
    const auto child = static_cast<std::size_t>(code.child);
    const PlacedChild& list = node.children[child];
    const int dim = static_cast<int>(code.ints.front()) < 0 ? static_cast<int>(code.ints.front()) + x.ideal.rank()
                                                            : static_cast<int>(code.ints.front());
    const auto count = static_cast<std::int64_t>(list.nodes.size());
    TensorState one = x;
    one.ideal[dim] = 1;
    one.local = x.local.map([&](Shape s) { return s.with(dim, 1); });
    const bool along = x.layout.content == Content::sharded && x.layout.dim == dim;
    if (along) one.layout = Layout{};
    ForwardValue done = call_on_slice(list, self.type->children[child].name, one, x, dim, 0);
    if (m_.failed() || !done.is_tensor()) return {};
    TensorState out = done.tensor;
    if (m_.recorder != nullptr) note_slices(list, self.type->children[child].name, one, x, dim, out);
    out.storage = kNewStorage;
    out.ideal[dim] = std::min(count, x.ideal[dim]);
    std::vector<Shape> locals;
    for (int r = 0; r < m_.ranks(); ++r)
      locals.push_back(out.local.at(r).with(dim, std::min(count, x.local.at(r)[dim])));
    out.local = RankShapes(std::move(locals));
    if (along) out.layout = m_.wrong("TP109", "every rank applies the norms of the first heads to its own heads");
    return checked(m_, std::move(out));
  }

  ForwardValue call_on_slice(const PlacedChild& list, const std::string& name, TensorState one, const TensorState& x,
                             int dim, std::int64_t i) {
    if (RecordedOp* noted = note(m_, Op::slice, {&x}, {&one})) {
      noted->ints = {dim};
      noted->ranges.assign(static_cast<std::size_t>(m_.ranks()), {{i, i + 1}});
    }
    ModuleCall call;
    call.positional.emplace_back(std::move(one));
    const std::string before = enter(name);
    enter(std::to_string(i));
    ForwardValue done = call_module(list.nodes[static_cast<std::size_t>(i)], call);
    if (!m_.failed()) m_.module = before;
    return done;
  }

  // The elements after the first: the analysis takes them to be alike, execution needs each one.
  void note_slices(const PlacedChild& list, const std::string& name, const TensorState& one, const TensorState& x,
                   int dim, TensorState& first) {
    Trace* const trace = std::exchange(m_.trace, nullptr);
    std::vector<TensorState> parts{first};
    const auto count = std::min(static_cast<std::int64_t>(list.nodes.size()), x.local.at(0)[dim]);
    for (std::int64_t i = 1; i < count && !m_.failed(); ++i)
      parts.push_back(call_on_slice(list, name, one, x, dim, i).tensor);
    m_.trace = trace;
    std::vector<const TensorState*> inputs;
    for (const TensorState& part : parts) inputs.push_back(&part);
    TensorState whole = first;
    whole.local = first.local.map([&](Shape s) { return s.with(dim, count); });
    if (RecordedOp* noted = note(m_, Op::concat, inputs, {&whole})) noted->ints = {dim};
    first.value = whole.value;
  }

  bool is_root(const PlacedNode& node) const { return &node == &placed_.node(placed_.root); }

  // logits_to_keep=1: the head sees the last position of each sequence.
  void keep_last_position(ModuleCall& call) {
    if (call.positional.empty() || !call.positional.front().is_tensor()) return;
    TensorState& x = call.positional.front().tensor;
    if (x.ideal.rank() == 3) x = slice(m_, x, 1, -1, kOpenEnd);
  }

  // Appends to the module path; returns the path to restore. A fault keeps the path where it happened.
  std::string enter(const std::string& name) {
    std::string before = m_.module;
    if (!m_.module.empty()) m_.module += '.';
    m_.module += name;
    return before;
  }

  void for_each(const Instruction& code, const PlacedNode& node, ModuleCall& self, std::vector<ForwardValue>& slots) {
    const auto child = static_cast<std::size_t>(code.child);
    const PlacedChild& list = node.children[child];
    ModuleCall first = arguments(code, slots);
    ModuleCall next = first;
    const bool segments = m_.prefix.empty() && !inside_layer_;
    const std::string list_path =
        m_.module.empty() ? self.type->children[child].name : m_.module + "." + self.type->children[child].name;
    const std::string module_before = m_.module;
    if (segments && !next.positional.empty() && next.positional.front().is_tensor())
      m_.outside = describe_operand(m_, next.positional.front().tensor).modules;
    if (segments) close_ends();
    ForwardValue output, held;
    if (!next.positional.empty()) output = next.positional.front();
    for (std::size_t i = 0; i < list.nodes.size() && !m_.failed(); ++i) {
      ModuleCall call = next;
      output = segments ? run_layer(list.nodes[i], call, list_path + "." + std::to_string(i))
                        : run_element(list.nodes[i], call, list_path + "." + std::to_string(i));
      if (m_.failed()) return;
      hand_on(code, output, next);
      retain(output);
      if (i == 0) release_early(code, node, *self.type, slots);
      release(held);
      held = output;
    }
    if (segments) {
      m_.module = module_before;
      open_ends();
      m_.module = module_before;
    }
    if (code.outputs.size() == 1 && !next.positional.empty()) output = next.positional.front();
    if (segments) {
      TraceGraph::set_node(output, -1);
      for (ForwardValue& slot : slots) TraceGraph::set_node(slot, -1);
    }
    store(code, slots, std::move(output));
    release(held);
  }

  // `x = layer(x)` drops the first input as soon as the first element has answered, if nothing else needs it.
  void release_early(const Instruction& code, const PlacedNode& node, const ModuleType& type,
                     std::vector<ForwardValue>& slots) {
    if (code.inputs.empty() || code.inputs.front() < 0) return;
    const auto slot = static_cast<std::size_t>(code.inputs.front());
    if (last_uses(node.type)[slot] != static_cast<int>(&code - type.program.code.data()) || !slots[slot].is_tensor())
      return;
    release(slots[slot]);
    slots[slot].tensor.storage = kPersistentStorage;
  }

  // What an element of a list returns becomes the next one's arguments.
  static void hand_on(const Instruction& code, const ForwardValue& output, ModuleCall& next) {
    const bool tuple = output.kind == ForwardValue::Kind::tuple && !output.items.empty();
    if (next.positional.empty()) next.positional.emplace_back();
    next.positional.front() = tuple ? output.items.front() : output;
    for (std::size_t i = 1; tuple && i < code.ints.size() && i < output.items.size(); ++i) {
      if (code.ints[i] < 0) continue;
      const auto at = static_cast<std::size_t>(code.ints[i]);
      (at < next.positional.size() ? next.positional[at] : next.keyword[at - next.positional.size()].second) =
          output.items[i];
    }
  }

  ForwardValue run_element(int node, ModuleCall& call, const std::string& path) {
    const std::string before = m_.module;
    m_.module = path;
    ForwardValue result = call_module(node, call);
    if (!m_.failed()) m_.module = before;
    return result;
  }

  std::vector<ForwardValue> state_of(const ModuleCall& call) const {
    std::vector<ForwardValue> state = call.positional;
    for (const auto& [name, value] : call.keyword) state.push_back(value);
    return state;
  }

  const LayerRun* known_run(int node, const std::vector<ForwardValue>& inputs) const {
    for (const LayerRun& run : layers_)
      if (run.node == node && run.gradients == m_.gradients &&
          std::equal(run.inputs.begin(), run.inputs.end(), inputs.begin(), inputs.end(),
                     [](const ForwardValue& a, const ForwardValue& b) { return a.same_state(b); }))
        return &run;
    return nullptr;
  }

  ForwardValue run_layer(int node, ModuleCall& call, const std::string& path) {
    std::vector<ForwardValue> inputs = state_of(call);
    if (const LayerRun* run = known_run(node, inputs)) {
      run_.steps.push_back({run->trace, path});
      ForwardValue output = run->output;
      reuse_storage(output);
      if (m_.recorder != nullptr) m_.recorder->add_step(values_of(call), output);
      return output;
    }
    current_ = Trace{};
    graph_.start();
    forget_nodes(call);
    std::vector<int> outer;
    if (m_.recorder != nullptr) outer = m_.recorder->open_layer(call);
    m_.prefix = path;
    m_.module.clear();
    m_.start_trace(&current_);
    inside_layer_ = true;
    ForwardValue output = call_module(node, call);
    inside_layer_ = false;
    const int trace = keep_trace(std::move(current_), path);
    if (m_.recorder != nullptr) m_.recorder->close_layer();
    if (m_.failed()) return {};
    m_.trace = nullptr;
    layers_.push_back({node, m_.gradients, std::move(inputs), trace, output});
    if (m_.recorder != nullptr) m_.recorder->add_step(std::move(outer), output);
    return output;
  }

  // Nodes are counted per trace.
  static void forget_nodes(ModuleCall& call) {
    for (ForwardValue& v : call.positional) TraceGraph::set_node(v, -1);
    for (auto& [name, v] : call.keyword) TraceGraph::set_node(v, -1);
  }

  // A layer's output lives in memory of its own, which the next layer's run frees again.
  void reuse_storage(ForwardValue& value) {
    if (value.is_tensor() && value.tensor.storage >= 0) value.tensor.storage = m_.allocate(value.tensor);
    for (ForwardValue& item : value.items) reuse_storage(item);
  }

  ForwardValue each_expert(const Instruction& code, const PlacedNode& node, ModuleCall& self,
                           const std::vector<ForwardValue>& slots) {
    const auto child = static_cast<std::size_t>(code.child);
    const PlacedChild& list = node.children[child];
    const TensorState& x = slots[static_cast<std::size_t>(code.inputs[0])].tensor;
    const TensorState& indices = slots[static_cast<std::size_t>(code.inputs[1])].tensor;
    const TensorState& weights = slots[static_cast<std::size_t>(code.inputs[2])].tensor;
    const auto experts = static_cast<std::int64_t>(list.nodes.size());
    const std::int64_t rows = std::max<std::int64_t>(1, x.ideal[0] * indices.ideal[-1] / experts);
    TensorState part = x;
    part.storage = kNewStorage;
    part.ideal[0] = rows;
    part.local = x.local.map([&](const Shape& s) { return s.with(0, rows); });
    TensorState weight = weights;
    weight.storage = kNewStorage;
    weight.ideal = Shape{rows, 1};
    weight.local = RankShapes(weight.ideal);
    m_.data_dependent = true;
    TensorState out = x;
    note(m_, Primitive::zeros, {&x}, {&out});
    for (std::size_t e = 0; e < list.nodes.size() && !m_.failed(); ++e) {
      const auto index = static_cast<std::int64_t>(e);
      note(m_, Primitive::expert_rows, {&x, &indices, &weights}, {&part, &weight}, {index});
      ModuleCall call;
      call.positional.emplace_back(part);
      const std::string before = enter(self.type->children[child].name);
      enter(std::to_string(e));
      ForwardValue result = call_module(list.nodes[e], call);
      if (m_.failed()) break;
      m_.module = before;
      if (!result.is_tensor()) {
        m_.fail("TP121", "an expert returns no tensor", "TypeError");
        break;
      }
      const TensorState weighted = binary(m_, Binary::mul, result.tensor, weight);
      out.layout = weighted.layout;
      out.ideal[-1] = weighted.ideal[-1];
      out.local = x.local.map([&](const Shape& s) { return s.with(s.rank() - 1, weighted.local.at(0)[-1]); });
      const TensorState sum = out;
      note(m_, Primitive::add_expert_rows, {&sum, &weighted, &indices}, {&out}, {index});
      release(result);
    }
    m_.data_dependent = false;
    out.storage = kNewStorage;
    return checked(m_, std::move(out));
  }

  Machine& m_;
  const Model& model_;
  const PlacedModel& placed_;
  const AnalysisRequest& request_;
  std::vector<RuleStrategy> strategies_;
  TraceGraph graph_{m_};
  ForwardRun run_;
  std::vector<LayerRun> layers_;
  std::unordered_map<int, std::vector<int>> last_use_;
  bool inside_layer_ = false;
  bool splits_sequence_ = false;  // some rule is megatron_sequence_parallel
};

}  // namespace

ForwardRun run_forward(Machine& m, const Model& model, const PlacedModel& placed, const AnalysisRequest& request) {
  return Interpreter(m, model, placed, request).run();
}

}  // namespace tpsim
