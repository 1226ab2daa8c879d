#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/passes_output.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/verbose.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

struct Fit {
  Report report;
  int gpus = 1;
  const SizeResult* best = nullptr;  // the largest right size that fits; null: the answer is no
  int enough = 0;                    // the smallest larger number of GPUs that would do; 0 = none found
};

std::string gib(std::int64_t bytes, Units units) { return bytes_number(bytes, units); }

std::int64_t spare(const SizeResult& result) { return result.memory.capacity - result.memory.total; }

// Sizes to try: those of --tp up to the devices at hand, else every valid size that divides their number.
std::vector<int> candidates(const Scenario& scenario, const Options& options, int gpus) {
  std::vector<int> sizes;
  if (options.tp && !options.tp->valid) {
    sizes = options.tp->sizes;
  } else {
    sizes = valid_tp_sizes(scenario.model(), request_for(scenario, 1, Pass::forward), gpus);
    std::erase_if(sizes, [&](int tp) { return gpus % tp != 0; });
  }
  std::erase_if(sizes, [&](int tp) { return tp > gpus; });
  return sizes;
}

const SizeResult* largest_fit(const Report& report) {
  const auto it = std::find_if(report.results.rbegin(), report.results.rend(),
                               [](const SizeResult& r) { return r.right() && r.memory.fits; });
  return it == report.results.rend() ? nullptr : &*it;
}

std::string headline(const SizeResult& r, Units units) {
  const std::string of =
      gib(r.memory.total, units) + " of " + gib(r.memory.capacity, units) + " " + bytes_unit(units) + " per GPU";
  if (!r.memory.fits) return "TP=" + std::to_string(r.tp) + ": " + of + ", " + gib(-spare(r), units) + " too much";
  const double share = static_cast<double>(r.memory.total) / static_cast<double>(r.memory.capacity);
  return "TP=" + std::to_string(r.tp) + ": " + of + " (" + fixed(share * 100, 0) + " %), " + gib(spare(r), units) +
         " " + bytes_unit(units) + " free";
}

std::string parts(const SizeResult& r, Units units) {
  const MemoryFit& m = r.memory;
  return "weights " + gib(m.weights, units) + " + KV " + gib(m.kv_cache, units) + " + activations " +
         gib(m.activations, units) + " + communication " + gib(m.communication, units) + " + runtime " +
         gib(m.runtime, units);
}

std::string room(const Scenario& s, const SizeResult& r) {
  constexpr std::int64_t long_context = 131072;
  const std::int64_t tokens = r.memory.max_kv_tokens;
  std::string text = "room for " + grouped(tokens) + " KV tokens: " + plural(tokens / s.context, "sequence") + " of " +
                     std::to_string(s.context);
  if (s.context < long_context)
    text += ", or " + std::to_string(tokens / long_context) + " of " + std::to_string(long_context);
  return text;
}

std::string speed(const Scenario& s, const SizeResult& r) {
  if (!r.prefill && !r.decode) return {};
  std::string text = "speed (batch " + std::to_string(s.batch) + ", context " + std::to_string(s.context) + "): ";
  if (r.prefill) {
    text += "prefill " + std::to_string(s.batch) + "x" + std::to_string(s.prompt) +
            (s.chunks().passes() > 1 ? " in " + chunks_text(s) : "") + " " + time_text(r.prefill->time.total.count());
  }
  if (r.decode) {
    text += std::string(r.prefill ? ", " : "") + "decode " + fixed(milliseconds(r.decode->time.total), 2) +
            " ms/step = " + fixed(tokens_per_second(s, *r.decode), 0) + " tok/s";
  }
  const Prediction& time = (r.decode ? r.decode : r.prefill)->time;
  return text + "  [" + to_string(time.source) + ", +-" + fixed(std::expm1(time.band) * 100, 0) + " %]";
}

std::string other_size(const Scenario& s, const SizeResult& r, Units units) {
  const std::string who = plural(r.devices(), "GPU");
  if (!r.right()) return who + ": the plan is " + (r.runs() ? "wrong" : "an error") + " at this size";
  if (!r.memory.fits) return who + " would not fit (+" + gib(-spare(r), units) + " " + bytes_unit(units) + ")";
  std::string text = who + " would also fit (" + gib(spare(r), units) + " " + bytes_unit(units) + " free";
  if (r.decode) text += ", " + fixed(tokens_per_second(s, *r.decode), 0) + " tok/s";
  return text + ")";
}

std::string other_sizes(const Fit& fit, const SizeResult* shown, Units units) {
  std::vector<std::string> texts;
  for (auto it = fit.report.results.rbegin(); it != fit.report.results.rend(); ++it)
    if (&*it != shown) texts.push_back(other_size(fit.report.scenario, *it, units));
  return joined(texts, "; ");
}

void append_indented(std::string& out, const std::string& text, int width) {
  constexpr std::size_t indent = 5;
  for (const auto& line : wrapped(text, static_cast<std::size_t>(std::max(width, 40)) - indent)) {
    out += std::string(indent, ' ') + line + "\n";
  }
}

void print_answer(Context& context, const Fit& fit) {
  const Units units = context.options.units;
  const Scenario& s = fit.report.scenario;
  const SizeResult& shown = fit.best ? *fit.best : fit.report.results.back();
  const int width = context.terminal.width;
  context.out += (fit.best ? styled("YES", Style::bold, context.terminal) : styled("NO", Style::red, context.terminal));
  if (shown.right()) {
    context.out += (fit.best ? "  " : "   ") + headline(shown, units) + "\n";
    append_indented(context.out, parts(shown, units), width);
  } else {
    context.out += "   TP=" + std::to_string(shown.tp) + ": the plan is " + (shown.runs() ? "wrong" : "an error") +
                   " at this size (" + joined(distinct(shown.forward.verdict_reasons), ", ") + "); see tpsim check\n";
  }
  if (fit.best) append_indented(context.out, room(s, shown), width);
  if (fit.best && !context.options.quiet) append_indented(context.out, speed(s, shown), width);
  if (fit.best && shown.generation && !context.options.quiet)
    append_indented(context.out, generation_text(s, *shown.generation), width);
  if (fit.enough > 0)
    append_indented(context.out, plural(fit.enough, "GPU") + " would do: --gpus " + std::to_string(fit.enough), width);
  if (const auto others = other_sizes(fit, &shown, units); !others.empty()) append_indented(context.out, others, width);
}

void write_fit(JsonWriter& json, const Fit& fit) {
  const Scenario& s = fit.report.scenario;
  const Analysis& any = fit.report.shown();
  json.begin_object();
  json.member("schema", "tpsim.fit/1");
  json.key("tool");
  json.begin_object();
  json.member("name", "tpsim");
  json.member("version", kVersion);
  json.end_object();
  write_inputs(json, s, any);
  write_workload(json, s);
  json.member("gpus", fit.gpus);
  json.member("fits", fit.best != nullptr);
  json.key("tp");
  fit.best ? json.value(fit.best->tp) : json.null();
  json.key("sizes");
  write_rows(report_table(fit.report, Units::bytes), json);
  json.key("problems");
  write_problems(json, fit.report.problems);
  json.end_object();
}

Error nothing_to_try(const Options& options, int gpus) {
  Error error = input_error("the plan is right at no size that divides " + plural(gpus, "GPU"));
  error.fixes = {"tpsim check -m " + *options.model + " --tp " + std::to_string(gpus) + "   says why"};
  return error;
}

Result<void> check_described(const Scenario& scenario) {
  const auto analysis = analyze(scenario.model(), baseline_request(scenario, Pass::forward));
  if (!analysis) return analysis.error();
  if (analysis->verdict != Verdict::unknown) return {};
  Error error = input_error("the forward pass of this model is not described, so only its weights are known",
                            scenario.input.source.origin);
  error.fixes = {"tpsim report shows them; tpsim models list shows the described model types"};
  return error;
}

// The smallest valid size above `gpus` that fits; 0 where there is none.
int enough_gpus(const Report& report, int gpus) {
  for (const int tp : report.valid.tp) {
    if (tp <= gpus) continue;
    const auto result = size_up(report.scenario, tp, report.baseline);
    if (result && result->memory.fits) return tp;
  }
  return 0;
}

Result<Fit> find_fit(const Options& options) {
  auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const int gpus = options.gpus.value_or(scenario->hardware.devices_per_node * options.nodes.value_or(1));
  if (auto known = check_described(*scenario); !known) return known.error();
  const auto sizes = candidates(*scenario, options, gpus);
  if (sizes.empty()) return nothing_to_try(options, gpus);
  auto report = build_report(std::move(*scenario), TpChoice{false, sizes});
  if (!report) return report.error();
  Fit fit{std::move(*report), gpus, nullptr, 0};
  if (largest_fit(fit.report) == nullptr) fit.enough = enough_gpus(fit.report, gpus);
  return fit;
}

Result<int> run(Context& context) {
  auto fit = find_fit(context.options);
  if (!fit) return fit.error();
  fit->best = largest_fit(fit->report);
  explain_inputs(context, fit->report.scenario, fit->report.shown());
  explain_figures(context, fit->report);
  if (output_format(context.options) == Format::table && !context.options.fields_given) {
    print_answer(context, *fit);
    if (!context.options.hardware && !context.options.quiet) {
      context.err += "hardware " + fit->report.scenario.hardware.name + " (default: --hw)\n";
    }
    return fit->best ? kExitYes : kExitNo;
  }
  Document document;
  document.title = "Does " + fit->report.scenario.input.source.id + " fit on " + plural(fit->gpus, "GPU") + "?";
  document.table = report_table(fit->report, context.options.units);
  document.json = [&](JsonWriter& json) { write_fit(json, *fit); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return fit->best ? kExitYes : kExitNo;
}

}  // namespace

Command fit_command() {
  Command command;
  command.name = "fit";
  command.summary = "does it fit on these GPUs, with which TP size, how fast";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kTableFlags;
  command.required = {"model"};
  command.in_usage = {"hw", "gpus", "batch", "ctx", "dtype"};
  command.examples = {{"tpsim fit -m meta-llama/Llama-3.1-70B --hw h100-sxm --gpus 4", ""},
                      {"tpsim fit -m config.json --hw l40s --gpus 2 --ctx 32Ki -b 1", "one long conversation"},
                      {"tpsim fit -m config.json --gpus 8 -q && ./launch", "in a script: exit 1 if it does not fit"}};
  command.description =
      "Tries every TP size at which the plan is right and that divides the number of GPUs (or the sizes of --tp) and "
      "proposes the largest that fits.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
