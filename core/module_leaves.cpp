#include "core/module_leaves.h"

#include <algorithm>
#include <array>

#include "core/architecture_data.h"
#include "core/expression_functions.h"

namespace tpsim {

namespace {

using P = CallParameter;

constexpr std::array kLinear{P{"in"}, P{"out"}, P{"bias", false}, P{"class", false}};
constexpr std::array kConv1d{P{"in"}, P{"out"}, P{"class", false}};
constexpr std::array kEmbedding{P{"n"}, P{"d"}, P{"scale", false}, P{"class", false}};
constexpr std::array kRmsNorm{P{"d"}, P{"eps", false}, P{"offset", false}, P{"weight", false}, P{"class", false}};
constexpr std::array kLayerNorm{P{"d"},          P{"weight", false}, P{"bias", false},
                                P{"eps", false}, P{"offset", false}, P{"class", false}};
constexpr std::array kActivation{P{"name"}, P{"class", false}};
constexpr std::array kPlain{P{"class", false}};
constexpr std::array kRotary{P{"dim"}, P{"theta", false}, P{"layer_type", false}, P{"half", false}, P{"class", false}};
constexpr std::array kDepthwiseConv{P{"channels"}, P{"kernel"}, P{"bias", false}, P{"class", false}};

constexpr std::array kLeaves{
    LeafSpec{"linear", ModuleKind::linear, kLinear},
    LeafSpec{"conv1d", ModuleKind::conv1d, kConv1d},
    LeafSpec{"embedding", ModuleKind::embedding, kEmbedding},
    LeafSpec{"rmsnorm", ModuleKind::rms_norm, kRmsNorm},
    LeafSpec{"layernorm", ModuleKind::layer_norm, kLayerNorm},
    LeafSpec{"activation", ModuleKind::activation, kActivation},
    LeafSpec{"dropout", ModuleKind::dropout, kPlain},
    LeafSpec{"identity", ModuleKind::identity, kPlain},
    LeafSpec{"rotary", ModuleKind::rotary, kRotary},
    LeafSpec{"depthwise_conv", ModuleKind::depthwise_conv, kDepthwiseConv},
};

// Builds one leaf; the first value that does not fit stops it.
class LeafMaker {
public:
  LeafMaker(const LeafSpec& spec, std::span<const Value* const> values, ModuleType& type, LeafFault& fault)
      : spec_(spec), values_(values), type_(type), fault_(fault) {}

  bool make(std::string_view prefix) {
    type_.kind = spec_.kind;
    switch (spec_.kind) {
      case ModuleKind::linear:
      case ModuleKind::conv1d: matrix(); break;
      case ModuleKind::embedding: embedding(); break;
      case ModuleKind::rms_norm:
      case ModuleKind::layer_norm: norm(prefix); break;
      case ModuleKind::activation: activation(); break;
      case ModuleKind::rotary:
        rotary();
        type_.class_name = std::string(prefix) + "RotaryEmbedding";
        break;
      case ModuleKind::depthwise_conv: depthwise_conv(); break;
      case ModuleKind::dropout: type_.class_name = "Dropout"; break;
      case ModuleKind::identity: type_.class_name = "Identity"; break;
      case ModuleKind::block: break;
    }
    if (const Value* name = value("class")) type_.class_name = text("class", *name);
    return fault_.message.empty();
  }

private:
  std::size_t index(std::string_view name) const {
    const auto found = std::find_if(spec_.parameters.begin(), spec_.parameters.end(),
                                    [&](const auto& parameter) { return parameter.name == name; });
    return static_cast<std::size_t>(found - spec_.parameters.begin());
  }
  const Value* value(std::string_view name) const {
    const auto i = index(name);
    return i < values_.size() ? values_[i] : nullptr;
  }

  void fail(std::string_view name, std::string message) {
    if (fault_.message.empty()) fault_ = {index(name), std::move(message)};
  }

  std::int64_t extent(std::string_view name) {
    const Value& given = *value(name);
    auto message = extent_fault(given);
    const auto* extent = std::get_if<std::int64_t>(&given.data);
    if (!message.empty()) fail(name, std::move(message));
    return extent == nullptr ? 0 : *extent;
  }

  bool flag(std::string_view name, bool absent) {
    const Value* given = value(name);
    if (given == nullptr) return absent;
    if (!std::holds_alternative<bool>(given->data)) {
      fail(name, "is " + to_json(*given).substr(0, 60) + "; true or false is needed");
    }
    return truthy(*given);
  }

  double number(std::string_view name, double absent) {
    const Value* given = value(name);
    if (given == nullptr) return absent;
    const auto x = as_real(*given);
    if (!x) fail(name, "is " + to_json(*given).substr(0, 60) + "; a number is needed");
    return x.value_or(absent);
  }

  std::string text(std::string_view name, const Value& given) {
    const auto* text = std::get_if<std::string>(&given.data);
    if (text != nullptr && !text->empty()) return *text;
    fail(name, "is " + to_json(given).substr(0, 60) + "; a name is needed");
    return {};
  }

  void matrix() {
    const auto in = extent("in"), out = extent("out");
    const bool transposed = spec_.kind == ModuleKind::conv1d;
    type_.class_name = transposed ? "Conv1D" : "Linear";
    type_.parameters.push_back({"weight", transposed ? Shape{in, out} : Shape{out, in}});
    if (transposed || flag("bias", true)) type_.parameters.push_back({"bias", Shape{out}});
    if (transposed) return;
    type_.in_features = in;
    type_.out_features = out;
  }

  void rotary() {
    Rotary one;
    const std::vector<Value> columns = elements("dim");
    one.half = flag("half", false);
    one.theta = 0;
    const std::vector<Value> layer_types = elements("layer_type"), bases = elements("theta");
    for (std::size_t i = 0; i < std::max<std::size_t>(1, layer_types.size()); ++i) {
      Rotary& rotary = type_.rotaries.emplace_back(one);
      const Value width = columns.empty() ? Value{} : columns[std::min(i, columns.size() - 1)];
      auto message = extent_fault(width);
      if (!message.empty()) return fail("dim", std::move(message));
      rotary.columns = std::get<std::int64_t>(width.data);
      rotary.odd = !rotary.half && rotary.columns % 2 != 0;
      if (rotary.odd) ++rotary.columns;
      if (i < layer_types.size()) rotary.layer_type = text("layer_type", layer_types[i]);
      if (i >= bases.size() || bases[i].is_null()) continue;
      const auto theta = as_real(bases[i]);
      if (!theta || *theta <= 0)
        fail("theta", "is " + to_json(bases[i]).substr(0, 60) + "; a positive number is needed");
      rotary.theta = theta.value_or(0);
    }
  }

  // One value, or those of a list.
  std::vector<Value> elements(std::string_view name) const {
    const Value* given = value(name);
    if (given == nullptr) return {};
    const auto* list = std::get_if<ValueList>(&given->data);
    return list == nullptr ? std::vector<Value>{*given} : *list;
  }

  void depthwise_conv() {
    type_.extent = extent("channels");
    type_.class_name = "Conv1d";
    type_.parameters.push_back({"weight", Shape{type_.extent, 1, extent("kernel")}});
    if (flag("bias", true)) type_.parameters.push_back({"bias", Shape{type_.extent}});
  }

  void embedding() {
    type_.class_name = "Embedding";
    type_.parameters.push_back({"weight", Shape{extent("n"), extent("d")}});
    type_.scale = number("scale", 1);
  }

  // `d` is an extent or a list of them.
  Shape norm_shape() {
    const auto* list = std::get_if<ValueList>(&value("d")->data);
    if (list == nullptr) return Shape{extent("d")};
    Shape shape;
    if (list->empty() || list->size() > Shape::kMaxRank)
      fail("d", "is a list of " + std::to_string(list->size()) + " extents");
    for (std::size_t i = 0; i < list->size() && i < Shape::kMaxRank; ++i) {
      auto message = extent_fault((*list)[i]);
      const auto* extent = std::get_if<std::int64_t>(&(*list)[i].data);
      if (!message.empty()) fail("d", std::move(message));
      shape.push_back(extent == nullptr ? 0 : *extent);
    }
    return shape;
  }

  void norm(std::string_view prefix) {
    const bool rms = spec_.kind == ModuleKind::rms_norm;
    type_.class_name = rms ? std::string(prefix) + "RMSNorm" : "LayerNorm";
    const Shape shape = norm_shape();
    if (flag("weight", true)) type_.parameters.push_back({"weight", shape});
    if (!rms && flag("bias", true)) type_.parameters.push_back({"bias", shape});
    type_.eps = number("eps", 0);
    type_.offset = number("offset", 0);
  }

  void activation() {
    type_.text = text("name", *value("name"));
    type_.class_name = "Activation";
  }

  const LeafSpec& spec_;
  std::span<const Value* const> values_;
  ModuleType& type_;
  LeafFault& fault_;
};

}  // namespace

std::span<const LeafSpec> leaf_specs() { return kLeaves; }

const LeafSpec* find_leaf(std::string_view name) {
  const auto found = std::find_if(kLeaves.begin(), kLeaves.end(), [&](const auto& leaf) { return leaf.name == name; });
  return found == kLeaves.end() ? nullptr : &*found;
}

const LeafSpec& leaf_spec(ModuleKind kind) {
  return *std::find_if(kLeaves.begin(), kLeaves.end(), [&](const auto& leaf) { return leaf.kind == kind; });
}

bool make_leaf(ModuleKind kind, std::span<const Value* const> values, std::string_view class_prefix, ModuleType& type,
               LeafFault& fault) {
  return LeafMaker(leaf_spec(kind), values, type, fault).make(class_prefix);
}

std::string extent_fault(const Value& value) {
  const auto* extent = std::get_if<std::int64_t>(&value.data);
  if (extent == nullptr) return "is " + to_json(value).substr(0, 60) + "; an integer is needed";
  if (*extent <= 0) return "is " + std::to_string(*extent) + "; an extent is at least 1";
  if (*extent > kMaxExtent) return "is " + std::to_string(*extent) + "; an extent is at most 2^40";
  return {};
}

}  // namespace tpsim
