#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/json.h"
#include "core/suggest.h"
#include "sim/hardware_fields.h"

namespace tpsim {
namespace {

// One constant as written: "link.latency" with its text or number, and its source.
struct Entry {
  std::string path;
  const Value* value = nullptr;
  std::string source;
};

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string shown(const Value& value) {
  constexpr std::size_t kMost = 60;
  const std::string json = to_json(value);
  return json.size() <= kMost ? json : json.substr(0, kMost) + "...";
}

Error wrong_value(const std::string& path, const Value& value, const std::string& expected) {
  return input_error(quoted(path) + " is " + shown(value) + ": expected " + expected);
}

Error unknown_field(const std::string& path) {
  std::vector<std::string> known;
  for (const ProfileField& f : profile_fields()) known.push_back(f.path);
  const auto near = nearest(path, known, 1);
  return input_error(quoted(path) + " is not a field of a hardware profile" +
                     (near.empty() ? "" : "; did you mean " + quoted(near.front()) + "?"));
}

// Groups ("link": {...}) taken apart; an object with "value" is one constant.
Result<void> flatten(const ValueObject& object, const std::string& prefix, std::vector<Entry>& entries) {
  for (const auto& [key, value] : object) {
    const std::string path = prefix + key;
    const ValueObject* inner = std::get_if<ValueObject>(&value.data);
    if (inner == nullptr) {
      entries.push_back({path, &value, {}});
      continue;
    }
    const Value* constant = find(*inner, "value");
    if (constant == nullptr) {
      const bool group = prefix.empty() && (key == "peak" || key == "link" || key == "network");
      if (!group)
        return match_field(path).field == nullptr
                   ? unknown_field(path)
                   : wrong_value(path, value, "a value, or {\"value\": ..., \"source\": \"...\"}");
      if (auto done = flatten(*inner, path + ".", entries); !done) return done;
      continue;
    }
    const Value* source = find(*inner, "source");
    const std::string* source_text = source == nullptr ? nullptr : std::get_if<std::string>(&source->data);
    if (inner->size() != 2 || source_text == nullptr || source_text->empty())
      return wrong_value(path, value, "{\"value\": ..., \"source\": \"where the figure was read\"}");
    entries.push_back({path, constant, *source_text});
  }
  return {};
}

std::optional<double> number_in(const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value.data)) return *d;
  return std::nullopt;
}

Result<double> amount_in(const Entry& entry, const FieldMatch& m) {
  const std::string* text_value = std::get_if<std::string>(&entry.value->data);
  const auto number = number_in(*entry.value);
  if (m.factor > 0 && number && std::isfinite(*number)) return *number * m.factor;
  if (m.factor > 0) return wrong_value(entry.path, *entry.value, "a number, as its name holds the unit");
  if (number)
    return wrong_value(entry.path, *entry.value, std::string(example_of(m.field->quantity)) + ", with its unit");
  const auto parsed = text_value == nullptr ? std::nullopt : parse_quantity(*text_value, m.field->quantity);
  if (!parsed) return wrong_value(entry.path, *entry.value, example_of(m.field->quantity));
  return *parsed;
}

Result<double> plain_number_in(const Entry& entry, const ProfileField& field) {
  if (field.kind == FieldKind::flag) {
    const bool* flag = std::get_if<bool>(&entry.value->data);
    if (flag == nullptr) return wrong_value(entry.path, *entry.value, "true or false");
    return *flag ? 1.0 : 0.0;
  }
  const auto number = number_in(*entry.value);
  const bool whole = number && std::holds_alternative<std::int64_t>(entry.value->data);
  if (field.kind == FieldKind::count && !whole) return wrong_value(entry.path, *entry.value, "a whole number");
  if (!number || !std::isfinite(*number)) return wrong_value(entry.path, *entry.value, "a fraction such as 0.8");
  return *number;
}

std::string range_text(const ProfileField& field) {
  switch (field.kind) {
    case FieldKind::count: return "a whole number from 1 to " + std::to_string(static_cast<std::int64_t>(field.most));
    case FieldKind::fraction: return "a fraction from 0.001 to 1 of what the device could do";
    case FieldKind::amount: break;
    case FieldKind::text:
    case FieldKind::flag:
    case FieldKind::number_source: return {};
  }
  switch (field.quantity) {
    case Quantity::bytes: return field.least > 0 ? "more than nothing and at most 1 EB" : "0 to 1 EB";
    case Quantity::bytes_per_second: return "at least 1 B/s and at most 1e18 B/s";
    case Quantity::flops_per_second: return "at least 1 FLOP/s and at most 1e18 FLOP/s";
    case Quantity::seconds: return "0 to 1 s";
  }
  return {};
}

Result<void> set_number(const Entry& entry, const FieldMatch& m, Hardware& hardware) {
  const ProfileField& field = *m.field;
  const auto value = field.kind == FieldKind::amount ? amount_in(entry, m) : plain_number_in(entry, field);
  if (!value) return value.error();
  if (!(*value >= field.least && *value <= field.most))
    return input_error(quoted(entry.path) + " is " + shown(*entry.value) +
                       ", which is impossible: " + range_text(field));
  field.set(hardware, *value);
  return {};
}

Result<void> set_text_field(const Entry& entry, const ProfileField& field, Hardware& hardware) {
  const std::string* value = std::get_if<std::string>(&entry.value->data);
  if (value == nullptr || value->empty()) return wrong_value(entry.path, *entry.value, "a text");
  field.set_text(hardware, *value);
  return {};
}

Result<void> set_number_source(const Entry& entry, Hardware& hardware) {
  const std::string* value = std::get_if<std::string>(&entry.value->data);
  for (const auto source :
       {NumberSource::measured, NumberSource::calibrated, NumberSource::transferred, NumberSource::spec}) {
    if (value == nullptr || *value != to_string(source)) continue;
    hardware.source = source;
    return {};
  }
  return wrong_value(entry.path, *entry.value, "\"measured\", \"calibrated\", \"transferred\" or \"spec\"");
}

Result<void> set_field(const Entry& entry, const FieldMatch& m, Hardware& hardware) {
  switch (m.field->kind) {
    case FieldKind::text: return set_text_field(entry, *m.field, hardware);
    case FieldKind::number_source: return set_number_source(entry, hardware);
    case FieldKind::amount:
    case FieldKind::count:
    case FieldKind::fraction:
    case FieldKind::flag: return set_number(entry, m, hardware);
  }
  return {};
}

Result<void> fill(const std::vector<Entry>& entries, const std::string& file, Hardware& hardware) {
  std::vector<const ProfileField*> seen;
  for (const Entry& entry : entries) {
    const FieldMatch m = match_field(entry.path);
    if (m.field == nullptr) return unknown_field(entry.path);
    if (std::find(seen.begin(), seen.end(), m.field) != seen.end())
      return input_error(quoted(m.field->path) + " is given twice, the second time as " + quoted(entry.path));
    seen.push_back(m.field);
    if (auto done = set_field(entry, m, hardware); !done) return done;
    const bool named = m.field->kind == FieldKind::text || m.field->kind == FieldKind::number_source;
    if (!named) hardware.sources[m.field->path] = entry.source.empty() ? "as given in " + file : entry.source;
  }
  for (const ProfileField& field : profile_fields())
    if (field.required && std::find(seen.begin(), seen.end(), &field) == seen.end()) {
      Error error = input_error("the hardware profile has no " + quoted(field.path));
      if (field.kind == FieldKind::amount)
        error.fixes = {"add " + quoted(field.path) + ": " + example_of(field.quantity)};
      return error;
    }
  return {};
}

Result<void> check_peaks(const Hardware& hardware) {
  if (hardware.peak.contains(DType::bf16) || hardware.peak.contains(DType::fp16)) return {};
  return input_error("the hardware profile has neither \"peak.bf16\" nor \"peak.fp16\"");
}

Error in_file(Error error, const std::string& file) {
  if (error.where.empty()) error.where = file;
  return error;
}

}  // namespace

Result<Hardware> read_hardware(std::string_view text, const std::string& file) {
  const auto root = parse_json(text, file, JsonLimits{8, 1u << 20, 2000});
  if (!root) return root.error();
  const ValueObject* object = std::get_if<ValueObject>(&root->data);
  if (object == nullptr)
    return input_error(std::string("a hardware profile is a JSON object, this is ") + type_name(*root), file);
  Hardware hardware;
  hardware.origin = file;
  std::vector<Entry> entries;
  if (auto done = flatten(*object, "", entries); !done) return in_file(done.error(), file);
  if (auto done = fill(entries, file, hardware); !done) return in_file(done.error(), file);
  if (auto done = check_peaks(hardware); !done) return in_file(done.error(), file);
  return hardware;
}

}  // namespace tpsim
