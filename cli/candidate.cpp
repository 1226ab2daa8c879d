#include "cli/candidate.h"

#include <algorithm>
#include <map>

#include "core/module_path.h"

namespace tpsim::cli {
namespace {

// "model.layers.3.mlp" -> "model.layers.*.mlp"
std::string pattern_of(const std::string& name) {
  std::string pattern;
  for (const std::string& part : path_components(name)) {
    const bool index = part.find_first_not_of("0123456789") == std::string::npos;
    pattern = full_path(pattern, index ? "*" : part);
  }
  return pattern;
}

std::string path(const Step& step, const std::string& module) { return pattern_of(full_path(step.prefix, module)); }

std::string kernel_text(const OperationTime& o) {
  return std::to_string(KernelHash{}(o.call)) + "/" + std::to_string(static_cast<int>(o.call.kind));
}

Figure time_figure(const char* name, const PhaseResult& phase) {
  Figure figure{name, "us", phase.time.total.count() * 1e6, true, {}};
  for (const OperationTime& o : phase.time.operations)
    figure.shares.push_back({kernel_text(o), o.time.count() * 1e6 * static_cast<double>(o.count), o.kernel.band});
  for (const CollectiveTime& c : phase.time.collectives) {
    const CollectiveEvent& e =
        phase.analysis.traces[static_cast<std::size_t>(c.trace)].forward[static_cast<std::size_t>(c.index)];
    figure.shares.push_back(
        {std::string(to_string(e.op)) + "/" + std::to_string(e.payload_bytes) + "/" + std::to_string(e.group),
         c.time.count() * 1e6 * static_cast<double>(c.count), c.estimate.band});
  }
  return figure;
}

Figure exact(const char* name, const char* unit, std::int64_t value) {
  return {name, unit, static_cast<double>(value), true, {}};
}

class ModuleSums {
public:
  ModuleFigures& at(const std::string& module) {
    const auto [it, fresh] = places_.try_emplace(module, list_.size());
    if (fresh) list_.push_back({module, {}, 0, 0, 0, 0});
    return list_[it->second];
  }
  std::vector<ModuleFigures> take() { return std::move(list_); }

private:
  std::map<std::string, std::size_t> places_;
  std::vector<ModuleFigures> list_;
};

void add_parameters(ModuleSums& sums, const Analysis& analysis) {
  const auto rank = static_cast<std::size_t>(heaviest_rank(analysis));
  for (const ShardSpec& spec : analysis.shards) {
    ModuleFigures& m = sums.at(pattern_of(spec.pattern.substr(0, spec.pattern.rfind('.'))));
    if (m.strategy.empty()) m.strategy = spec.strategy;
    m.rank_bytes += spec.ranks[rank].bytes * spec.count;
  }
}

void add_times(ModuleSums& sums, const PhaseResult& phase) {
  std::map<int, const Step*> shown;
  for (const Step& step : phase.analysis.steps) shown.try_emplace(step.trace, &step);
  for (const OperationTime& o : phase.time.operations) {
    if (shown.find(o.trace) == shown.end()) continue;
    const Operation& op =
        phase.analysis.traces[static_cast<std::size_t>(o.trace)].operations[static_cast<std::size_t>(o.index)];
    sums.at(path(*shown.at(o.trace), op.module)).us += o.time.count() * 1e6 * static_cast<double>(o.count);
  }
  for (const CollectiveTime& c : phase.time.collectives) {
    if (shown.find(c.trace) == shown.end()) continue;
    const CollectiveEvent& e =
        phase.analysis.traces[static_cast<std::size_t>(c.trace)].forward[static_cast<std::size_t>(c.index)];
    ModuleFigures& m = sums.at(path(*shown.at(c.trace), e.module));
    m.us += c.time.count() * 1e6 * static_cast<double>(c.count);
    m.collectives += c.count;
    m.wire_bytes += e.wire_bytes_per_rank * c.count;
  }
}

std::int64_t wire_bytes(const Analysis& analysis) {
  std::int64_t bytes = 0;
  for (const auto& event : events(analysis)) bytes += event.wire_bytes_per_rank;
  return bytes;
}

}  // namespace

Candidate candidate_of(const Scenario& scenario, const SizeResult& result, std::string label) {
  Candidate candidate;
  candidate.label = std::move(label);
  candidate.machine = scenario.hardware.name + "/" + scenario.stack.name;
  candidate.ranks = result.devices();
  candidate.verdict = result.forward.verdict;
  candidate.figures = {exact("memory", "bytes", result.memory.total), exact("weights", "bytes", result.memory.weights),
                       exact("kv", "bytes", result.memory.kv_cache)};
  if (result.prefill) candidate.figures.push_back(time_figure("prefill", *result.prefill));
  if (result.decode) candidate.figures.push_back(time_figure("decode", *result.decode));
  if (result.runs()) {
    candidate.figures.push_back(exact("collectives", "", static_cast<std::int64_t>(events(result.forward).size())));
    candidate.figures.push_back(exact("communication", "bytes", wire_bytes(result.forward)));
  }
  ModuleSums sums;
  add_parameters(sums, result.forward);
  if (result.decode || result.prefill) add_times(sums, result.decode ? *result.decode : *result.prefill);
  candidate.modules = sums.take();
  return candidate;
}

}  // namespace tpsim::cli
