#include <algorithm>

#include "cli/report.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kLabel = 15;

std::string labelled(std::string_view label, const std::string& text) { return padded(label, kLabel) + text; }

// `text` and, at the right margin, `aside` where both fit.
std::string with_aside(std::string text, const std::string& aside, int width) {
  const auto columns = static_cast<std::size_t>(std::min(width, 100));
  const std::size_t used = display_width(text) + display_width(aside);
  if (used + 2 > columns) return text + "  " + aside;
  return text + std::string(columns - used, ' ') + aside;
}

// "70.55 B", "124.44 M"
std::string parameters_text(std::int64_t count) {
  const double n = static_cast<double>(count);
  if (n >= 1e9) return fixed(n / 1e9, 2) + " B";
  return n >= 1e6 ? fixed(n / 1e6, 2) + " M" : grouped(count);
}

std::string model_line(const Scenario& s, const Analysis& analysis) {
  const Model& m = s.model();
  std::string text =
      s.input.source.id + "  " + parameters_text(analysis.parameter_count) + " params, " + to_string(s.weights);
  if (m.layers > 0) text += ", " + plural(m.layers, "layer");
  if (m.query_heads > 0)
    text += ", " + std::to_string(m.query_heads) + " q / " + std::to_string(m.kv_heads) + " kv heads";
  if (m.experts > 0) text += ", " + plural(m.experts, "expert");
  return text;
}

std::string rules_text(const Analysis& analysis) {
  const auto idle = std::count_if(analysis.rules.begin(), analysis.rules.end(),
                                  [](const ResolvedRule& r) { return r.modules + r.parameters == 0; });
  const auto rules = static_cast<std::int64_t>(analysis.rules.size());
  if (rules == 0) return "no rules, everything is a full copy";
  return plural(rules, "rule") + (idle == 0 ? ", all matched" : ", " + plural(idle, "matches", "match") + " nothing");
}

std::string release(const Dialect& dialect) {
  std::string text = to_string(dialect);
  std::replace(text.begin(), text.end(), '-', ' ');
  return text;
}

std::int64_t count(const std::vector<Problem>& problems, Severity severity) {
  return std::count_if(problems.begin(), problems.end(),
                       [&](const Problem& p) { return p.diagnostic.severity == severity; });
}

std::string plan_line(const Scenario& s, const Analysis& analysis, const std::vector<Problem>& problems) {
  return analysis.plan_name + " (" + release(s.dialect) + "): " + rules_text(analysis) + ", " +
         plural(count(problems, Severity::error), "error") + ", " +
         plural(count(problems, Severity::warning), "warning");
}

std::string hardware_line(const Hardware& h, Units units) {
  std::string text = bytes_text(h.memory.value, units) + ", " + rate_text(h.memory_bandwidth.value, "B/s");
  if (const auto peak = h.peak.find(DType::bf16); peak != h.peak.end()) {
    text += ", " + rate_text(peak->second.value, "FLOP/s") + " bf16";
  }
  return text + ", " + h.link.name + " " + rate_text(h.link.per_direction.value, "B/s") + " per direction";
}

std::string workload_line(const Scenario& s) {
  if (s.phase == Phase::train) return "batch " + std::to_string(s.batch) + ", sequence " + std::to_string(s.prompt);
  const std::string in_chunks = s.chunks().passes() > 1 ? " in chunks of " + std::to_string(s.chunk) : "";
  return "batch " + std::to_string(s.batch) + ", prompt " + std::to_string(s.prompt) + in_chunks + ", context " +
         std::to_string(s.context) + ", KV " + to_string(s.kv_cache);
}

std::string defaults(const Options& options) {
  std::vector<std::string> names;
  if (!options.batch) names.emplace_back("-b");
  if (!options.prompt) names.emplace_back("--prompt");
  if (!options.context && !options.generate && options.phase != Phase::train) names.emplace_back("--ctx");
  if (!options.hardware) names.emplace_back("--hw");
  return names.empty() ? std::string() : "(defaults: " + joined(names, " ") + ")";
}

}  // namespace

std::vector<std::string> scenario_heading(const Scenario& s, const Analysis& analysis,
                                          const std::vector<Problem>& problems, const Options& options, int width) {
  std::vector<std::string> lines = {with_aside(model_line(s, analysis), s.input.source.origin, width),
                                    labelled("plan", plan_line(s, analysis, problems)),
                                    labelled(s.hardware.name, hardware_line(s.hardware, options.units)),
                                    with_aside(labelled("workload", workload_line(s)), defaults(options), width)};
  if (!s.model().has_forward)
    for (const std::string& part : s.model().unknown_parts) {
      std::string label = "unknown";
      for (const std::string& line : wrapped(part, static_cast<std::size_t>(std::max(width, 40)) - 20)) {
        lines.push_back(labelled(label, line));
        label.clear();
      }
    }
  const std::int64_t trained = s.model().max_positions;
  if (trained > 0 && s.context > trained) {
    lines.push_back(labelled("", "context is longer than the model's " + std::to_string(trained) + " positions"));
  }
  return lines;
}

}  // namespace tpsim::cli
