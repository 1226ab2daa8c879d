#include "traces/kineto.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text_file.h"
#include "traces/gzip.h"

namespace tpsim {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBytes = std::size_t{2} << 30;
constexpr std::size_t kMaxEvents = 20'000'000;
constexpr int kMaxDepth = 64;

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  return {};
}

std::string text_at(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? std::string() : text_of(*it);
}

// Numbers also as text ("3004819264", "stream 7" gives 7); none for anything else.
std::optional<double> number_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  const auto digit = text.find_last_not_of("0123456789.");
  const char* begin = text.data() + (digit == std::string::npos ? 0 : digit + 1);
  double number = 0;
  const auto [end, status] = std::from_chars(begin, text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> number_at(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? std::nullopt : number_of(*it);
}

// The first of the spellings that different versions use.
std::int64_t whole_at(const Json& object, std::initializer_list<const char*> keys, std::int64_t fallback) {
  constexpr double most = 9e18;
  for (const char* key : keys)
    if (const auto number = number_at(object, key); number && *number > -most && *number < most)
      return static_cast<std::int64_t>(*number);
  return fallback;
}

int small_at(const Json& object, std::initializer_list<const char*> keys, int fallback) {
  const std::int64_t number = whole_at(object, keys, fallback);
  return number < -1 || number > (1 << 30) ? fallback : static_cast<int>(number);
}

KinetoCategory category_of(std::string category) {
  std::transform(category.begin(), category.end(), category.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (category == "kernel") return KinetoCategory::kernel;
  if (category.find("memcpy") != std::string::npos || category.find("memset") != std::string::npos)
    return KinetoCategory::memory;
  if (category == "cpu_op" || category == "operator") return KinetoCategory::cpu_op;
  if (category.ends_with("runtime") || category.ends_with("driver")) return KinetoCategory::runtime;
  if (category == "gpu_user_annotation") return KinetoCategory::gpu_annotation;
  if (category.find("annotation") != std::string::npos) return KinetoCategory::annotation;
  if (category == "python_function") return KinetoCategory::python;
  return KinetoCategory::other;
}

std::vector<std::int64_t> shape_of(const Json& dims) {
  std::vector<std::int64_t> shape;
  if (!dims.is_array()) return shape;
  for (const Json& extent : dims) {
    if (!extent.is_number_integer()) return {};
    shape.push_back(extent.get<std::int64_t>());
  }
  return shape;
}

void read_inputs(const Json& args, KinetoEvent& event) {
  for (const char* key : {"Input Dims", "Input dims"})
    if (const auto dims = args.find(key); dims != args.end() && dims->is_array())
      for (const Json& one : *dims) event.shapes.push_back(shape_of(one));
  if (const auto types = args.find("Input type"); types != args.end() && types->is_array())
    for (const Json& one : *types) event.types.push_back(text_of(one));
}

void read_collective(const Json& args, KinetoEvent& event) {
  const std::string name = text_at(args, "Collective name");
  if (name.empty()) return;
  KinetoCollective c;
  c.name = name;
  c.op = collective_named(name);
  c.in_elements = whole_at(args, {"In msg nelems", "In msg size"}, 0);
  c.out_elements = whole_at(args, {"Out msg nelems", "Out msg size"}, 0);
  c.group = small_at(args, {"Group size"}, 0);
  c.dtype = dtype_named(text_at(args, "dtype"));
  event.collective = std::move(c);
}

std::optional<KinetoEvent> event_of(const Json& json) {
  const auto start = number_at(json, "ts"), duration = number_at(json, "dur");
  if (text_at(json, "ph") != "X" || !start || !duration || *duration < 0) return std::nullopt;
  KinetoEvent e;
  e.name = text_at(json, "name");
  e.category = category_of(text_at(json, "cat"));
  e.start_us = *start;
  e.duration_us = *duration;
  e.process = whole_at(json, {"pid"}, 0);
  e.thread = text_at(json, "tid");
  const auto args = json.find("args");
  if (args == json.end() || !args->is_object()) return e;
  e.device = small_at(*args, {"device"}, -1);
  e.stream = small_at(*args, {"stream"}, -1);
  e.correlation = whole_at(*args, {"correlation"}, -1);
  e.external_id = whole_at(*args, {"External id", "external id"}, -1);
  read_inputs(*args, e);
  read_collective(*args, e);
  return e;
}

void read_head(const std::string& key, const Json& value, KinetoTrace& trace) {
  if (key == "distributedInfo" && value.is_object()) {
    trace.rank = small_at(value, {"rank"}, -1);
    trace.world_size = small_at(value, {"world_size"}, 0);
  }
  if (key == "deviceProperties" && value.is_array())
    for (const Json& device : value)
      trace.devices.push_back(device.is_object() ? text_at(device, "name") : std::string());
}

// Takes the events out of the document while it is read, so that only one is held at a time.
class EventTaker {
public:
  explicit EventTaker(KinetoTrace& trace) : trace_(trace) {}

  bool operator()(int depth, Json::parse_event_t kind, Json& parsed) {
    using Kind = Json::parse_event_t;
    if (depth > kMaxDepth) too_deep_ = true;
    if (depth == 0 && kind == Kind::array_start) in_list_ = true, events_depth_ = 1;
    if (depth == 1 && kind == Kind::key) {
      key_ = parsed.get<std::string>();
      in_list_ = key_ == "traceEvents";
      events_depth_ = 2;
    }
    // The head stands before the events: it is known even where the end is missing.
    if (depth == 1 && (kind == Kind::object_end || kind == Kind::array_end)) read_head(key_, parsed, trace_);
    if (!in_list_ || depth != events_depth_ || kind != Kind::object_end) return true;
    seen_ = true;
    if (trace_.events.size() < kMaxEvents)
      if (auto event = event_of(parsed)) trace_.events.push_back(std::move(*event));
    return false;
  }

  bool seen() const { return seen_; }
  bool too_deep() const { return too_deep_; }

private:
  KinetoTrace& trace_;
  bool in_list_ = false, seen_ = false, too_deep_ = false;
  int events_depth_ = 2;
  std::string key_;  // of the outermost object
};

Error no_events(const std::string& file) {
  Error error = input_error("holds no trace events", file);
  error.details = {"a trace of the PyTorch profiler is a JSON object with \"traceEvents\""};
  error.fixes = {"prof.export_chrome_trace(\"trace.json\")"};
  return error;
}

std::string after_colon(const std::string& what) {
  const auto place = what.find("] ");
  return place == std::string::npos ? what : what.substr(place + 2);
}

}  // namespace

Result<KinetoTrace> parse_kineto(std::string_view text, const std::string& file) {
  KinetoTrace trace;
  trace.file = file;
  EventTaker taker(trace);
  try {
    [[maybe_unused]] const Json left_over = Json::parse(text, std::ref(taker));
  } catch (const Json::parse_error& e) {
    // Writers that are stopped leave the end away.
    constexpr std::size_t near_end = 2;
    if (trace.events.empty() || e.byte + near_end < text.size())
      return input_error("is not valid JSON: " + after_colon(e.what()), file);
    trace.notes.push_back(file + " is cut off: " + std::to_string(trace.events.size()) + " events read");
  } catch (const Json::exception& e) {
    return input_error("is not valid JSON: " + after_colon(e.what()), file);
  }
  if (!taker.seen()) return no_events(file);
  if (trace.events.size() >= kMaxEvents)
    trace.notes.push_back(file + ": only the first " + std::to_string(kMaxEvents) + " events are used");
  std::stable_sort(trace.events.begin(), trace.events.end(),
                   [](const KinetoEvent& a, const KinetoEvent& b) { return a.start_us < b.start_us; });
  return trace;
}

Result<KinetoTrace> read_kineto(const std::string& path) {
  auto text = read_text_file(path, kMaxBytes);
  if (!text) return text.error();
  if (is_gzip(*text)) {
    auto plain = gunzip_part(*text, path, kMaxBytes);
    if (!plain) return plain.error();
    return parse_kineto(plain->text, path);
  }
  return parse_kineto(*text, path);
}

bool looks_like_kineto(std::string_view text) {
  if (is_gzip(text)) return true;
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (text[first] != '{' && text[first] != '[')) return false;
  constexpr std::size_t head = 1u << 20;
  const std::string_view begin = text.substr(0, head);
  return begin.find("\"traceEvents\"") != std::string_view::npos || begin.find("\"ph\"") != std::string_view::npos;
}

}  // namespace tpsim
