#include <algorithm>
#include <map>

#include "cli/report.h"
#include "cli/report_advice.h"

namespace tpsim::cli {
namespace {

constexpr int kValidLimit = 16, kHighestLimit = 64;

int highest(const std::vector<int>& sizes) { return sizes.empty() ? 1 : sizes.back(); }

Result<void> add_size(Report& report, int tp) {
  auto result = size_up(report.scenario, tp, report.baseline);
  if (!result) return result.error();
  merge(report.problems, result->forward.diagnostics, tp);
  report.results.push_back(std::move(*result));
  return {};
}

// "LlamaDecoderLayer(LlamaAttention, LlamaMLP, ...)"
std::string signature(const Model& model, const ModuleType& type) {
  std::string text = type.class_name + "(";
  bool first = true;
  for (const Child& child : type.children) {
    if (child.types.empty()) continue;
    if (!first) text += ", ";
    first = false;
    text += child.name + ": " + model.type(child.types.front()).class_name;
  }
  return text + ")";
}

// The longest list of modules with children: the decoder layers.
const Child* layer_list(const Model& model) {
  const Child* longest = nullptr;
  for (const ModuleType& type : model.types)
    for (const Child& child : type.children) {
      const bool of_blocks = child.is_list && !child.types.empty() && !model.type(child.types.front()).children.empty();
      if (of_blocks && (longest == nullptr || child.types.size() > longest->types.size())) longest = &child;
    }
  return longest;
}

Report empty_report(Scenario scenario, const Baseline& baseline, int largest) {
  Report report{std::move(scenario), baseline, {}, {}, std::clamp(largest, kValidLimit, kHighestLimit), {}, {}};
  report.layers = layer_groups(report.scenario.model());
  return report;
}

void add_advice(Report& report) {
  for (Problem& found : advice(report)) report.problems.push_back(std::move(found));
  sort_by_severity(report.problems);
}

}  // namespace

std::vector<LayerGroup> layer_groups(const Model& model) {
  const Child* const layers = layer_list(model);
  if (layers == nullptr) return {};
  std::map<int, std::int64_t> counts;
  for (const int type : layers->types) ++counts[type];
  std::vector<LayerGroup> groups;
  for (const auto& [type, count] : counts) groups.push_back({count, signature(model, model.type(type))});
  return groups;
}

std::vector<int> Report::sizes() const {
  std::vector<int> all;
  for (const SizeResult& result : results) all.push_back(result.tp);
  return all;
}

const Analysis& Report::shown() const {
  const auto it = std::find_if(results.rbegin(), results.rend(), [](const SizeResult& r) { return r.runs(); });
  const SizeResult& best = it == results.rend() ? results.back() : *it;
  return best.forward;
}

const SizeResult* Report::smallest_fit() const {
  const auto it =
      std::find_if(results.begin(), results.end(), [](const SizeResult& r) { return r.right() && r.memory.fits; });
  return it == results.end() ? nullptr : &*it;
}

TpChoice sizes_or_default(const Options& options) {
  if (options.tp) return *options.tp;
  constexpr int default_gpus = 8;
  TpChoice choice;
  for (int tp = 1; tp <= options.gpus.value_or(default_gpus); tp *= 2) choice.sizes.push_back(tp);
  return choice;
}

Result<Report> build_report(Scenario scenario, const TpChoice& choice) {
  auto baseline = measure_baseline(scenario);
  if (!baseline) return baseline.error();
  Report report = empty_report(std::move(scenario), *baseline, highest(choice.sizes));
  const AnalysisRequest request = request_for(report.scenario, 1, Pass::forward);
  report.valid = valid_sizes(report.scenario.model(), request, report.valid_limit);
  for (const int tp : choice.valid ? report.valid.tp : choice.sizes)
    if (auto added = add_size(report, tp); !added) return added.error();
  add_advice(report);
  return report;
}

Result<Report> build_report(Scenario scenario, int tp, const Baseline& baseline) {
  Report report = empty_report(std::move(scenario), baseline, tp);
  if (auto added = add_size(report, tp); !added) return added.error();
  add_advice(report);
  return report;
}

}  // namespace tpsim::cli
