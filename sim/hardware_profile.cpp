#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/json.h"
#include "core/suggest.h"
#include "sim/hardware.h"
#include "sim/quantity.h"

namespace tpsim {
namespace {

// One constant as written: "link.latency" with its text or number, and its source.
struct Entry {
  std::string path;
  const Value* value = nullptr;
  std::string source;
};

enum class Kind { text, amount, count, fraction, flag, number_source };

struct Field {
  std::string path;
  Kind kind = Kind::text;
  Quantity quantity = Quantity::bytes;  // amount
  double least = 0, most = 0;           // amount, count, fraction
  bool required = true;
  void (*set)(Hardware&, double) = nullptr;
  void (*set_text)(Hardware&, const std::string&) = nullptr;
};

constexpr double kMostRate = 1e18, kMostBytes = 1e18, kMostSeconds = 1;

Field text(const char* path, bool required, void (*set)(Hardware&, const std::string&)) {
  Field f;
  f.path = path;
  f.required = required;
  f.set_text = set;
  return f;
}

Field amount(std::string path, Quantity quantity, double least, double most, void (*set)(Hardware&, double)) {
  return Field{std::move(path), Kind::amount, quantity, least, most, true, set, nullptr};
}
Field memory_field(const char* path, double least, void (*set)(Hardware&, double)) {
  return amount(path, Quantity::bytes, least, kMostBytes, set);
}
Field rate(const char* path, void (*set)(Hardware&, double)) {
  return amount(path, Quantity::bytes_per_second, 1, kMostRate, set);
}
Field time(const char* path, void (*set)(Hardware&, double)) {
  return amount(path, Quantity::seconds, 0, kMostSeconds, set);
}
Field count(const char* path, double most, void (*set)(Hardware&, double)) {
  return Field{path, Kind::count, Quantity::bytes, 1, most, true, set, nullptr};
}
Field fraction(const char* path, void (*set)(Hardware&, double)) {
  return Field{path, Kind::fraction, Quantity::bytes, 0.001, 1, true, set, nullptr};
}
Field optional(Field field) {
  field.required = false;
  return field;
}

Bytes whole_bytes(double v) { return Bytes{static_cast<std::int64_t>(v)}; }

template <DType dtype>
Field peak(bool required = false) {
  Field f = amount("peak." + std::string(to_string(dtype)), Quantity::flops_per_second, 1, kMostRate,
                   [](Hardware& h, double v) { h.peak[dtype] = FlopsPerSecond{v}; });
  f.required = required;
  return f;
}

std::vector<Field> make_fields() {
  return {
      text("name", true, [](Hardware& h, const std::string& v) { h.name = v; }),
      text("title", true, [](Hardware& h, const std::string& v) { h.title = v; }),
      text("vendor", false, [](Hardware& h, const std::string& v) { h.vendor = v; }),
      text("architecture", false, [](Hardware& h, const std::string& v) { h.architecture = v; }),
      memory_field("memory", 1, [](Hardware& h, double v) { h.memory = whole_bytes(v); }),
      rate("memory_bandwidth", [](Hardware& h, double v) { h.memory_bandwidth = {v}; }),
      peak<DType::fp32>(true),
      peak<DType::fp16>(),
      peak<DType::bf16>(),
      peak<DType::fp8>(),
      peak<DType::int8>(),
      peak<DType::int4>(),
      peak<DType::mxfp4>(),
      count("multiprocessors", 1e6, [](Hardware& h, double v) { h.multiprocessors = static_cast<int>(v); }),
      count("devices_per_node", 1024, [](Hardware& h, double v) { h.devices_per_node = static_cast<int>(v); }),
      text("link.name", true, [](Hardware& h, const std::string& v) { h.link.name = v; }),
      rate("link.per_direction", [](Hardware& h, double v) { h.link.per_direction = {v}; }),
      time("link.latency", [](Hardware& h, double v) { h.link.latency = Seconds(v); }),
      time("link.start", [](Hardware& h, double v) { h.link.start = Seconds(v); }),
      optional(time("link.one_shot", [](Hardware& h, double v) { h.link.one_shot = Seconds(v); })),
      Field{"link.shared", Kind::flag, Quantity::bytes, 0, 1, false,
            [](Hardware& h, double v) { h.link.shared = v > 0; }, nullptr},
      text("network.name", true, [](Hardware& h, const std::string& v) { h.network.name = v; }),
      rate("network.per_direction", [](Hardware& h, double v) { h.network.per_direction = {v}; }),
      time("network.latency", [](Hardware& h, double v) { h.network.latency = Seconds(v); }),
      time("network.start", [](Hardware& h, double v) { h.network.start = Seconds(v); }),
      memory_field("runtime_reserve", 0, [](Hardware& h, double v) { h.runtime_reserve = whole_bytes(v); }),
      memory_field("communicator_reserve", 0, [](Hardware& h, double v) { h.communicator_reserve = whole_bytes(v); }),
      time("kernel_floor", [](Hardware& h, double v) { h.kernel_floor = Seconds(v); }),
      fraction("compute_efficiency", [](Hardware& h, double v) { h.compute_efficiency = v; }),
      fraction("attention_efficiency", [](Hardware& h, double v) { h.attention_efficiency = v; }),
      fraction("bandwidth_efficiency", [](Hardware& h, double v) { h.bandwidth_efficiency = v; }),
      fraction("link_efficiency", [](Hardware& h, double v) { h.link_efficiency = v; }),
      fraction("network_efficiency", [](Hardware& h, double v) { h.network_efficiency = v; }),
      Field{"source", Kind::number_source, Quantity::bytes, 0, 0, false, nullptr, nullptr},
  };
}

const std::vector<Field>& fields() {
  static const std::vector<Field> all = make_fields();
  return all;
}

// A key may name its unit and then holds a plain number: "latency_us": 2.6.
struct UnitSuffix {
  std::string_view suffix;
  Quantity quantity;
  double factor;
};
constexpr UnitSuffix kSuffixes[] = {
    {"_gb_per_s", Quantity::bytes_per_second, 1e9},
    {"_tb_per_s", Quantity::bytes_per_second, 1e12},
    {"_bytes_per_s", Quantity::bytes_per_second, 1},
    {"_flops_per_s", Quantity::flops_per_second, 1},
    {"_tflops", Quantity::flops_per_second, 1e12},
    {"_bytes", Quantity::bytes, 1},
    {"_gib", Quantity::bytes, 1073741824.0},
    {"_us", Quantity::seconds, 1e-6},
    {"_s", Quantity::seconds, 1},
};

struct Match {
  const Field* field = nullptr;
  double factor = 0;  // of the unit in the key, 0 = none there
};

const Field* field_at(std::string_view path) {
  const auto it = std::find_if(fields().begin(), fields().end(), [&](const Field& f) { return f.path == path; });
  return it == fields().end() ? nullptr : &*it;
}

Match match(std::string_view path) {
  if (const Field* field = field_at(path)) return {field, 0};
  for (const UnitSuffix& s : kSuffixes) {
    if (!path.ends_with(s.suffix)) continue;
    const Field* field = field_at(path.substr(0, path.size() - s.suffix.size()));
    if (field != nullptr && field->kind == Kind::amount && field->quantity == s.quantity) return {field, s.factor};
  }
  return {};
}

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
  for (const Field& f : fields()) known.push_back(f.path);
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
        return match(path).field == nullptr
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

Result<double> amount_in(const Entry& entry, const Match& m) {
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

Result<double> plain_number_in(const Entry& entry, const Field& field) {
  if (field.kind == Kind::flag) {
    const bool* flag = std::get_if<bool>(&entry.value->data);
    if (flag == nullptr) return wrong_value(entry.path, *entry.value, "true or false");
    return *flag ? 1.0 : 0.0;
  }
  const auto number = number_in(*entry.value);
  const bool whole = number && std::holds_alternative<std::int64_t>(entry.value->data);
  if (field.kind == Kind::count && !whole) return wrong_value(entry.path, *entry.value, "a whole number");
  if (!number || !std::isfinite(*number)) return wrong_value(entry.path, *entry.value, "a fraction such as 0.8");
  return *number;
}

std::string range_text(const Field& field) {
  switch (field.kind) {
    case Kind::count: return "a whole number from 1 to " + std::to_string(static_cast<std::int64_t>(field.most));
    case Kind::fraction: return "a fraction from 0.001 to 1 of what the device could do";
    case Kind::amount: break;
    case Kind::text:
    case Kind::flag:
    case Kind::number_source: return {};
  }
  switch (field.quantity) {
    case Quantity::bytes: return field.least > 0 ? "more than nothing and at most 1 EB" : "0 to 1 EB";
    case Quantity::bytes_per_second: return "at least 1 B/s and at most 1e18 B/s";
    case Quantity::flops_per_second: return "at least 1 FLOP/s and at most 1e18 FLOP/s";
    case Quantity::seconds: return "0 to 1 s";
  }
  return {};
}

Result<void> set_number(const Entry& entry, const Match& m, Hardware& hardware) {
  const Field& field = *m.field;
  const auto value = field.kind == Kind::amount ? amount_in(entry, m) : plain_number_in(entry, field);
  if (!value) return value.error();
  if (!(*value >= field.least && *value <= field.most))
    return input_error(quoted(entry.path) + " is " + shown(*entry.value) +
                       ", which is impossible: " + range_text(field));
  field.set(hardware, *value);
  return {};
}

Result<void> set_text_field(const Entry& entry, const Field& field, Hardware& hardware) {
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

Result<void> set_field(const Entry& entry, const Match& m, Hardware& hardware) {
  switch (m.field->kind) {
    case Kind::text: return set_text_field(entry, *m.field, hardware);
    case Kind::number_source: return set_number_source(entry, hardware);
    case Kind::amount:
    case Kind::count:
    case Kind::fraction:
    case Kind::flag: return set_number(entry, m, hardware);
  }
  return {};
}

Result<void> fill(const std::vector<Entry>& entries, const std::string& file, Hardware& hardware) {
  std::vector<const Field*> seen;
  for (const Entry& entry : entries) {
    const Match m = match(entry.path);
    if (m.field == nullptr) return unknown_field(entry.path);
    if (std::find(seen.begin(), seen.end(), m.field) != seen.end())
      return input_error(quoted(m.field->path) + " is given twice, the second time as " + quoted(entry.path));
    seen.push_back(m.field);
    if (auto done = set_field(entry, m, hardware); !done) return done;
    const bool named = m.field->kind == Kind::text || m.field->kind == Kind::number_source;
    if (!named) hardware.sources[m.field->path] = entry.source.empty() ? "as given in " + file : entry.source;
  }
  for (const Field& field : fields())
    if (field.required && std::find(seen.begin(), seen.end(), &field) == seen.end()) {
      Error error = input_error("the hardware profile has no " + quoted(field.path));
      if (field.kind == Kind::amount) error.fixes = {"add " + quoted(field.path) + ": " + example_of(field.quantity)};
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
