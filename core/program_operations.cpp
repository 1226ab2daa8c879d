#include "core/program_operations.h"

#include <algorithm>
#include <array>

#include "core/expression_functions.h"
#include "core/scan_kinds.h"

namespace tpsim {

namespace {

using P = OperationParameter;

constexpr std::array kX{P{"x"}};
constexpr std::array kXLike{P{"x"}, P{"like"}};
constexpr std::array kViewHeads{P{"x"}, P{"d", Take::integer}};
constexpr std::array kTranspose{P{"x"}, P{"a", Take::integer}, P{"b", Take::integer}};
constexpr std::array kReshape{P{"x"}, P{"extents", Take::integers}};
constexpr std::array kDim{P{"x"}, P{"dim", Take::integer}};
constexpr std::array kSlice{P{"x"}, P{"dim", Take::integer}, P{"begin", Take::integer}, P{"end", Take::integer}};
constexpr std::array kSplit{P{"x"}, P{"sizes", Take::sizes}, P{"dim", Take::integer, false}};
constexpr std::array kChunk{P{"x"}, P{"n", Take::integer}, P{"dim", Take::integer, false}};
constexpr std::array kConcat{P{"tensors", Take::tensors}, P{"dim", Take::integer, false}};
constexpr std::array kAct{P{"x"}, P{"name", Take::text}, P{"tensors", Take::tensors, false}};
constexpr std::array kAngles{P{"x"}, P{"columns", Take::integer}, P{"theta", Take::number, false},
                             P{"offset", Take::integer, false}};
constexpr std::array kLimit{P{"x"}, P{"limit", Take::number}};
constexpr std::array kNormFree{P{"x"}, P{"eps", Take::number, false}};
constexpr std::array kLinear{P{"x"}, P{"weight"}, P{"bias", Take::tensor, false}};
constexpr std::array kRope{
    P{"q"}, P{"k"}, P{"cos"}, P{"sin"}, P{"interleaved", Take::flag, false}, P{"half", Take::flag, false}};
constexpr std::array kRopeOne{P{"x"}, P{"cos"}, P{"sin"}, P{"interleaved", Take::flag, false},
                              P{"half", Take::flag, false}};
constexpr std::array kAttention{P{"q"},
                                P{"k"},
                                P{"v"},
                                P{"mask"},
                                P{"sinks", Take::tensor, false},
                                P{"bias", Take::tensor, false},
                                P{"groups", Take::integer, false},
                                P{"window", Take::integer, false},
                                P{"softcap", Take::number, false},
                                P{"scale", Take::number, false},
                                P{"cache", Take::text, false},
                                P{"cache_width", Take::integer, false},
                                P{"chunk", Take::integer, false},
                                P{"alibi", Take::flag, false},
                                P{"kind", Take::text, false},
                                P{"block", Take::integer, false},
                                P{"layer", Take::integer, false},
                                P{"layers", Take::integer, false}};
constexpr std::array kTopk{P{"scores"},
                           P{"k", Take::integer},
                           P{"choice", Take::tensor, false},
                           P{"groups", Take::integer, false},
                           P{"keep_groups", Take::integer, false},
                           P{"group_best", Take::integer, false},
                           P{"jitter", Take::number, false}};
constexpr std::array kScatter{P{"weights"}, P{"indices"}, P{"like"}};
constexpr std::array kExperts{P{"x"},
                              P{"indices"},
                              P{"weights"},
                              P{"gate_up"},
                              P{"down"},
                              P{"gate_up_bias", Take::tensor, false},
                              P{"down_bias", Take::tensor, false},
                              P{"act", Take::function, false},
                              P{"transposed", Take::flag, false},
                              P{"interleaved", Take::flag, false},
                              P{"ungated", Take::flag, false},
                              P{"limit", Take::number, false}};
constexpr std::array kEachExpert{P{"list", Take::module_list}, P{"x"}, P{"indices"}, P{"weights"}};

constexpr std::array kPerSlice{P{"list", Take::module_list}, P{"x"}, P{"dim", Take::integer}};
constexpr std::array kPair{P{"a"}, P{"b"}};
constexpr std::array kSum{P{"x"}, P{"dim", Take::integer}, P{"keep", Take::flag, false}};
constexpr std::array kScan{P{"kind", Take::text}, P{"tensors", Take::tensors}};
constexpr std::array kRepeatHeads{P{"x"}, P{"n", Take::integer}};
constexpr std::array kLookup{P{"ids"}, P{"table"}};
constexpr std::array kOpaque{P{"name", Take::text}, P{"like"}, P{"tensors", Take::tensors, false},
                             P{"number", Take::number, false}};

constexpr std::array kOperations{
    OperationSpec{"view_heads", Op::view_heads, 1, kViewHeads},
    OperationSpec{"merge_heads", Op::merge_heads, 1, kX},
    OperationSpec{"flatten_tokens", Op::flatten_tokens, 1, kX},
    OperationSpec{"unflatten_tokens", Op::unflatten_tokens, 1, kXLike},
    OperationSpec{"transpose", Op::transpose, 1, kTranspose},
    OperationSpec{"reshape", Op::reshape, 1, kReshape},
    OperationSpec{"unsqueeze", Op::unsqueeze, 1, kDim},
    OperationSpec{"squeeze", Op::squeeze, 1, kDim},
    OperationSpec{"expand", Op::expand, 1, kXLike},
    OperationSpec{"slice", Op::slice, 1, kSlice},
    OperationSpec{"split", Op::split, 0, kSplit},
    OperationSpec{"chunk", Op::chunk, 0, kChunk},
    OperationSpec{"concat", Op::concat, 1, kConcat},
    OperationSpec{"act", Op::act, 1, kAct},
    OperationSpec{"sigmoid", Op::act, 1, kX},
    OperationSpec{"softcap", Op::act, 1, kLimit},
    OperationSpec{"clamp", Op::act, 1, kLimit},
    OperationSpec{"softmax", Op::softmax, 1, kX},
    OperationSpec{"normalize", Op::normalize, 1, kX},
    OperationSpec{"norm_free", Op::norm_free, 1, kNormFree},
    OperationSpec{"cast", Op::cast, 1, kX},
    OperationSpec{"linear", Op::linear, 1, kLinear},
    OperationSpec{"causal_mask", Op::causal_mask, 1, kX},
    OperationSpec{"positions", Op::positions, 1, kX},
    OperationSpec{"angles", Op::angles, 2, kAngles},
    OperationSpec{"previous", Op::previous, 1, kX},
    OperationSpec{"rope", Op::rope, 2, kRope},
    OperationSpec{"rope_one", Op::rope_one, 1, kRopeOne},
    OperationSpec{"attention", Op::attention, 1, kAttention},
    OperationSpec{"topk_route", Op::topk_route, 2, kTopk},
    OperationSpec{"scatter_topk", Op::scatter_topk, 1, kScatter},
    OperationSpec{"experts", Op::experts, 1, kExperts},
    OperationSpec{"each_expert", Op::each_expert, 1, kEachExpert},
    OperationSpec{"per_slice", Op::per_slice, 1, kPerSlice},
    OperationSpec{"causal_conv", Op::causal_conv, 1, kLinear},
    OperationSpec{"scan", Op::scan, 1, kScan},
    OperationSpec{"sum", Op::sum, 1, kSum},
    OperationSpec{"bmm", Op::bmm, 1, kPair},
    OperationSpec{"repeat_rows", Op::repeat_rows, 1, kXLike},
    OperationSpec{"split_rows", Op::split_rows, 1, kXLike},
    OperationSpec{"sum_groups", Op::sum_groups, 1, kXLike},
    OperationSpec{"repeat_heads", Op::repeat_heads, 1, kRepeatHeads},
    OperationSpec{"relative_bias", Op::relative_bias, 1, kX},
    OperationSpec{"lookup", Op::lookup, 1, kLookup},
    OperationSpec{"opaque", Op::opaque, 1, kOpaque},
};

constexpr double kNormEpsilon = 1e-6;
constexpr double kPlainTheta = 10000;
constexpr std::int64_t kMaxConstant = std::int64_t{1} << 40;

// The constants of one operation by parameter name. Remembers the first that does not fit.
class Constants {
public:
  Constants(const OperationSpec& spec, OperationConstants values) : spec_(spec), values_(values) {}

  std::int64_t integer(std::string_view name, std::int64_t absent) {
    const Value* value = find(name);
    return value == nullptr || value->is_null() ? absent : checked(name, *value);
  }
  std::int64_t flag(std::string_view name) {
    const Value* value = find(name);
    return value != nullptr && truthy(*value) ? 1 : 0;
  }
  double number(std::string_view name) {
    const Value* value = find(name);
    if (value == nullptr || value->is_null()) return 0;
    const auto x = as_real(*value);
    if (!x) fail(name, *value, "a number");
    return x.value_or(0);
  }
  std::string text(std::string_view name) {
    const Value* value = find(name);
    if (value == nullptr || value->is_null()) return {};
    const auto* s = std::get_if<std::string>(&value->data);
    if (s == nullptr) fail(name, *value, "a text");
    return s == nullptr ? std::string{} : *s;
  }
  // Of `sizes` and `integers`: every element.
  std::vector<std::int64_t> list(std::string_view name) {
    std::vector<std::int64_t> numbers;
    const Value* value = find(name);
    const auto* elements = value == nullptr ? nullptr : std::get_if<ValueList>(&value->data);
    if (elements == nullptr) return numbers;
    for (const auto& element : *elements) numbers.push_back(checked(name, element));
    return numbers;
  }
  bool is_list(std::string_view name) {
    const Value* value = find(name);
    return value != nullptr && std::holds_alternative<ValueList>(value->data);
  }
  void require(bool condition, const std::string& message) {
    if (!condition && message_.empty()) message_ = std::string(spec_.name) + ": " + message;
  }
  const std::string& message() const { return message_; }

private:
  const Value* find(std::string_view name) const {
    for (std::size_t i = 0; i < spec_.parameters.size(); ++i) {
      if (spec_.parameters[i].name == name) return values_[i];
    }
    return nullptr;
  }
  std::int64_t checked(std::string_view name, const Value& value) {
    const auto* i = std::get_if<std::int64_t>(&value.data);
    if (i == nullptr || *i > kMaxConstant || *i < -kMaxConstant) fail(name, value, "an integer up to 2^40");
    return i == nullptr ? 0 : *i;
  }
  void fail(std::string_view name, const Value& value, const char* need) {
    require(false, std::string(name) + " is " + to_json(value).substr(0, 60) + ", " + need + " is needed");
  }

  const OperationSpec& spec_;
  OperationConstants values_;
  std::string message_;
};

void set_split(Constants& constants, Instruction& instruction) {
  const auto dim = constants.integer("dim", -1);
  if (!constants.is_list("sizes")) {
    const auto size = constants.integer("sizes", 0);
    constants.require(size > 0, "the size of a piece is " + std::to_string(size));
    instruction.op = Op::split_size;
    instruction.ints = {dim, size};
    return;
  }
  instruction.ints = {dim};
  for (const auto size : constants.list("sizes")) {
    constants.require(size > 0, "a piece of size " + std::to_string(size));
    instruction.ints.push_back(size);
  }
  const auto pieces = instruction.ints.size() - 1;
  constants.require(pieces == instruction.outputs.size(), std::to_string(pieces) + " sizes are given and " +
                                                              std::to_string(instruction.outputs.size()) +
                                                              " names are assigned");
}

void set_chunk(Constants& constants, Instruction& instruction) {
  const auto count = constants.integer("n", 0);
  instruction.ints = {constants.integer("dim", -1), count};
  constants.require(
      count == static_cast<std::int64_t>(instruction.outputs.size()),
      std::to_string(count) + " pieces and " + std::to_string(instruction.outputs.size()) + " names assigned");
}

void set_reshape(Constants& constants, Instruction& instruction) {
  instruction.ints = constants.list("extents");
  int inferred = 0;
  for (const auto extent : instruction.ints) {
    constants.require(extent >= -1, "extent " + std::to_string(extent));
    inferred += extent == -1 ? 1 : 0;
  }
  constants.require(inferred <= 1, "more than one extent is -1");
  constants.require(!instruction.ints.empty() && instruction.ints.size() <= Shape::kMaxRank,
                    "1 to " + std::to_string(Shape::kMaxRank) + " extents are needed");
}

void set_attention(Constants& constants, Instruction& instruction) {
  const auto width = constants.integer("cache_width", 0);
  const auto cache = constants.text("cache"), kind = constants.text("kind");
  constants.require(cache.empty() || cache == "latent" || cache == "state" || cache == "shared",
                    "cache is \"" + cache + "\"; known: \"latent\", \"state\", \"shared\"");
  constants.require((cache == "latent") == (width > 0), "cache=\"latent\" and cache_width go together");
  constants.require((cache == "state") <= (kind == "lightning"), "cache=\"state\" belongs to kind=\"lightning\"");
  constants.require(kind.empty() || kind == "lightning", "kind is \"" + kind + "\"; known: \"lightning\"");
  instruction.ints = {constants.integer("groups", 1), constants.integer("window", 0), width,
                      constants.integer("chunk", 0),  constants.flag("alibi"),        constants.integer("block", 0),
                      constants.integer("layer", 0),  constants.integer("layers", 0)};
  constants.require(instruction.ints[kGroups] >= 1, "groups is " + std::to_string(instruction.ints[kGroups]));
  for (const auto number : instruction.ints)
    constants.require(number >= 0, "a negative number: " + std::to_string(number));
  if (cache == "shared") instruction.ints[kLatentWidth] = kSharedCache;
  instruction.text = kind;
  instruction.number = constants.number("scale");
  instruction.softcap = constants.number("softcap");
}

void set_scan(Constants& constants, Instruction& instruction) {
  instruction.text = constants.text("kind");
  const ScanKind* kind = find_scan(instruction.text);
  std::string known;
  for (const ScanKind& k : scan_kinds()) known += (known.empty() ? "" : ", ") + std::string(k.name);
  constants.require(kind != nullptr, "no kind \"" + instruction.text + "\"; known: " + known);
  constants.require(kind == nullptr || kind->lanes.size() == instruction.inputs.size(),
                    "\"" + instruction.text + "\" has " + std::to_string(kind == nullptr ? 0 : kind->lanes.size()) +
                        " inputs, not " + std::to_string(instruction.inputs.size()));
}

void set_topk(Constants& constants, Instruction& instruction) {
  instruction.ints = {constants.integer("k", 0), constants.integer("groups", 0), constants.integer("keep_groups", 0),
                      constants.integer("group_best", 2)};
  for (const auto number : instruction.ints) constants.require(number >= 0, "a negative count");
  instruction.number = constants.number("jitter");
}

void set_act(Constants& constants, const OperationSpec& spec, Instruction& instruction) {
  instruction.text = spec.name == "act" ? constants.text("name") : std::string(spec.name);
  instruction.number = constants.number("limit");
  constants.require(!instruction.text.empty(), "no name of a function");
}

}  // namespace

std::span<const OperationSpec> operations() { return kOperations; }

const OperationSpec* find_operation(std::string_view name) {
  const auto found =
      std::find_if(kOperations.begin(), kOperations.end(), [&](const auto& o) { return o.name == name; });
  return found == kOperations.end() ? nullptr : &*found;
}

std::string set_constants(const OperationSpec& spec, OperationConstants values, Instruction& instruction) {
  Constants constants(spec, values);
  if (spec.op == Op::view_heads) {
    instruction.ints = {constants.integer("d", 0)};
    constants.require(instruction.ints[0] > 0, "d is " + std::to_string(instruction.ints[0]));
  } else if (spec.op == Op::angles) {
    const double theta = constants.number("theta");
    instruction.ints = {constants.integer("columns", 0), constants.integer("offset", 0)};
    instruction.number = theta > 0 ? theta : kPlainTheta;
    constants.require(instruction.ints[0] > 0, "columns is " + std::to_string(instruction.ints[0]));
  } else if (spec.op == Op::repeat_heads) {
    instruction.ints = {constants.integer("n", 0)};
    constants.require(instruction.ints[0] > 0, "n is " + std::to_string(instruction.ints[0]));
  } else if (spec.op == Op::norm_free) {
    const double eps = constants.number("eps");
    instruction.number = eps > 0 ? eps : kNormEpsilon;
  } else if (spec.op == Op::opaque) {
    instruction.text = constants.text("name");
    instruction.number = constants.number("number");
  } else if (spec.op == Op::transpose) {
    instruction.ints = {constants.integer("a", 0), constants.integer("b", 0)};
  } else if (spec.op == Op::reshape) {
    set_reshape(constants, instruction);
  } else if (spec.op == Op::unsqueeze || spec.op == Op::squeeze || spec.op == Op::per_slice) {
    instruction.ints = {constants.integer("dim", 0)};
  } else if (spec.op == Op::slice) {
    instruction.ints = {constants.integer("dim", 0), constants.integer("begin", 0), constants.integer("end", kOpenEnd)};
  } else if (spec.op == Op::split) {
    set_split(constants, instruction);
  } else if (spec.op == Op::chunk) {
    set_chunk(constants, instruction);
  } else if (spec.op == Op::concat) {
    instruction.ints = {constants.integer("dim", -1)};
  } else if (spec.op == Op::act) {
    set_act(constants, spec, instruction);
  } else if (spec.op == Op::rope || spec.op == Op::rope_one) {
    instruction.ints = {constants.flag("interleaved"), constants.flag("half")};
  } else if (spec.op == Op::attention) {
    set_attention(constants, instruction);
  } else if (spec.op == Op::sum) {
    instruction.ints = {constants.integer("dim", 0), constants.flag("keep")};
  } else if (spec.op == Op::scan) {
    set_scan(constants, instruction);
  } else if (spec.op == Op::topk_route) {
    set_topk(constants, instruction);
  } else if (spec.op == Op::experts) {
    instruction.ints = {constants.flag("transposed"), constants.flag("interleaved"), constants.flag("ungated")};
    instruction.text = constants.text("act");
    instruction.number = constants.number("limit");
  }
  return constants.message();
}

}  // namespace tpsim
