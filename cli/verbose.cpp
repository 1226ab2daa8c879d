#include "cli/verbose.h"

#include <algorithm>

#include "cli/collective_rows.h"
#include "cli/formulas.h"
#include "cli/text.h"
#include "sim/kernel_time.h"

namespace tpsim::cli {
namespace {

void say(Context& context, const std::string& line) { context.err += line + "\n"; }

std::string memory_formula(const MemoryFit& m) {
  return "weights " + grouped(m.weights) + " + KV " + grouped(m.kv_cache) + " + activations " + grouped(m.activations) +
         " + communication " + grouped(m.communication) + " + runtime " + grouped(m.runtime) + " = " +
         grouped(m.total) + " of " + grouped(m.capacity) + " bytes";
}

std::string time_formula(const char* name, const PhaseResult& p, Seconds baseline, int devices) {
  return std::string(name) + ": computation " + time_text(p.time.compute.count()) + " + communication " +
         time_text(p.time.communication.count()) + " = " + time_text(p.time.total.count()) + "; speed-up " +
         time_text(baseline.count()) + " / " + time_text(p.time.total.count()) + " = " + fixed(p.speedup, 2) +
         "; efficiency " + fixed(p.speedup, 2) + " / " + std::to_string(devices) + " = " + percent(p.efficiency);
}

// One line for each kernel that takes different sizes, and for each kind of collective.
void explain_phase(Context& context, const Scenario& s, const PhaseResult& phase) {
  KernelTimes times(s.hardware);
  std::vector<KernelCall> shown;
  for (const OperationTime& op : phase.time.operations) {
    if (op.time.count() <= 0 || std::find(shown.begin(), shown.end(), op.call) != shown.end()) continue;
    shown.push_back(op.call);
    say(context, "    " + times.explain(op.call));
  }
  for (const CollectiveRow& row : collective_rows(phase.analysis, phase.time)) {
    for (const auto& line :
         collective_formula(row.op, row.payload_bytes, row.group, s.stack, s.hardware, times.network()))
      say(context, "    " + line);
  }
}

}  // namespace

void explain_inputs(Context& context, const Scenario& s, const Analysis& analysis) {
  if (context.options.verbosity < 1 || context.options.quiet) return;
  say(context, "model: " + s.input.source.origin + ", " + s.model().class_name + " (" + s.model().source + ")");
  say(context, "plan: " + analysis.plan_name + (analysis.plan_source.empty() ? "" : " from " + analysis.plan_source));
  for (const ResolvedRule& r : analysis.rules) {
    say(context, "  " + r.rule.key + ": " + r.rule.strategy + " (" + to_string(r.origin) + ") hits " +
                     plural(r.modules, "module") + ", " + plural(r.parameters, "parameter"));
  }
  say(context, "hardware: " + s.hardware.name + " (" + s.hardware.origin + ")");
  for (const Assumption& a : s.assumptions)
    say(context, "assumed: " + a.name + " = " + a.value + " (" + a.set_by + ")");
}

void explain_figures(Context& context, const Report& report) {
  if (context.options.verbosity < 2 || context.options.quiet) return;
  for (const SizeResult& r : report.results) {
    say(context, "TP " + std::to_string(r.tp) + ": " + memory_formula(r.memory));
    if (r.prefill) {
      say(context, "  " + time_formula("prefill", *r.prefill, report.baseline.prefill, r.devices()));
      explain_phase(context, report.scenario, *r.prefill);
    }
    if (r.decode) {
      say(context, "  " + time_formula("decode", *r.decode, report.baseline.decode, r.devices()));
      explain_phase(context, report.scenario, *r.decode);
    }
  }
}

}  // namespace tpsim::cli
