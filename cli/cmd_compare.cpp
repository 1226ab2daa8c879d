#include <algorithm>
#include <cmath>

#include "cli/candidate.h"
#include "cli/commands.h"
#include "cli/document.h"
#include "cli/fail_if.h"
#include "cli/flags.h"
#include "cli/report.h"
#include "cli/sizes.h"
#include "cli/text.h"
#include "cli/values.h"

namespace tpsim::cli {
namespace {

struct Side {
  std::string label;
  Options options;
};

// "tp=4,hw=h200": flags of this command without their dashes.
Result<Side> side_of(const Options& base, const Command& command, const std::string& text) {
  Side side{text, base};
  side.options.operands.clear();
  for (const std::string& setting : split_list(text)) {
    const auto equals = setting.find('=');
    const Flag* const flag = equals == std::string::npos ? nullptr : find_flag(setting.substr(0, equals));
    if (flag == nullptr || (flag->sets & command.flags) == 0) {
      Error error = usage_error("\"" + setting + "\" is not a flag of compare with its value");
      error.fixes = {"tpsim compare -m MODEL tp=4 tp=8", "tpsim compare -m MODEL plan=auto plan=my_plan.json,tp=4"};
      return error;
    }
    if (auto applied = flag->apply(side.options, setting.substr(equals + 1)); !applied) {
      Error error = applied.error();
      error.message = setting.substr(0, equals) + ": " + error.message;
      return error;
    }
  }
  return side;
}

Result<std::vector<Side>> sides_of(const Context& context) {
  const Options& base = context.options;
  std::vector<std::string> texts = base.operands;
  if (texts.empty() && base.plans.size() > 1)
    for (const auto& plan : base.plans) texts.push_back("plan=" + plan);
  if (texts.empty() && base.tp && base.tp->sizes.size() > 1)
    for (const int tp : base.tp->sizes) texts.push_back("tp=" + std::to_string(tp));
  if (texts.size() < 2) {
    Error error = usage_error("compare needs two sides");
    error.fixes = {"tpsim compare -m MODEL tp=4 tp=8", "tpsim compare -m MODEL -p auto -p my_plan.json"};
    return error;
  }
  std::vector<Side> sides;
  for (const auto& text : texts) {
    auto side = side_of(base, context.command, text);
    if (!side) return side.error();
    sides.push_back(std::move(*side));
  }
  return sides;
}

Result<Candidate> sized(const Side& side) {
  const auto scenario = load_scenario(side.options);
  if (!scenario) return scenario.error();
  const auto tp = single_tp(side.options, *scenario);
  if (!tp) return tp.error();
  const auto result = size_up(*scenario, *tp, {});
  if (!result) return result.error();
  return candidate_of(*scenario, *result, side.label);
}

std::string value_text(const std::string& unit, double value, Units units) {
  if (unit == "us") return time_text(value * 1e-6);
  if (unit == "bytes") return bytes_text(std::llround(value), units);
  return fixed(value, 0);
}

std::string change_text(const FigureChange& f) {
  return std::isfinite(f.change) ? (f.change >= 0 ? "+" : "") + percent(f.change, 1) : "new";
}

std::string verdict_on(const FigureChange& f) {
  if (!f.differs) return f.change == 0 ? "the same" : "no difference (inside the band)";
  return (f.change < 0) == f.lower_is_better ? "better" : "worse";
}

Table figure_table(const std::vector<Comparison>& comparisons, Units units) {
  Table table;
  table.columns = {{"side", "side", false, 0},    {"figure", "figure", false, 0}, {"before", "before", true, 80},
                   {"after", "after", true, 0},   {"change", "change", true, 0},  {"band", "+-", true, 60},
                   {"answer", "answer", false, 0}};
  for (const Comparison& c : comparisons)
    for (const FigureChange& f : c.figures) {
      Row row;
      row.cells = {cell(c.after),
                   cell(f.name),
                   cell(f.before, 3, value_text(f.unit, f.before, units)),
                   cell(f.after, 3, value_text(f.unit, f.after, units)),
                   cell(f.change, 6, change_text(f)),
                   cell(f.band, 6, f.band > 0 ? percent(f.band, 1) : "exact"),
                   cell(verdict_on(f))};
      table.rows.push_back(std::move(row));
    }
  return table;
}

std::string strategy_text(const ModuleFigures& m) {
  return m.module.empty() ? "-" : m.strategy.empty() ? "no rule" : m.strategy;
}

std::vector<std::string> module_lines(const Comparison& c, Units units, std::size_t limit) {
  std::vector<std::string> lines;
  for (const ModuleChange& change : c.modules) {
    if (lines.size() == limit) {
      lines.push_back("... and " + plural(static_cast<std::int64_t>(c.modules.size() - limit), "more module"));
      break;
    }
    const auto &a = change.before, &b = change.after;
    std::string line = (a.module.empty() ? b.module : a.module) + ": ";
    std::vector<std::string> parts;
    if (a.strategy != b.strategy) parts.push_back(strategy_text(a) + " -> " + strategy_text(b));
    if (a.rank_bytes != b.rank_bytes)
      parts.push_back(bytes_text(a.rank_bytes, units) + " -> " + bytes_text(b.rank_bytes, units) + " per rank");
    if (a.collectives != b.collectives)
      parts.push_back(plural(a.collectives, "collective") + " -> " + std::to_string(b.collectives));
    if (a.us != b.us) parts.push_back(time_text(a.us * 1e-6) + " -> " + time_text(b.us * 1e-6));
    lines.push_back(line + joined(parts, ", "));
  }
  return lines;
}

void write_module(JsonWriter& json, std::string_view name, const ModuleFigures& m) {
  json.key(name);
  if (m.module.empty()) return json.null();
  json.begin_object();
  json.member("strategy", m.strategy);
  json.member("rank_bytes", m.rank_bytes);
  json.member("collectives", m.collectives);
  json.member("wire_bytes", m.wire_bytes);
  json.member("time_us", m.us, 3);
  json.end_object();
}

void write_comparison(JsonWriter& json, const Comparison& c) {
  json.begin_object();
  json.member("before", c.before);
  json.member("after", c.after);
  json.key("figures");
  json.begin_array();
  for (const FigureChange& f : c.figures) {
    json.begin_object();
    json.member("figure", f.name);
    json.member("unit", f.unit);
    json.member("before", f.before, 3);
    json.member("after", f.after, 3);
    json.member("change", f.change, 6);
    json.member("band", f.band, 6);
    json.member("differs", f.differs);
    json.end_object();
  }
  json.end_array();
  json.key("modules");
  json.begin_array();
  for (const ModuleChange& m : c.modules) {
    json.begin_object();
    json.member("module", m.before.module.empty() ? m.after.module : m.before.module);
    write_module(json, "before", m.before);
    write_module(json, "after", m.after);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_json(JsonWriter& json, const std::vector<Comparison>& comparisons, const std::vector<Candidate>& sides,
                const std::vector<std::string>& held) {
  json.begin_object();
  json.member("schema", "tpsim.compare/1");
  json.key("sides");
  json.begin_array();
  for (const Candidate& side : sides) {
    json.begin_object();
    json.member("label", side.label);
    json.member("verdict", to_string(side.verdict));
    json.member("devices", side.ranks);
    json.end_object();
  }
  json.end_array();
  json.key("comparisons");
  json.begin_array();
  for (const Comparison& c : comparisons) write_comparison(json, c);
  json.end_array();
  json.array("failed", held);
  json.end_object();
}

Result<std::vector<std::string>> failures(const Options& options, const std::vector<Comparison>& comparisons) {
  std::vector<std::string> held;
  for (const auto& text : options.fail_if) {
    const auto condition = parse_fail_if(text);
    if (!condition) return condition.error();
    for (const Comparison& c : comparisons) {
      const auto hit = holds(*condition, c);
      if (!hit) return hit.error();
      if (*hit) held.push_back(condition->text + " (" + c.after + ")");
    }
  }
  return held;
}

std::vector<std::string> notes_of(const std::vector<Comparison>& comparisons, const std::vector<Candidate>& sides,
                                  const Options& options) {
  constexpr std::size_t most_modules = 12;
  std::vector<std::string> notes;
  for (const Candidate& side : sides)
    if (side.verdict != Verdict::right)
      notes.push_back(side.label + ": the plan is " +
                      (side.verdict == Verdict::wrong ? "wrong" : to_string(side.verdict)) + "; see tpsim check");
  for (const Comparison& c : comparisons) {
    notes.push_back("modules, " + c.before + " -> " + c.after + (c.modules.empty() ? ": no difference" : ":"));
    for (const auto& line : module_lines(c, options.units, options.verbosity > 0 ? c.modules.size() : most_modules))
      notes.push_back("  " + line);
  }
  notes.push_back(
      "+-: what the errors of the model leave open in the change, 90 %. Equal kernels on one machine cancel: tpsim "
      "compare --help.");
  return notes;
}

Result<int> run(Context& context) {
  const auto sides = sides_of(context);
  if (!sides) return sides.error();
  std::vector<Candidate> candidates;
  for (const Side& side : *sides) {
    auto candidate = sized(side);
    if (!candidate) return candidate.error();
    candidates.push_back(std::move(*candidate));
  }
  std::vector<Comparison> comparisons;
  for (std::size_t i = 1; i < candidates.size(); ++i) comparisons.push_back(compare(candidates[0], candidates[i]));
  const auto held = failures(context.options, comparisons);
  if (!held) return held.error();
  Document document;
  document.title = "Comparison with " + candidates[0].label;
  document.heading = {"against       " + candidates[0].label};
  document.table = figure_table(comparisons, context.options.units);
  document.notes = notes_of(comparisons, candidates, context.options);
  document.json = [&](JsonWriter& json) { write_json(json, comparisons, candidates, *held); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  for (const auto& text : *held) context.err += "fail-if holds: " + text + "\n";
  return held->empty() ? kExitYes : kExitNo;
}

}  // namespace

Command compare_command() {
  Command command;
  command.name = "compare";
  command.summary = "plans, TP sizes, dialects, hardware or workloads side by side, and whether they differ";
  command.operands = "SIDE SIDE...";
  command.max_operands = 64;
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kTableFlags | kCompareFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "hw", "tp", "fail-if"};
  command.examples = {{"tpsim compare -m llama-3.1-70b tp=4 tp=8", "two sizes of the shipped plan"},
                      {"tpsim compare -m llama-3.1-70b --tp 4 -p auto -p my_plan.json --fail-if 'decode>+5%'", "in CI"},
                      {"tpsim compare -m llama-3.1-8b hw=h100-sxm,tp=2 hw=h200,tp=1 --json", "hardware, for programs"}};
  command.description =
      "A side is a list of this command's flags without dashes (tp=4,hw=h200); what it does not say is taken from the "
      "command line. Without sides, those are the plans of several -p or the sizes of --tp. All are compared with the "
      "first. Bytes and counts are exact. Times differ only if the change is larger than what the model's errors leave "
      "open; errors of kernels that both sides run on the same machine cancel. Exit 1 if a --fail-if holds.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
