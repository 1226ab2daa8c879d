#include <algorithm>

#include "cli/check_formats.h"
#include "cli/check_shipped.h"
#include "cli/checking.h"
#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/plan_output.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/valid_text.h"
#include "cli/verbose.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

constexpr int kValidLimit = 16;

struct CheckResult {
  PlanCheck check;
  std::vector<int> sizes;
  ValidSizes valid;
  std::vector<std::string> applied;
};

const char* meaning(Verdict verdict) {
  switch (verdict) {
    case Verdict::right: return "right: the numbers of the unsharded model";
    case Verdict::wrong: return "WRONG: it runs and gives other numbers";
    case Verdict::error: return "ERROR: it raises or hangs";
    case Verdict::unknown: return "unknown: the model's forward pass is not described";
  }
  return "";
}

std::string verdict_line(const SizeVerdict& v) {
  std::string text = "TP " + std::to_string(v.tp) + "  " + meaning(v.verdict);
  if (!v.reasons.empty()) text += " (" + joined(distinct(v.reasons), ", ") + ")";
  return text;
}

std::string summary_line(const Scenario& s, const CheckResult& r) {
  return r.check.analysis.plan_name + " for " + s.input.source.id + ", " + to_string(s.dialect) + ": " +
         plural(r.check.count(Severity::error), "error") + ", " + plural(r.check.count(Severity::warning), "warning");
}

std::string valid_line(const CheckResult& r) {
  if (r.valid.tp.empty()) return "no TP size up to " + std::to_string(kValidLimit) + " is valid for this plan";
  std::string text = "valid TP sizes up to " + std::to_string(kValidLimit) + ": " + sizes_text(r.valid, kValidLimit);
  if (const auto pairs = pairs_text(r.valid); !pairs.empty()) text += "\nvalid with expert parallelism: " + pairs;
  return text;
}

bool has_edit(const Problem& problem) {
  const auto& fixes = problem.diagnostic.fixes;
  return std::any_of(fixes.begin(), fixes.end(), [](const Fix& fix) { return !fix.patch.empty(); });
}

std::string repair_line(const Scenario& s, const CheckResult& r, const Options& options) {
  const auto& problems = r.check.problems;
  const bool repairable = std::any_of(problems.begin(), problems.end(), has_edit);
  if (options.fix || !repairable || s.plan.file.empty() || s.plan.file == "-") return {};
  return "to apply the first fix of each: tpsim check -m " + *options.model + " -p " + s.plan.file + " --fix -o " +
         s.plan.file + "\n";
}

std::string check_text(const Scenario& s, const CheckResult& r, const Options& options, const Terminal& terminal) {
  std::string out;
  for (const auto& edit : r.applied) out += "applied " + edit + "\n";
  if (!r.applied.empty()) out += "\n";
  out += diagnostics_text(with_sizes(r.check.problems, r.sizes), s.plan.text, terminal);
  if (options.quiet) return out;
  if (!r.check.problems.empty()) out += "\n";
  out += summary_line(s, r) + "\n";
  for (const SizeVerdict& v : r.check.verdicts) out += verdict_line(v) + "\n";
  return out + valid_line(r) + "\n" + repair_line(s, r, options);
}

Table problem_table(const CheckResult& r) {
  Table table;
  table.columns = {{"code", "code", false, 0},
                   {"severity", "severity", false, 0},
                   {"where", "where", false, 0},
                   {"rule", "rule", false, 0},
                   {"message", "message", false, 0, {}, true},
                   {"tp", "TP", false, 0},
                   {"effect_bytes", "effect, bytes", true, 0}};
  for (const Problem& problem : r.check.problems) {
    const Diagnostic& d = problem.diagnostic;
    table.rows.push_back(
        {{cell(d.code), cell(std::string(to_string(d.severity))), cell(d.where), cell(d.rule), cell(d.message),
          cell(joined(problem.sizes, " ")), d.effect_bytes ? cell(*d.effect_bytes) : no_value()},
         {}});
  }
  return table;
}

void write_check(JsonWriter& json, const Scenario& s, const CheckResult& r) {
  json.begin_object();
  json.member("schema", "tpsim.check/1");
  json.key("tool");
  json.begin_object();
  json.member("name", "tpsim");
  json.member("version", kVersion);
  json.end_object();
  write_inputs(json, s, r.check.analysis);
  json.member("errors", r.check.count(Severity::error));
  json.member("warnings", r.check.count(Severity::warning));
  write_valid_sizes(json, r.valid);
  json.key("results");
  json.begin_array();
  for (const SizeVerdict& v : r.check.verdicts) {
    json.begin_object();
    json.member("tp", v.tp);
    json.member("verdict", to_string(v.verdict));
    json.array("verdict_reasons", v.reasons);
    json.end_object();
  }
  json.end_array();
  json.array("applied", r.applied);
  json.key("problems");
  write_problems(json, r.check.problems);
  json.end_object();
}

int exit_code_of(const CheckResult& r, const Options& options) {
  const bool wrong = std::any_of(r.check.verdicts.begin(), r.check.verdicts.end(), [](const SizeVerdict& v) {
    return v.verdict == Verdict::wrong || v.verdict == Verdict::error;
  });
  const bool bad =
      wrong || r.check.count(Severity::error) > 0 || (options.strict && r.check.count(Severity::warning) > 0);
  return bad ? kExitNo : kExitYes;
}

// The repaired plan as it will be written, so that what is left to say points into the new text.
Result<void> read_again(Scenario& s, const Options& options) {
  s.plan.text = plan_text(s.plan.choice.plan, options);
  auto plan = read_plan(s.plan.text, options.output.value_or("standard output"));
  if (!plan) return plan.error();
  plan->name = s.plan.choice.plan.name;
  s.plan.choice.plan = std::move(*plan);
  return {};
}

Result<CheckResult> examine(Scenario& s, const Options& options) {
  CheckResult result;
  result.sizes = options.tp && !options.tp->valid ? options.tp->sizes : std::vector<int>{2};
  if (options.fix) {
    auto repair = repair_plan(s, result.sizes);
    if (!repair) return repair.error();
    result.applied = std::move(repair->applied);
    if (auto read = read_again(s, options); !read) return read.error();
  }
  result.valid = valid_sizes(s.model(), request_for(s, 1, Pass::forward), kValidLimit);
  if (options.tp && options.tp->valid && !result.valid.tp.empty()) result.sizes = result.valid.tp;
  auto check = check_plan(s, result.sizes);
  if (!check) return check.error();
  result.check = std::move(*check);
  return result;
}

// The plan goes to the file of -o, or to standard output and the text to standard error.
Result<void> write_plan(Context& context, const Scenario& s, std::string report) {
  const std::string text = plan_text(s.plan.choice.plan, context.options);
  if (!context.options.output || *context.options.output == "-") {
    context.out = text;
    context.err += report;
    context.output_written = true;
    return {};
  }
  if (auto written = write_file(*context.options.output, text); !written) return written.error();
  context.out = std::move(report);
  context.output_written = true;
  return {};
}

bool wants_text(const Options& options) {
  if (options.fix) return !options.format || *options.format == Format::table;
  return output_format(options) == Format::table;
}

// Where problems without a place of their own are shown: the plan's file, else the config's.
std::string file_shown(const Scenario& s) {
  if (!s.plan.file.empty()) return s.plan.file;
  const std::string& origin = s.input.source.origin;
  return origin.ends_with(".json") ? origin : std::string();
}

// Appends the answer to context.out.
Result<void> answer(Context& context, const Scenario& s, const CheckResult& result) {
  const Options& options = context.options;
  if (wants_text(options)) {
    const bool to_stderr = options.fix && !options.output;
    context.out += check_text(s, result, options, to_stderr ? context.err_terminal : context.terminal);
    return {};
  }
  const Format format = output_format(options);
  if (format == Format::github || format == Format::sarif) {
    const CheckedFile checked{file_shown(s), s.plan.text, &s.plan.choice.plan};
    const auto& problems = result.check.problems;
    context.out += format == Format::github ? to_github(problems, checked) : to_sarif(problems, checked);
    return {};
  }
  Document document;
  document.title = summary_line(s, result);
  document.table = problem_table(result);
  for (const SizeVerdict& v : result.check.verdicts) document.notes.push_back(verdict_line(v));
  document.json = [&](JsonWriter& json) { write_check(json, s, result); };
  return emit(context, std::move(document));
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  if (options.shipped) return run_check_shipped(context);
  auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  if (options.fix && scenario->plan.choice.kind != PlanKind::manual) {
    return usage_error("--fix needs a plan file: -p FILE");
  }
  const auto result = examine(*scenario, options);
  if (!result) return result.error();
  explain_inputs(context, *scenario, result->check.analysis);
  if (auto answered = answer(context, *scenario, *result); !answered) return answered.error();
  if (options.fix) {
    if (auto written = write_plan(context, *scenario, std::move(context.out)); !written) return written.error();
  }
  return exit_code_of(*result, options);
}

}  // namespace

Command check_command() {
  Command command;
  command.name = "check";
  command.summary = "what is wrong with a plan, what this Transformers release would do with it, and the fix";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kSizeFlags | kDtypeFlags | kCheckFlags |
                  kTableFlags | kPlanOutputFlags;
  command.required = {"model"};
  command.instead_of_required = "shipped";
  command.in_usage = {"plan", "dialect", "tp", "fix", "strict", "output"};
  command.examples = {
      {"tpsim check -m config.json -p my_plan.json", "at TP 2"},
      {"tpsim check -m config.json -p my_plan.json --tp 2,4,8 --strict", "exit 1 on warnings, too"},
      {"tpsim check -m config.json -p my_plan.json --fix -o my_plan.json", "apply the proposed edits"},
      {"tpsim check -m config.json -p modeling.py --base-plan --dialect transformers-5.15", "a config class's plan"},
      {"tpsim check -m config.json -p my_plan.json --format sarif -o tpsim.sarif",
       "for code scanning; github: annotations"},
      {"tpsim check --shipped --dialect transformers-5.23 --tp 2,4", "every plan of a release"}};
  command.description =
      "Exit 1 if there is an error at one of the sizes (default: TP 2), or a warning under --strict. --fix applies the "
      "first edit of each problem as long as it helps; a file is written only if the whole command succeeds.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
