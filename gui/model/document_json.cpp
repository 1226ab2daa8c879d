#include <algorithm>

#include "cli/json_writer.h"
#include "core/analyze.h"
#include "core/json.h"
#include "gui/model/document.h"

namespace tpsim::gui {
namespace {

constexpr char kSchema[] = "tpsim.project/1";
constexpr std::int64_t kMaxTokens = std::int64_t{256} << 20, kMaxBatch = std::int64_t{1} << 20;

void write_plan(cli::JsonWriter& json, const PlanEntry& plan) {
  json.begin_object();
  json.member("name", plan.name);
  json.member("source", plan.source);
  if (!plan.text.empty()) json.member("text", plan.text);
  if (plan.base_plan) json.member("base_plan", true);
  json.end_object();
}

// Takes members out of an object and keeps the first error.
class Reader {
public:
  Reader(const ValueObject& object, std::string file) : object_(object), file_(std::move(file)) {}

  void text(std::string_view key, std::string& out) {
    if (const auto* s = get<std::string>(key, "a text")) out = *s;
  }
  void flag(std::string_view key, bool& out) {
    if (const auto* b = get<bool>(key, "true or false")) out = *b;
  }
  std::optional<std::int64_t> number(std::string_view key, std::int64_t low, std::int64_t high) {
    const auto* n = get<std::int64_t>(key, "a whole number");
    if (n == nullptr) return std::nullopt;
    if (*n >= low && *n <= high) return *n;
    fail(key, std::to_string(*n) + " is not from " + std::to_string(low) + " to " + std::to_string(high));
    return std::nullopt;
  }
  void texts(std::string_view key, std::vector<std::string>& out) {
    const auto* list = get<ValueList>(key, "a list");
    for (const Value& value : list ? *list : ValueList{}) {
      const auto* s = std::get_if<std::string>(&value.data);
      if (s == nullptr) return fail(key, "not a list of texts");
      out.push_back(*s);
    }
  }
  const ValueList* list(std::string_view key) { return get<ValueList>(key, "a list"); }
  void fail(std::string_view key, const std::string& what) {
    if (!error_) error_ = input_error(std::string(key) + ": " + what, file_);
  }
  const std::optional<Error>& error() const { return error_; }

private:
  template <class T>
  const T* get(std::string_view key, const char* kind) {
    const Value* value = find(object_, key);
    if (value == nullptr || value->is_null()) return nullptr;
    const T* found = std::get_if<T>(&value->data);
    if (found == nullptr) fail(key, std::string("is ") + type_name(*value) + ", not " + kind);
    return found;
  }
  const ValueObject& object_;
  std::string file_;
  std::optional<Error> error_;
};

void read_plans(Reader& reader, const std::string& file, Document& d) {
  const ValueList* plans = reader.list("plans");
  if (plans == nullptr || plans->empty()) return;
  d.plans.clear();
  for (const Value& value : *plans) {
    const auto* object = std::get_if<ValueObject>(&value.data);
    if (object == nullptr) return reader.fail("plans", "not a list of objects");
    Reader entry(*object, file);
    PlanEntry plan;
    entry.text("name", plan.name);
    entry.text("source", plan.source);
    entry.text("text", plan.text);
    entry.flag("base_plan", plan.base_plan);
    if (entry.error()) return reader.fail("plans", entry.error()->message);
    d.plans.push_back(std::move(plan));
  }
  const auto last = static_cast<std::int64_t>(d.plans.size()) - 1;
  d.edited = static_cast<int>(reader.number("edited", 0, last).value_or(0));
  d.baseline = static_cast<int>(reader.number("baseline", 0, last).value_or(0));
}

void read_types(Reader& reader, Document& d) {
  std::string dialect, phase, dtype, kv_dtype;
  reader.text("dialect", dialect);
  reader.text("phase", phase);
  reader.text("dtype", dtype);
  reader.text("kv_dtype", kv_dtype);
  if (!dialect.empty()) {
    const auto parsed = parse_dialect(dialect);
    if (parsed) d.dialect = *parsed;
    if (!parsed) reader.fail("dialect", parsed.error().message);
  }
  if (phase == "prefill") d.phase = cli::Phase::prefill;
  if (phase == "decode") d.phase = cli::Phase::decode;
  d.dtype = parse_dtype(dtype);
  d.kv_dtype = parse_dtype(kv_dtype);
  if (!dtype.empty() && !d.dtype) reader.fail("dtype", "no type \"" + dtype + "\"");
  if (!kv_dtype.empty() && !d.kv_dtype) reader.fail("kv_dtype", "no type \"" + kv_dtype + "\"");
}

void write_workload(cli::JsonWriter& json, const Document& d) {
  if (d.phase != cli::Phase::both) json.member("phase", d.phase == cli::Phase::prefill ? "prefill" : "decode");
  if (d.batch) json.member("batch", *d.batch);
  if (d.prompt) json.member("prompt", *d.prompt);
  if (d.context) json.member("ctx", *d.context);
  if (d.dtype) json.member("dtype", to_string(*d.dtype));
  if (d.kv_dtype) json.member("kv_dtype", to_string(*d.kv_dtype));
}

}  // namespace

std::string to_json(const Document& d) {
  std::string out;
  cli::JsonWriter json(out);
  json.begin_object();
  json.member("schema", kSchema);
  json.member("model", d.model);
  if (!d.set.empty()) json.array("set", d.set);
  json.key("plans");
  json.begin_array();
  for (const PlanEntry& plan : d.plans) write_plan(json, plan);
  json.end_array();
  json.member("edited", d.edited);
  json.member("baseline", d.baseline);
  json.member("hw", d.hardware);
  if (!d.hardware_set.empty()) json.array("hw_set", d.hardware_set);
  json.member("stack", d.stack);
  if (!d.link.empty()) json.member("link", d.link);
  if (!d.profile.empty()) json.member("profile", d.profile);
  json.member("tp", d.tp);
  json.member("ep", d.ep);
  if (d.baseline_tp) json.member("baseline_tp", *d.baseline_tp);
  if (!d.baseline_hardware.empty()) json.member("baseline_hw", d.baseline_hardware);
  json.member("dialect", to_string(d.dialect) + (d.dialect.extensions ? "+tpsim" : ""));
  write_workload(json, d);
  if (!d.suppressed.empty()) json.array("suppressed", d.suppressed);
  if (!d.notes.empty()) json.member("notes", d.notes);
  json.end_object();
  return out + "\n";
}

Result<Document> read_document(std::string_view text, const std::string& file) {
  const auto value = parse_json(text, file);
  if (!value) return value.error();
  const auto* object = std::get_if<ValueObject>(&value->data);
  if (object == nullptr) return input_error("a project is a JSON object", file);
  Reader reader(*object, file);
  std::string schema;
  reader.text("schema", schema);
  if (schema != kSchema) return input_error("not a project of tpsim: \"schema\" is not \"tpsim.project/1\"", file);
  Document d;
  reader.text("model", d.model);
  reader.texts("set", d.set);
  read_plans(reader, file, d);
  reader.text("hw", d.hardware);
  reader.texts("hw_set", d.hardware_set);
  reader.text("stack", d.stack);
  reader.text("link", d.link);
  reader.text("profile", d.profile);
  d.tp = static_cast<int>(reader.number("tp", 1, kMaxRanks).value_or(d.tp));
  d.ep = static_cast<int>(reader.number("ep", 1, kMaxRanks).value_or(d.ep));
  if (const auto tp = reader.number("baseline_tp", 1, kMaxRanks)) d.baseline_tp = static_cast<int>(*tp);
  reader.text("baseline_hw", d.baseline_hardware);
  read_types(reader, d);
  d.batch = reader.number("batch", 1, kMaxBatch);
  d.prompt = reader.number("prompt", 1, kMaxTokens);
  d.context = reader.number("ctx", 1, kMaxTokens);
  reader.texts("suppressed", d.suppressed);
  reader.text("notes", d.notes);
  if (reader.error()) return *reader.error();
  return d;
}

}  // namespace tpsim::gui
