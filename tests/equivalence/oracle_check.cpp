#include "tests/equivalence/oracle_check.h"

#include <algorithm>
#include <set>

#include "core/analyze.h"
#include "core/architecture.h"
#include "core/config.h"

namespace tpsim {
namespace {

AnalysisRequest request_of(const RecordedCase& recording, const RecordedRun& run) {
  AnalysisRequest request;
  request.dialect = recording.dialect;
  request.parallelism.tp = run.tp;
  request.parallelism.ep = run.ep;
  request.workload.batch = 2;
  request.workload.tokens = 12;
  request.workload.weights = request.workload.activations = request.workload.kv_cache = DType::fp32;
  if (run.plan) {
    request.plan.kind = PlanKind::manual;
    request.plan.plan = *run.plan;
    request.plan.base_plan = recording.base_plan;
  }
  return request;
}

std::string joined(const std::vector<Shape>& shapes) {
  std::string all;
  for (const Shape& shape : shapes) all += (all.empty() ? "" : "|") + to_string(shape);
  return all;
}

LocalShapes local_shapes(const Analysis& analysis) {
  LocalShapes all;
  for (const ShardSpec& spec : analysis.shards)
    for (const std::string& name : names(spec))
      for (const RankShard& rank : spec.ranks) all[name].push_back(rank.shape);
  return all;
}

template <class T, class F>
std::string first_difference(const std::map<std::string, T>& real, const std::map<std::string, T>& mine, F print) {
  for (const auto& [name, value] : real) {
    const auto found = mine.find(name);
    if (found == mine.end()) return name + ": real " + print(value) + ", tpsim has none";
    if (!(found->second == value)) return name + ": real " + print(value) + ", tpsim " + print(found->second);
  }
  for (const auto& [name, value] : mine)
    if (real.count(name) == 0) return name + ": not in the real model, tpsim " + print(value);
  return {};
}

std::string written(const RecordedEvent& event) {
  return event.op + " " + std::to_string(event.numel) + " " + event.module;
}
std::string written(const CollectiveEvent& event) {
  return std::string(to_string(event.op)) + (event.data_dependent ? " ~" : " ") + std::to_string(event.numel) + " " +
         event.module;
}

bool same(const RecordedEvent& real, const CollectiveEvent& mine) {
  return real.op == to_string(mine.op) && real.module == mine.module &&
         (mine.data_dependent || real.numel == mine.numel);
}

void check_ordered(const std::string& what, const std::string& where, const std::vector<RecordedEvent>& real,
                   const std::vector<CollectiveEvent>& mine, Agreement& agreement) {
  std::size_t at = 0;
  while (at < real.size() && at < mine.size() && same(real[at], mine[at])) ++at;
  agreement.without_numel += std::count_if(mine.begin(), mine.end(), [](const auto& e) { return e.data_dependent; });
  agreement.note(what, where, at == real.size() && at == mine.size(),
                 std::to_string(real.size()) + " real, " + std::to_string(mine.size()) +
                     " tpsim; first difference at " + std::to_string(at) + ": real " +
                     (at < real.size() ? written(real[at]) : "nothing") + ", tpsim " +
                     (at < mine.size() ? written(mine[at]) : "nothing"));
}

std::string written(const EventCounts& counts) {
  std::string all;
  for (const auto& [event, count] : counts)
    if (count != 0) all += " " + event.first + " " + std::to_string(event.second) + " x" + std::to_string(count);
  return all.empty() ? " nothing" : all;
}

// What one side has and the other lacks; events of unknown size meet any of their operation.
void check_unordered(const std::string& where, EventCounts real, const std::vector<CollectiveEvent>& mine,
                     Agreement& agreement) {
  std::map<std::string, std::int64_t> sizeless;
  EventCounts surplus;
  for (const CollectiveEvent& event : mine) {
    if (event.data_dependent) {
      ++sizeless[to_string(event.op)];
      ++agreement.without_numel;
      continue;
    }
    const auto found = real.find({to_string(event.op), event.numel});
    if (found != real.end() && found->second > 0)
      --found->second;
    else
      ++surplus[{to_string(event.op), event.numel}];
  }
  for (auto& [event, count] : real) {
    const std::int64_t met = std::min(count, sizeless[event.first]);
    count -= met;
    sizeless[event.first] -= met;
  }
  for (const auto& [op, count] : sizeless) surplus[{op, 0}] += count;
  const auto none = [](const EventCounts& counts) {
    return std::all_of(counts.begin(), counts.end(), [](const auto& c) { return c.second == 0; });
  };
  agreement.note("backward", where, none(real) && none(surplus),
                 "only real:" + written(real) + "; only tpsim:" + written(surplus));
}

std::string reasons(const Analysis& analysis) {
  std::string all;
  for (const Diagnostic& d : analysis.diagnostics)
    if (d.severity == Severity::error) all += " [" + d.code + " " + d.where + ": " + d.message + "]";
  return all;
}

void check_run(const RecordedCase& recording, const RecordedRun& run, const Model& model, Agreement& agreement) {
  const std::string where = to_string(recording.dialect) + " " + recording.model + " " + run.name;
  const auto analysis = analyze(model, request_of(recording, run));
  agreement.note("answered", where, analysis.has_value(), analysis ? "" : analysis.error().message);
  if (!analysis) return;
  agreement.note("verdict", where, analysis->verdict == run.verdict,
                 std::string("real ") + to_string(run.verdict) + " (" + run.error + "), tpsim " +
                     to_string(analysis->verdict) + reasons(*analysis));
  if (run.local) {
    const std::string difference = first_difference(*run.local, local_shapes(*analysis), joined);
    agreement.note("local shapes", where, difference.empty(), difference);
  }
  if (run.logits)
    agreement.note("logits", where, analysis->logits_shape == *run.logits,
                   "real " + to_string(*run.logits) + ", tpsim " + to_string(analysis->logits_shape));
  if (run.forward) check_ordered("forward", where, *run.forward, events(*analysis, EventList::forward), agreement);
  if (run.train_forward)
    check_ordered("train_forward", where, *run.train_forward, events(*analysis, EventList::train_forward), agreement);
  if (run.backward) check_unordered(where, *run.backward, events(*analysis, EventList::backward), agreement);
}

}  // namespace

void Agreement::note(const std::string& what, const std::string& where, bool equal, const std::string& difference) {
  auto& [agreed, compared] = score[what];
  ++compared;
  if (equal)
    ++agreed;
  else
    differences.push_back(what + ", " + where + ": " + difference);
}

std::string summary(const Agreement& agreement) {
  std::string all;
  for (const auto& [what, counts] : agreement.score)
    all += what + " " + std::to_string(counts.first) + "/" + std::to_string(counts.second) + "; ";
  return all + std::to_string(agreement.without_numel) +
         " events whose size depends on routing compared by operation, module and order only";
}

Result<Model> build_recorded_model(const RecordedCase& recording) {
  auto config = read_config(recording.config, "config.json");
  if (!config) return config.error();
  auto architecture = load_architecture(config->model_type, recording.dialect);
  if (!architecture) return architecture.error();
  return build_model(*architecture, *config);
}

void check_runs(const RecordedCase& recording, const Model& model, Agreement& agreement) {
  for (const RecordedRun& run : recording.runs) check_run(recording, run, model, agreement);
}

void check_parameters(const RecordedCase& recording, const Model& model, Agreement& agreement) {
  const std::string where = to_string(recording.dialect) + " " + recording.model;
  std::map<std::string, Shape> mine;
  for (const NamedParameter& parameter : named_parameters(model)) mine[parameter.name] = parameter.shape;
  const auto print = [](const Shape& shape) { return to_string(shape); };
  const std::string difference = first_difference(recording.parameters, mine, print);
  agreement.note("parameters", where, difference.empty(), difference);
  if (!recording.checkpoint) return;
  std::set<std::string> lost;
  for (const auto& [name, shape] : mine)
    for (const std::string& disk : checkpoint_names(model, name))
      if (recording.checkpoint->count(disk) == 0) lost.insert(disk);
  agreement.note("names on disk", where, lost.empty(), lost.empty() ? "" : *lost.begin() + " is not on disk");
}

}  // namespace tpsim
