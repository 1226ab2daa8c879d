// Strategies described by data, from JSON.
#include <algorithm>
#include <array>

#include "core/json.h"
#include "core/shape.h"
#include "core/strategy.h"
#include "core/suggest.h"

namespace tpsim {
namespace {

constexpr std::size_t kMostStrategies = 1000;
constexpr std::size_t kLongestName = 100;
constexpr int kMostBlocks = 64;
constexpr JsonLimits kLimits{8, 1u << 20};

constexpr std::array<std::string_view, 10> kFields = {
    "name",  "weight_dim", "bias_dim", "blocks",   "split_input",
    "input", "output",     "forward",  "backward", "bias_after_reduction"};
constexpr std::array<std::pair<std::string_view, StrategyLayout>, 4> kLayouts = {
    {{"any", StrategyLayout::any},
     {"replicate", StrategyLayout::replicate},
     {"shard_last", StrategyLayout::shard_last},
     {"partial", StrategyLayout::partial}}};

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// Reads the fields of one object; the first fault is kept and makes the rest of no interest.
class Reader {
public:
  Reader(const ValueObject& object, std::string where) : object_(object), where_(std::move(where)) {}

  Result<CustomStrategy> run() && {
    CustomStrategy s;
    check_fields();
    read_name(s.name);
    if (const Value* v = find(object_, "weight_dim")) read_dim(*v, "weight_dim", s.weight_dim);
    if (const Value* v = find(object_, "bias_dim")) read_dim(*v, "bias_dim", s.bias_dim);
    read_blocks(s);
    read_flag("split_input", s.split_input);
    read_flag("bias_after_reduction", s.bias_after_reduction);
    read_layout("input", s.input);
    read_layout("output", s.output);
    read_collective("forward", "output", s.forward);
    read_collective("backward", "input", s.backward_input);
    if (fault_) return *fault_;
    return s;
  }

private:
  void fail(std::string message, std::string fix = {}) {
    if (fault_) return;
    fault_ = input_error(std::move(message), where_);
    if (!fix.empty()) fault_->fixes.push_back(std::move(fix));
  }
  void wrong_type(std::string_view field, const Value& value, std::string_view expected) {
    fail(quoted(field) + " must be " + std::string(expected) + ", not " + type_name(value));
  }

  void check_fields() {
    const std::vector<std::string> known(kFields.begin(), kFields.end());
    for (const auto& [field, value] : object_) {
      if (std::ranges::find(kFields, field) != kFields.end()) continue;
      const auto near = nearest(field, known, 1);
      fail("unknown field " + quoted(field), near.empty() ? "" : "did you mean " + quoted(near.front()) + "?");
    }
  }

  void read_name(std::string& name) {
    const Value* value = find(object_, "name");
    if (value == nullptr) return fail("a strategy needs a \"name\"");
    const auto* text = std::get_if<std::string>(&value->data);
    if (text == nullptr) return wrong_type("name", *value, "text");
    if (text->empty() || text->size() > kLongestName)
      return fail("\"name\" must have 1 to " + std::to_string(kLongestName) + " characters, not " +
                  std::to_string(text->size()));
    name = *text;
    for (const auto& info : strategy_catalogue())
      if (info.name == name) return fail(quoted(name) + " is the name of a built-in strategy", "choose another name");
    if (is_extension(name)) fail(quoted(name) + " is the name of a built-in strategy", "choose another name");
  }

  std::optional<std::int64_t> integer(const Value& value, std::string_view field, std::int64_t low, std::int64_t high) {
    const auto* number = std::get_if<std::int64_t>(&value.data);
    if (number == nullptr) {
      wrong_type(field, value, "an integer");
      return std::nullopt;
    }
    if (*number >= low && *number <= high) return *number;
    fail(quoted(field) + " must be from " + std::to_string(low) + " to " + std::to_string(high) + ", not " +
         std::to_string(*number));
    return std::nullopt;
  }

  void read_dim(const Value& value, std::string_view field, std::optional<int>& dim) {
    if (value.is_null()) return;
    if (const auto number = integer(value, field, -Shape::kMaxRank, Shape::kMaxRank - 1))
      dim = static_cast<int>(*number);
  }

  void read_blocks(CustomStrategy& s) {
    const Value* value = find(object_, "blocks");
    if (value == nullptr) return;
    if (const auto number = integer(*value, "blocks", 1, kMostBlocks)) s.blocks = static_cast<int>(*number);
    if (s.blocks > 1 && !s.weight_dim) fail("\"blocks\" needs a \"weight_dim\" to cut");
  }

  void read_flag(std::string_view field, bool& flag) {
    const Value* value = find(object_, field);
    if (value == nullptr) return;
    const auto* truth = std::get_if<bool>(&value->data);
    if (truth == nullptr) return wrong_type(field, *value, "true or false");
    flag = *truth;
  }

  void read_layout(std::string_view field, StrategyLayout& layout) {
    const Value* value = find(object_, field);
    if (value == nullptr) return;
    const auto* text = std::get_if<std::string>(&value->data);
    if (text == nullptr) return wrong_type(field, *value, "text");
    for (const auto& [name, known] : kLayouts)
      if (name == *text) {
        layout = known;
        return;
      }
    fail(quoted(field) + ": unknown layout " + quoted(*text), "any, replicate, shard_last or partial");
  }

  // A list of at most one {"op", "tensor"}: forward on the module's output, backward on its input's gradient.
  void read_collective(std::string_view field, std::string_view tensor, std::optional<CollectiveOp>& op) {
    const Value* value = find(object_, field);
    if (value == nullptr) return;
    const auto* list = std::get_if<ValueList>(&value->data);
    if (list == nullptr) return wrong_type(field, *value, "a list of {\"op\", \"tensor\"}");
    if (list->size() > 1)
      return fail(quoted(field) + " holds " + std::to_string(list->size()) + " collectives, at most 1 is possible");
    if (list->empty()) return;
    const auto* object = std::get_if<ValueObject>(&list->front().data);
    if (object == nullptr) return wrong_type(field, list->front(), "a list of {\"op\", \"tensor\"}");
    if (const auto* name = text_of(*object, "op", field)) op = collective(*name, field);
    if (find(*object, "tensor") == nullptr) return;
    const auto* on = text_of(*object, "tensor", field);
    if (on != nullptr && *on != tensor)
      fail(quoted(field) + " acts on tensor " + quoted(tensor) + ", not " + quoted(*on));
  }

  const std::string* text_of(const ValueObject& object, std::string_view key, std::string_view field) {
    const Value* value = find(object, key);
    const auto* text = value ? std::get_if<std::string>(&value->data) : nullptr;
    if (text == nullptr) fail(quoted(field) + " needs " + quoted(key) + " as text");
    return text;
  }

  std::optional<CollectiveOp> collective(const std::string& name, std::string_view field) {
    const auto op = parse_collective(name);
    if (op && *op != CollectiveOp::broadcast && *op != CollectiveOp::send) return op;
    fail(quoted(field) + ": unknown collective " + quoted(name),
         "all_reduce, all_gather, reduce_scatter or all_to_all");
    return std::nullopt;
  }

  const ValueObject& object_;
  std::string where_;
  std::optional<Error> fault_;
};

Result<void> add_strategy(StrategySet& set, const Value& value, const std::string& where) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  if (object == nullptr)
    return input_error(std::string("a strategy must be an object, not ") + type_name(value), where);
  auto strategy = Reader(*object, where).run();
  if (!strategy) return strategy.error();
  for (const auto& known : set)
    if (known.name == strategy->name)
      return input_error("strategy " + quoted(known.name) + " is described twice", where);
  set.push_back(std::move(*strategy));
  return {};
}

}  // namespace

Result<StrategySet> read_strategies(std::string_view text, const std::string& file) {
  auto document = parse_json(text, file, kLimits);
  if (!document) return document.error();
  StrategySet set;
  const auto* list = std::get_if<ValueList>(&document->data);
  if (list == nullptr) {
    if (auto added = add_strategy(set, *document, file); !added) return added.error();
    return set;
  }
  if (list->size() > kMostStrategies)
    return input_error(
        std::to_string(list->size()) + " strategies, at most " + std::to_string(kMostStrategies) + " are read", file);
  for (const auto& value : *list) {
    auto added = add_strategy(set, value, file + "#/" + std::to_string(set.size()));
    if (!added) return added.error();
  }
  return set;
}

}  // namespace tpsim
