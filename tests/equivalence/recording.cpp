#include "tests/equivalence/recording.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/json.h"
#include "tests/catch.hpp"

namespace tpsim {
namespace {

std::vector<std::string> split(const std::string& joined, const std::string& separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const auto end = joined.find(separator, begin);
    parts.push_back(joined.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + separator.size();
  }
}

Shape shape_of(const std::string& written) {
  const auto shape = parse_shape(written);
  INFO(written);
  REQUIRE(shape);
  return *shape;
}

std::map<std::string, Shape> shapes(const Value& folded) {
  std::map<std::string, Shape> all;
  for (const auto& [names, shape] : object(folded))
    for (const auto& name : expanded(names)) all[name] = shape_of(text(shape));
  return all;
}

// "64x16" on every rank, or "64x16|64x8" on ranks 0 and 1.
std::vector<Shape> rank_shapes(const std::string& written, int ranks) {
  std::vector<Shape> result;
  for (const auto& shape : split(written, "|")) result.push_back(shape_of(shape));
  if (result.size() == 1) result.resize(static_cast<std::size_t>(ranks), result.front());
  return result;
}

LocalShapes local_shapes(const Value& cut, const std::map<std::string, Shape>& parameters, int ranks) {
  LocalShapes all;
  for (const auto& [name, shape] : parameters) all[name].assign(static_cast<std::size_t>(ranks), shape);
  for (const auto& [names, shape] : object(cut))
    for (const auto& name : expanded(names)) all[name] = rank_shapes(text(shape), ranks);
  return all;
}

// "all_reduce 1536 mlp.down_proj" in `layer`.
RecordedEvent event_of(const std::string& written, const std::string& layer) {
  const auto words = split(written, " ");
  REQUIRE(words.size() == 3);
  const std::string module = layer.empty() || words[2].empty() ? layer + words[2] : layer + "." + words[2];
  return {words[0], std::stoll(words[1]), module};
}

std::vector<RecordedEvent> events_of(const Value& lines) {
  std::vector<RecordedEvent> events;
  for (const auto& line : std::get<ValueList>(lines.data)) {
    const auto parts = split(text(line), ": ");
    const auto layers = parts.size() == 2 ? expanded(parts.front()) : std::vector<std::string>{""};
    for (const auto& layer : layers)
      for (const auto& event : split(parts.back(), ", ")) events.push_back(event_of(event, layer));
  }
  return events;
}

EventCounts counts_of(const Value& counts) {
  EventCounts result;
  for (const auto& [event, count] : object(counts)) {
    const auto words = split(event, " ");
    result[{words[0], std::stoll(words[1])}] = integer(count);
  }
  return result;
}

Verdict verdict_of(const std::string& word) {
  return word == "right" ? Verdict::right : word == "wrong" ? Verdict::wrong : Verdict::error;
}

RecordedRun run_of(const std::string& name, const Value& value, const std::map<std::string, Shape>& parameters) {
  const ValueObject& fields = object(value);
  RecordedRun run;
  run.name = name;
  run.tp = ranks_of(name);
  if (name.starts_with("ep/")) run.ep = run.tp;
  run.verdict = verdict_of(text(member(value, "verdict")));
  if (const auto* v = find(fields, "error")) run.error = text(*v);
  if (const auto* v = find(fields, "plan")) run.plan = plan_of(*v);
  if (const auto* v = find(fields, "local")) run.local = local_shapes(*v, parameters, run.tp);
  if (const auto* v = find(fields, "logits")) run.logits = shape_of(text(*v));
  if (const auto* v = find(fields, "forward")) run.forward = events_of(*v);
  if (const auto* v = find(fields, "train_forward"))
    run.train_forward = std::holds_alternative<std::string>(v->data) ? run.forward : events_of(*v);
  if (const auto* v = find(fields, "backward")) run.backward = counts_of(*v);
  return run;
}

}  // namespace

Value read_json(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  auto value = parse_json(content.str(), file.string());
  INFO(file);
  REQUIRE(value);
  return std::move(*value);
}

const ValueObject& object(const Value& value) { return std::get<ValueObject>(value.data); }
const std::string& text(const Value& value) { return std::get<std::string>(value.data); }
std::int64_t integer(const Value& value) { return std::get<std::int64_t>(value.data); }

const Value& member(const Value& of, std::string_view key) {
  const Value* value = find(object(of), key);
  INFO(key);
  REQUIRE(value != nullptr);
  return *value;
}

Plan plan_of(const Value& rules) {
  Plan plan;
  plan.name = "plan.json";
  for (const auto& [key, strategy] : object(rules)) plan.rules.push_back({key, text(strategy), {}, {}});
  return plan;
}

int ranks_of(const std::string& run_name) { return std::stoi(run_name.substr(run_name.rfind("/tp") + 3)); }

std::vector<std::string> expanded(const std::string& folded) {
  const auto open = folded.find('{');
  if (open == std::string::npos) return {folded};
  const auto dash = folded.find('-', open), close = folded.find('}', dash);
  std::vector<std::string> names;
  const int last = std::stoi(folded.substr(dash + 1));
  for (int i = std::stoi(folded.substr(open + 1)); i <= last; ++i)
    for (const auto& rest : expanded(folded.substr(close + 1)))
      names.push_back(folded.substr(0, open) + std::to_string(i) + rest);
  return names;
}

std::vector<std::filesystem::path> json_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

bool is_recording(const Value& content) {
  return std::holds_alternative<ValueObject>(content.data) && find(object(content), "runs") != nullptr;
}

RecordedCase read_recording(const Value& content) {
  RecordedCase recording;
  recording.model = text(member(content, "model"));
  recording.dialect = *parse_dialect(text(member(content, "transformers")));
  recording.config = to_json(member(content, "config"));
  recording.base_plan = find(object(content), "given") != nullptr;
  recording.parameters = shapes(member(content, "parameters"));
  if (const auto* disk = find(object(content), "checkpoint")) recording.checkpoint = shapes(*disk);
  for (const auto& [name, run] : object(member(content, "runs")))
    recording.runs.push_back(run_of(name, run, recording.parameters));
  return recording;
}

}  // namespace tpsim
