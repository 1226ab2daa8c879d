// What real Transformers did with one tiny model under several plans, as tests/fixtures/oracle holds it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis.h"
#include "core/plan.h"
#include "core/value.h"

namespace tpsim {

struct RecordedEvent {
  std::string op;
  std::int64_t numel = 0;
  std::string module;
};

using LocalShapes = std::map<std::string, std::vector<Shape>>;                     // parameter -> shape on each rank
using EventCounts = std::map<std::pair<std::string, std::int64_t>, std::int64_t>;  // op, numel -> occurrences

// What was not recorded is absent: a run that failed while loading has no shapes, one that failed later no events.
struct RecordedRun {
  std::string name;  // "auto/tp2"
  int tp = 1, ep = 1;
  Verdict verdict = Verdict::right;
  std::string error;
  std::optional<Plan> plan;  // handed to the library; none = the shipped one
  std::optional<LocalShapes> local;
  std::optional<Shape> logits;
  std::optional<std::vector<RecordedEvent>> forward, train_forward;
  std::optional<EventCounts> backward;
};

struct RecordedCase {
  std::string model;  // "llama", "llama@tied", "llama+plans"
  Dialect dialect;
  std::string config;      // config.json
  bool base_plan = false;  // plans were set as the config class's base_model_tp_plan
  std::map<std::string, Shape> parameters;
  std::optional<std::map<std::string, Shape>> checkpoint;  // where it differs from the parameters
  std::vector<RecordedRun> runs;
};

// A file of runs, and not one about something else.
bool is_recording(const Value& content);
// Aborts the test on a file that is not as expected.
RecordedCase read_recording(const Value& content);
// The long form in which recordings are made.
RecordedCase read_raw_recording(const Value& content);

// All *.json below a folder in alphabetical order.
std::vector<std::filesystem::path> json_files(const std::filesystem::path& folder);

Value read_json(const std::filesystem::path& file);
const ValueObject& object(const Value& value);
const std::string& text(const Value& value);
std::int64_t integer(const Value& value);
const Value& member(const Value& of, std::string_view key);
Plan plan_of(const Value& rules);
// "auto/tp2" -> 2
int ranks_of(const std::string& run_name);

// "layers.{0-1}.mlp.{0-3}.w" -> every name it stands for.
std::vector<std::string> expanded(const std::string& folded);

}  // namespace tpsim
