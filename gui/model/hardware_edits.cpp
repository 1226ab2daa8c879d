#include "gui/model/hardware_edits.h"

#include <algorithm>
#include <charconv>

#include "cli/text.h"
#include "core/data.h"
#include "core/json.h"
#include "core/text_file.h"
#include "sim/hardware_fields.h"

namespace tpsim::gui {
namespace {

constexpr std::size_t kMaxProfile = 1u << 20;

struct Parsed {
  const ProfileField* field = nullptr;
  std::string value;
};

Result<Parsed> parse_edit(const std::string& edit) {
  const auto equals = edit.find('=');
  if (equals == std::string::npos) return input_error("\"" + edit + "\" is not of the form field=value");
  const FieldMatch match = match_field(edit.substr(0, equals));
  if (match.field == nullptr || match.factor > 0)
    return input_error("\"" + edit.substr(0, equals) + "\" is not a field of a hardware profile");
  return Parsed{match.field, edit.substr(equals + 1)};
}

std::optional<double> plain_number(const std::string& text) {
  double value = 0;
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> number_of(const ProfileField& field, const std::string& text) {
  if (field.kind == FieldKind::amount) return parse_quantity(text, field.quantity);
  if (field.kind == FieldKind::flag) return text == "true" ? 1.0 : text == "false" ? 0.0 : std::optional<double>();
  const auto value = plain_number(text);
  const bool whole = value && *value == static_cast<double>(static_cast<std::int64_t>(*value));
  return field.kind == FieldKind::count && !whole ? std::nullopt : value;
}

std::string expected(const ProfileField& field) {
  switch (field.kind) {
    case FieldKind::amount: return example_of(field.quantity);
    case FieldKind::count: return "a whole number";
    case FieldKind::fraction: return "a fraction from 0.001 to 1";
    case FieldKind::flag: return "true or false";
    case FieldKind::text:
    case FieldKind::number_source: break;
  }
  return "a text";
}

// As the profile's JSON holds it.
Value json_value(const Parsed& parsed) {
  if (parsed.field->kind == FieldKind::flag) return {parsed.value == "true"};
  const auto number = plain_number(parsed.value);
  if (parsed.field->kind == FieldKind::count && number) return {static_cast<std::int64_t>(*number)};
  if (parsed.field->kind == FieldKind::fraction && number) return {*number};
  return {parsed.value};
}

Value& member(ValueObject& object, const std::string& key) {
  for (auto& [name, value] : object)
    if (name == key) return value;
  return object.emplace_back(key, Value{}).second;
}

// A constant may be written with a unit in its key ("latency_us"): that one goes.
void set_in_profile(ValueObject& profile, const Parsed& parsed) {
  const auto dot = parsed.field->path.find('.');
  const std::string group = dot == std::string::npos ? "" : parsed.field->path.substr(0, dot);
  ValueObject* object = &profile;
  if (!group.empty()) {
    Value& inner = member(profile, group);
    if (!std::holds_alternative<ValueObject>(inner.data)) inner.data = ValueObject{};
    object = &std::get<ValueObject>(inner.data);
  }
  const std::string prefix = group.empty() ? "" : group + ".";
  std::erase_if(*object, [&](const auto& m) {
    const FieldMatch match = match_field(prefix + m.first);
    return match.field == parsed.field;
  });
  const bool is_text = parsed.field->kind == FieldKind::text || parsed.field->kind == FieldKind::number_source;
  Value value = json_value(parsed);
  if (!is_text) value = {ValueObject{{"value", std::move(value)}, {"source", Value{std::string("user")}}}};
  object->emplace_back(parsed.field->path.substr(dot == std::string::npos ? 0 : dot + 1), std::move(value));
}

Result<std::string> original_profile(const std::string& name) {
  if (const auto text = find_data("sim/hardware/" + name + ".json")) return std::string(*text);
  return read_text_file(name, kMaxProfile);
}

}  // namespace

Result<void> apply_hardware_edit(Hardware& hardware, const std::string& edit) {
  const auto parsed = parse_edit(edit);
  if (!parsed) return parsed.error();
  const ProfileField& field = *parsed->field;
  if (field.set == nullptr && field.set_text == nullptr) return input_error(field.path + " cannot be edited");
  if (field.set_text != nullptr) {
    if (parsed->value.empty()) return input_error(field.path + ": a text is expected");
    field.set_text(hardware, parsed->value);
  } else {
    const auto value = number_of(field, parsed->value);
    if (!value) return input_error(field.path + " is \"" + parsed->value + "\": expected " + expected(field));
    if (!(*value >= field.least && *value <= field.most))
      return input_error(field.path + " is " + parsed->value + ", which is impossible");
    field.set(hardware, *value);
  }
  hardware.sources[field.path] = "user";
  return {};
}

Result<void> apply_hardware_edits(Hardware& hardware, const std::vector<std::string>& edits) {
  for (const std::string& edit : edits)
    if (auto applied = apply_hardware_edit(hardware, edit); !applied) return applied;
  return {};
}

std::vector<std::string> with_hardware_edit(std::vector<std::string> edits, const std::string& field,
                                            const std::string& value) {
  std::erase_if(edits, [&](const std::string& e) { return e.starts_with(field + "="); });
  if (!value.empty()) edits.push_back(field + "=" + value);
  return edits;
}

std::vector<HardwareField> hardware_card(const Hardware& h, const std::vector<std::string>& edits) {
  std::vector<HardwareField> card;
  const auto add = [&](const std::string& path, std::string value) {
    const auto source = h.sources.find(path);
    const bool edited =
        std::any_of(edits.begin(), edits.end(), [&](const std::string& e) { return e.starts_with(path + "="); });
    card.push_back({path, std::move(value), source == h.sources.end() ? "" : source->second, edited});
  };
  const auto bytes = [](Bytes b) { return cli::bytes_text(b.value, cli::Units::iec); };
  const auto rate = [](double v, const char* unit) { return cli::rate_text(v, unit); };
  const auto time = [](Seconds t) { return cli::time_text(t.count()); };
  add("memory", bytes(h.memory));
  add("memory_bandwidth", rate(h.memory_bandwidth.value, "B/s"));
  for (const auto& [dtype, peak] : h.peak)
    add(std::string("peak.") + tpsim::to_string(dtype), rate(peak.value, "FLOP/s"));
  add("devices_per_node", std::to_string(h.devices_per_node));
  add("link.name", h.link.name);
  add("link.per_direction", rate(h.link.per_direction.value, "B/s"));
  add("link.latency", time(h.link.latency));
  add("link.start", time(h.link.start));
  add("link.shared", h.link.shared ? "true" : "false");
  add("network.name", h.network.name);
  add("network.per_direction", rate(h.network.per_direction.value, "B/s"));
  add("network.latency", time(h.network.latency));
  add("runtime_reserve", bytes(h.runtime_reserve));
  add("communicator_reserve", bytes(h.communicator_reserve));
  add("kernel_floor", time(h.kernel_floor));
  for (const auto& [path, value] : {std::pair<const char*, double>{"compute_efficiency", h.compute_efficiency},
                                    {"attention_efficiency", h.attention_efficiency},
                                    {"bandwidth_efficiency", h.bandwidth_efficiency},
                                    {"link_efficiency", h.link_efficiency},
                                    {"network_efficiency", h.network_efficiency}})
    add(path, cli::fixed(value, 3));
  return card;
}

Result<std::string> profile_text(const std::string& name, const std::vector<std::string>& edits) {
  const auto original = original_profile(name);
  if (!original) return original.error();
  auto value = parse_json(*original, name);
  if (!value) return value.error();
  auto* profile = std::get_if<ValueObject>(&value->data);
  if (profile == nullptr) return input_error("a hardware profile is a JSON object", name);
  for (const std::string& edit : edits) {
    const auto parsed = parse_edit(edit);
    if (!parsed) return parsed.error();
    set_in_profile(*profile, *parsed);
  }
  const std::string text = to_json(*value) + "\n";
  if (const auto read = read_hardware(text, name); !read) return read.error();
  return text;
}

}  // namespace tpsim::gui
