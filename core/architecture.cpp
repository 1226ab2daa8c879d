#include "core/architecture.h"

#include <algorithm>

#include "core/architecture_data.h"
#include "core/architecture_merge.h"
#include "core/architecture_parser.h"
#include "core/data.h"
#include "core/suggest.h"

namespace tpsim {

std::string operator/(const std::string& pointer, std::string_view key) {
  std::string path = pointer + "/";
  for (const char c : key) {
    if (c == '~')
      path += "~0";
    else if (c == '/')
      path += "~1";
    else
      path += c;
  }
  return path;
}

Error DescriptionFaults::at(const std::string& pointer, std::string message) const {
  return at(pointer, input_error(std::move(message)));
}

Error DescriptionFaults::at(const std::string& pointer, Error error) const {
  error.where = place(layers_, pointer);
  return error;
}

Result<const ValueObject*> DescriptionFaults::object(const Value& value, const std::string& pointer) const {
  const auto* object = std::get_if<ValueObject>(&value.data);
  if (object == nullptr) return at(pointer, "an object is needed here, not " + std::string(type_name(value)));
  if (object->size() > kMaxEntries) return at(pointer, "more than " + std::to_string(kMaxEntries) + " entries");
  return object;
}

Result<const ValueList*> DescriptionFaults::list(const Value& value, const std::string& pointer) const {
  const auto* list = std::get_if<ValueList>(&value.data);
  if (list == nullptr) return at(pointer, "a list is needed here, not " + std::string(type_name(value)));
  if (list->size() > kMaxEntries) return at(pointer, "more than " + std::to_string(kMaxEntries) + " entries");
  return list;
}

Result<std::string> DescriptionFaults::text(const Value& value, const std::string& pointer) const {
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  return at(pointer, "a string is needed here, not " + std::string(type_name(value)));
}

Result<std::vector<std::string>> DescriptionFaults::texts(const Value& value, const std::string& pointer) const {
  auto elements = list(value, pointer);
  if (!elements) return elements.error();
  std::vector<std::string> texts;
  for (const auto& element : **elements) {
    auto one = text(element, pointer / std::to_string(texts.size()));
    if (!one) return one.error();
    texts.push_back(*std::move(one));
  }
  return texts;
}

Result<void> DescriptionFaults::keys(const ValueObject& object, const std::string& pointer,
                                     const std::vector<std::string>& known) const {
  for (const auto& member : object) {
    if (std::find(known.begin(), known.end(), member.first) != known.end()) continue;
    Error error = input_error("unknown key \"" + member.first + "\"");
    const auto near = nearest(member.first, known, 1);
    if (!near.empty()) error.details.push_back("did you mean \"" + near.front() + "\"?");
    return at(pointer / member.first, std::move(error));
  }
  return {};
}

namespace {

constexpr std::int64_t kMaxParts = 64;

class DescriptionParser {
public:
  DescriptionParser(MergedDescription merged, const Dialect& dialect)
      : object_(std::move(merged.object)), data_(std::make_shared<Architecture::Data>()), faults_(data_->layers) {
    data_->dialect = dialect;
    data_->layers = std::move(merged.layers);
  }

  Result<Architecture> parse() {
    for (const auto step : {&DescriptionParser::top_level, &DescriptionParser::fields, &DescriptionParser::aliases,
                            &DescriptionParser::blocks, &DescriptionParser::ties, &DescriptionParser::checkpoint}) {
      if (auto parsed = (this->*step)(); !parsed) return parsed.error();
    }
    return Architecture(std::move(data_));
  }

private:
  const Value& member(std::string_view key) const {
    static const Value kEmpty{ValueObject{}};
    const Value* value = find(object_, key);
    return value == nullptr ? kEmpty : *value;
  }

  Result<void> top_level() {
    static const std::vector<std::string> kKeys{"model_type", "source", "class", "base",       "config",
                                                "aliases",    "blocks", "tie",   "checkpoint", "unknown_parts"};
    if (auto known = faults_.keys(object_, "", kKeys); !known) return known;
    const std::pair<const char*, std::string*> texts[] = {{"model_type", &data_->model_type},
                                                          {"source", &data_->source},
                                                          {"class", &data_->class_name},
                                                          {"base", &data_->base}};
    for (const auto& [key, target] : texts) {
      const Value* value = find(object_, key);
      if (value == nullptr) return faults_.at("", "\"" + std::string(key) + "\" is missing");
      auto text = faults_.text(*value, "/" + std::string(key));
      if (!text) return text.error();
      *target = *std::move(text);
    }
    data_->class_prefix = data_->class_name.substr(0, data_->class_name.rfind("ForCausalLM"));
    const Value* unknown = find(object_, "unknown_parts");
    if (unknown == nullptr) return {};
    auto parts = faults_.texts(*unknown, "/unknown_parts");
    if (!parts) return parts.error();
    data_->unknown_parts = *std::move(parts);
    return {};
  }

  Result<void> fields() {
    auto config = faults_.object(member("config"), "/config");
    if (!config) return config.error();
    for (const auto& [name, value] : **config) {
      if (!is_identifier(name)) return faults_.at("/config" / name, "\"" + name + "\" is not a name");
      data_->field_index.emplace(name, static_cast<int>(data_->fields.size()));
      data_->fields.emplace_back().name = name;
    }
    for (auto& field : data_->fields) {
      if (auto parsed = set_defaults(field, *find(**config, field.name)); !parsed) return parsed;
    }
    return {};
  }

  Result<void> set_defaults(Field& field, const Value& value) {
    const std::string pointer = "/config" / field.name;
    const auto* object = std::get_if<ValueObject>(&value.data);
    const Value* absent = object == nullptr ? nullptr : find(*object, "absent");
    const Value* null = object == nullptr ? nullptr : find(*object, "null");
    const bool both = absent != nullptr && null != nullptr && object->size() == 2;
    auto first = field_default(both ? *absent : value, both ? pointer / "absent" : pointer);
    if (!first) return first.error();
    field.absent = *std::move(first);
    if (!both) {
      if (field.absent.expression) field.null = field.absent;
      return {};
    }
    auto second = field_default(*null, pointer / "null");
    if (!second) return second.error();
    field.null = *std::move(second);
    return {};
  }

  Result<FieldDefault> field_default(const Value& value, const std::string& pointer) {
    FieldDefault preset{value, std::nullopt, pointer};
    const auto* text = std::get_if<std::string>(&value.data);
    if (text == nullptr || !text->starts_with('=')) return preset;
    auto expression = parse_expression(std::string_view(*text).substr(1));
    if (!expression) return faults_.at(pointer, expression.error());
    Scope scope = field_scope();
    if (auto bound = bind_names(*expression, scope); !bound) return faults_.at(pointer, bound.error());
    preset.expression = *std::move(expression);
    return preset;
  }

  Scope field_scope() const {
    return {&data_->field_index, {}, {{"transformers", Value{std::int64_t{data_->dialect.number()}}}}};
  }

  Result<void> aliases() {
    auto aliases = faults_.object(member("aliases"), "/aliases");
    if (!aliases) return aliases.error();
    for (const auto& [alias, value] : **aliases) {
      const std::string pointer = "/aliases" / alias;
      auto name = faults_.text(value, pointer);
      if (!name) return name.error();
      const auto field = data_->field_index.find(*name);
      if (field == data_->field_index.end()) return faults_.at(pointer, "\"config\" has no field \"" + *name + "\"");
      if (data_->field_index.contains(alias)) return faults_.at(pointer, "\"" + alias + "\" is a field itself");
      data_->aliases.emplace(alias, field->second);
    }
    return {};
  }

  Result<void> blocks() {
    auto blocks = faults_.object(member("blocks"), "/blocks");
    if (!blocks) return blocks.error();
    return parse_blocks(**blocks, faults_, *data_);
  }

  Result<void> ties() {
    auto ties = faults_.object(member("tie"), "/tie");
    if (!ties) return ties.error();
    for (const auto& [name, value] : **ties) {
      auto shared = faults_.text(value, "/tie" / name);
      if (!shared) return shared.error();
      data_->ties.emplace_back(name, *std::move(shared));
    }
    return {};
  }

  Result<void> checkpoint() {
    const Value* rules = find(object_, "checkpoint");
    if (rules == nullptr) return {};
    auto list = faults_.list(*rules, "/checkpoint");
    if (!list) return list.error();
    for (std::size_t i = 0; i < (*list)->size(); ++i) {
      if (auto parsed = checkpoint_rule((**list)[i], "/checkpoint" / std::to_string(i)); !parsed) return parsed;
    }
    return {};
  }

  Result<void> checkpoint_rule(const Value& value, const std::string& pointer) {
    auto object = faults_.object(value, pointer);
    if (!object) return object.error();
    if (auto known = faults_.keys(**object, pointer, {"module", "disk", "how", "offset", "part", "parts", "dim"});
        !known)
      return known;
    const Value* module = find(**object, "module");
    const Value* disk = find(**object, "disk");
    if (module == nullptr || disk == nullptr) return faults_.at(pointer, "a rule has \"module\" and \"disk\"");
    CheckpointRule rule;
    auto pattern = faults_.text(*module, pointer / "module");
    if (!pattern) return pattern.error();
    rule.module = *std::move(pattern);
    const Value one{ValueList{*disk}};
    auto names = faults_.texts(std::holds_alternative<ValueList>(disk->data) ? *disk : one, pointer / "disk");
    if (!names) return names.error();
    rule.disk = *std::move(names);
    if (rule.disk.empty()) return faults_.at(pointer / "disk", "at least one name on disk is needed");
    if (const Value* how = find(**object, "how")) {
      if (auto set = conversion(*how, pointer / "how", rule.how); !set) return set;
    }
    if (auto set = parts(**object, pointer, rule); !set) return set;
    if (const Value* dim = find(**object, "dim")) {
      const auto* i = std::get_if<std::int64_t>(&dim->data);
      if (i == nullptr || *i < 0 || *i > 1 || rule.how != CheckpointConversion::concat)
        return faults_.at(pointer / "dim", "0 or 1, and only of \"concat\"");
      rule.dim = static_cast<int>(*i);
    }
    if (const Value* offset = find(**object, "offset")) {
      const auto* i = std::get_if<std::int64_t>(&offset->data);
      if (i == nullptr || *i < -kMaxParts || *i > kMaxParts) {
        return faults_.at(pointer / "offset",
                          "an integer from -64 to 64 is needed, not " + to_json(*offset).substr(0, 60));
      }
      rule.offset = static_cast<int>(*i);
    }
    data_->checkpoint.push_back(std::move(rule));
    return {};
  }

  Result<void> parts(const ValueObject& object, const std::string& pointer, CheckpointRule& rule) const {
    const auto number = [&](const char* key) {
      const Value* value = find(object, key);
      const auto* i = value == nullptr ? nullptr : std::get_if<std::int64_t>(&value->data);
      return i == nullptr || *i < 0 || *i > kMaxParts ? -1 : static_cast<int>(*i);
    };
    const int part = number("part"), count = number("parts");
    const bool given = find(object, "part") != nullptr || find(object, "parts") != nullptr;
    const bool chunk = rule.how == CheckpointConversion::chunk;
    if (chunk != given || (chunk && (part < 0 || count < 1 || part >= count || rule.disk.size() != 1))) {
      return faults_.at(pointer, "\"chunk\", and nothing else, has one \"disk\" name and \"part\" below \"parts\"");
    }
    if (chunk) rule.part = part, rule.parts = count;
    return {};
  }

  Result<void> conversion(const Value& value, const std::string& pointer, CheckpointConversion& how) const {
    static const std::vector<std::string> kNames{"rename", "stack",  "stack_concat", "transpose",
                                                 "chunk",  "prefix", "concat",       "interleave"};
    auto text = faults_.text(value, pointer);
    if (!text) return text.error();
    const auto found = std::find(kNames.begin(), kNames.end(), *text);
    if (found == kNames.end()) {
      return faults_.at(pointer, "\"" + *text + "\" is none of rename, stack, stack_concat, transpose, chunk, " +
                                     "prefix, concat, interleave");
    }
    how = static_cast<CheckpointConversion>(found - kNames.begin());
    return {};
  }

  const ValueObject object_;
  std::shared_ptr<Architecture::Data> data_;
  const DescriptionFaults faults_;
};

}  // namespace

Result<Architecture> load_architecture(std::string_view model_type, const Dialect& dialect) {
  return load_architecture(model_type, dialect, [](std::string_view type) -> std::optional<DescriptionText> {
    const std::string path = "plans/" + std::string(type) + "/architecture.json";
    const auto text = find_data(path);
    if (!text) return std::nullopt;
    return DescriptionText{data_origin(path), std::string(*text)};
  });
}

Result<Architecture> load_architecture(std::string_view model_type, const Dialect& dialect,
                                       const FindDescription& find) {
  auto merged = merged_description(model_type, dialect, find);
  if (!merged) return merged.error();
  return DescriptionParser(*std::move(merged), dialect).parse();
}

}  // namespace tpsim
