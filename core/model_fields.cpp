#include "core/model_fields.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/expression_functions.h"
#include "core/suggest.h"

namespace tpsim {

namespace {

// Spellings under which public configs carry the same figure.
constexpr std::array<std::array<std::string_view, 6>, 8> kSpellings{{
    {"num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads", "encoder_attention_heads"},
    {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "layers"},
    {"hidden_size", "n_embd", "d_model", "dim", "hidden_dim", "embed_dim"},
    {"intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size", "mlp_hidden_size"},
    {"num_key_value_heads", "n_kv_heads", "num_kv_heads", "multi_query_group_num", "n_head_kv", "kv_heads"},
    {"vocab_size", "n_vocab", "padded_vocab_size", "embedding_size", "vocabulary_size", "n_words"},
    {"max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len", "max_sequence_length"},
    {"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_routed_experts", "n_experts"},
}};

bool same_figure(std::string_view a, std::string_view b) {
  return std::any_of(kSpellings.begin(), kSpellings.end(), [&](const auto& spellings) {
    return std::find(spellings.begin(), spellings.end(), a) != spellings.end() &&
           std::find(spellings.begin(), spellings.end(), b) != spellings.end();
  });
}

// Fields of the config that may be what `name` means.
std::vector<const ValueObject::value_type*> similar(const ValueObject& fields, const std::string& name) {
  std::vector<const ValueObject::value_type*> found;
  std::vector<std::string> names;
  for (const auto& member : fields) {
    if (member.second.is_null() || member.first == name) continue;
    if (same_figure(member.first, name)) found.push_back(&member);
    names.push_back(member.first);
  }
  if (!found.empty()) return found;
  for (const auto& near : nearest(name, names, 2)) {
    for (const auto& member : fields) {
      if (member.first == near) found.push_back(&member);
    }
  }
  return found;
}

std::string shortened(const Value& value) {
  std::string text = to_json(value);
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

void collect_fields(const Node& node, std::set<int>& fields) {
  if (node.kind == NodeKind::name && node.slot < kFirstLocal) fields.insert(node.slot);
  for (const auto& child : node.children) collect_fields(child, fields);
}

// A number that the text of a string holds: "80".
std::string number_inside(const Value& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  const bool digits = text != nullptr && !text->empty() && text->size() < 15 &&
                      std::all_of(text->begin(), text->end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? *text : "";
}

}  // namespace

std::size_t frame_size(const Node& node) {
  std::size_t size = node.kind == NodeKind::comprehension ? static_cast<std::size_t>(node.slot - kFirstLocal) + 1 : 0;
  for (const auto& child : node.children) size = std::max(size, frame_size(child));
  return size;
}

FieldValues::FieldValues(const Architecture::Data& data, const Config& config)
    : data_(data),
      config_(config),
      given_(data.fields.size(), nullptr),
      values_(data.fields.size(), nullptr),
      computed_(data.fields.size()),
      states_(data.fields.size(), State::fresh) {
  for (const auto& [name, value] : config.fields) {
    const auto alias = data.aliases.find(name);
    if (alias != data.aliases.end()) {
      const Value*& slot = given_[static_cast<std::size_t>(alias->second)];
      if (slot == nullptr || slot->is_null()) slot = &value;
      continue;
    }
    const auto field = data.field_index.find(name);
    if (field == data.field_index.end()) continue;
    const Value*& slot = given_[static_cast<std::size_t>(field->second)];
    if (slot == nullptr || !value.is_null()) slot = &value;
  }
}

const Value* FieldValues::field(int index, EvaluationFault& fault) {
  const auto i = static_cast<std::size_t>(index);
  if (states_[i] == State::done) return values_[i];
  const Field& field = data_.fields[i];
  const Value* value = given_[i];
  if (value != nullptr && (!value->is_null() || !field.null)) {
    values_[i] = value;
  } else {
    values_[i] = evaluate_default(index, value == nullptr ? field.absent : *field.null, fault);
  }
  states_[i] = values_[i] == nullptr ? State::fresh : State::done;
  return values_[i];
}

const Value* FieldValues::evaluate_default(int index, const FieldDefault& preset, EvaluationFault& fault) {
  if (!preset.expression) return &preset.value;
  const auto i = static_cast<std::size_t>(index);
  const std::string& name = data_.fields[i].name;
  if (states_[i] == State::running || chain_ >= kMaxFieldChain) {
    fault.message = states_[i] == State::running ? "the default of \"" + name + "\" needs itself"
                                                 : "defaults need each other more than " +
                                                       std::to_string(kMaxFieldChain) + " deep, at \"" + name + "\"";
    Error nested = error(fault, preset.expression->text, preset.pointer);
    nested.fixes.push_back("--set " + name + "=VALUE");
    fault.nested = std::move(nested);
    return nullptr;
  }
  states_[i] = State::running;
  ++chain_;
  std::vector<Value> frame(frame_size(preset.expression->root));
  Evaluator evaluator(*this, frame);
  Value scratch;
  const Value* value = evaluator.evaluate(preset.expression->root, scratch);
  --chain_;
  states_[i] = State::fresh;
  if (value == nullptr) {
    fault.message = evaluator.fault().message;
    fault.nested = error(evaluator.fault(), preset.expression->text, preset.pointer);
    return nullptr;
  }
  if (value != &scratch) return value;
  computed_[i] = std::move(scratch);
  return &computed_[i];
}

const Value* FieldValues::find(std::string_view name) {
  const std::string key(name);
  const auto field_at = data_.field_index.find(key);
  const auto alias = data_.aliases.find(key);
  EvaluationFault ignored;
  if (field_at != data_.field_index.end()) return field(field_at->second, ignored);
  if (alias != data_.aliases.end()) return field(alias->second, ignored);
  return config_.find(name);
}

std::string FieldValues::where() const {
  std::string text = config_.file + " (" + std::to_string(config_.fields.size()) + " fields read";
  if (!config_.nested_in.empty()) text += " from \"" + config_.nested_in + "\"";
  return text + ")";
}

Error FieldValues::error(const EvaluationFault& fault, std::string_view text, const std::string& pointer) const {
  if (fault.nested) return *fault.nested;
  Error error = fault.field >= 0 ? field_error(fault, fault.field) : input_error(fault.message, where());
  error.details.push_back("needed by " + place(data_.layers, pointer));
  for (auto& line : excerpt(text, fault.begin, fault.end)) error.details.push_back("  " + std::move(line));
  return error;
}

// A field without the value that an expression needs.
Error FieldValues::field_error(const EvaluationFault& fault, int index) const {
  const std::string& name = data_.fields[static_cast<std::size_t>(index)].name;
  const std::string needed = "model_type \"" + data_.model_type + "\" needs ";
  const Value* value = given(index);
  Error error = input_error(fault.message, where());
  if (value == nullptr && values_[static_cast<std::size_t>(index)]->is_null()) {
    error.message = "config.json has no \"" + name + "\" and " + needed + "it";
    if (!data_.source.empty()) error.details.push_back("described: " + data_.source);
  } else if (value != nullptr && value->is_null()) {
    error.message = "\"" + name + "\" is null and " + needed + fault.need;
  } else if (value != nullptr && !fault.need.empty()) {
    error.message =
        "\"" + name + "\" is " + type_name(*value) + " " + shortened(*value) + " and " + needed + fault.need;
  }
  std::string fix = "--set " + name + "=" + (value == nullptr ? "N" : number_inside(*value));
  for (const auto* member : similar(config_.fields, name)) {
    error.details.push_back("present and similar: \"" + member->first + "\" = " + shortened(member->second));
    if (std::holds_alternative<std::int64_t>(member->second.data) && fix.ends_with("=N")) {
      fix = "--set " + name + "=" + to_json(member->second);
    }
  }
  if (fix.ends_with('=')) fix += "N";
  error.fixes.push_back(fix);
  return error;
}

Error FieldValues::misfit(const std::string& what, const Node& expression, std::string_view text,
                          const std::string& pointer) {
  Error error = input_error(what, where());
  std::set<int> fields;
  collect_fields(expression, fields);
  std::string values;
  for (const int index : fields) {
    EvaluationFault ignored;
    const Value* value = field(index, ignored);
    const std::string& name = data_.fields[static_cast<std::size_t>(index)].name;
    if (value != nullptr) values += (values.empty() ? "" : ", ") + name + " = " + shortened(*value);
    if (fields.size() == 1 && value != nullptr) {
      const auto number = number_inside(*value);
      error.fixes.push_back("--set " + name + "=" + (number.empty() ? "N" : number));
    }
  }
  if (!values.empty()) error.details.push_back(values);
  error.details.push_back("needed by " + place(data_.layers, pointer));
  for (auto& line : excerpt(text, expression.begin, expression.end)) error.details.push_back("  " + std::move(line));
  return error;
}

}  // namespace tpsim
