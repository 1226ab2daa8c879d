#include "gui/model/document.h"

#include <algorithm>

#include "cli/text.h"

namespace tpsim::gui {
namespace {

bool needs_quotes(std::string_view text) {
  return text.empty() || text.find_first_of(" '\"$&|;()<>*?[]{}\\`") != std::string_view::npos;
}

std::string quoted(const std::string& text) {
  if (!needs_quotes(text)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

const char* phase_name(cli::Phase phase) {
  switch (phase) {
    case cli::Phase::prefill: return "prefill";
    case cli::Phase::decode: return "decode";
    case cli::Phase::both: return "both";
    case cli::Phase::train: return "train";
  }
  return "";
}

}  // namespace

cli::Options options_of(const Document& d, Side side) {
  const PlanEntry& plan = side == Side::a ? d.plan_a() : d.plan_b();
  cli::Options options;
  options.model = d.model;
  options.set = d.set;
  if (plan.text.empty() && plan.source != "auto") options.plan = plan.source;
  options.base_plan = plan.text.empty() && plan.base_plan;
  options.dialect = d.dialect;
  options.ep = d.ep;
  const bool other = side == Side::b && !d.baseline_hardware.empty();
  options.hardware = other ? d.baseline_hardware : d.hardware;
  if (!d.link.empty() && !other) options.link = d.link;
  if (!d.profile.empty() && !other) options.profile = d.profile;
  if (d.stack != "forward") options.stack = d.stack;
  options.tp = cli::TpChoice{false, {side == Side::b ? d.baseline_tp.value_or(d.tp) : d.tp}};
  options.phase = d.phase;
  options.batch = d.batch;
  options.prompt = d.prompt;
  options.context = d.context;
  options.dtype = d.dtype;
  options.kv_dtype = d.kv_dtype;
  return options;
}

Result<Document> document_of(const cli::Options& o) {
  Document d;
  d.model = o.model.value_or("");
  d.set = o.set;
  d.plans[0].source = d.plans[0].name = o.plan.value_or("auto");
  d.plans[0].base_plan = o.base_plan;
  d.hardware = o.hardware.value_or(d.hardware);
  d.stack = o.stack.value_or(d.stack);
  d.link = o.link.value_or("");
  d.profile = o.profile.value_or("");
  d.ep = o.ep;
  d.dialect = o.dialect;
  d.phase = o.phase;
  d.batch = o.batch;
  d.prompt = o.prompt;
  d.context = o.context;
  d.dtype = o.dtype;
  d.kv_dtype = o.kv_dtype;
  if (o.phase == cli::Phase::train) {
    Error error = usage_error("gui shows prefill and decode, not training");
    error.fixes = {"tpsim report --phase train"};
    return error;
  }
  if (!o.tp) return d;
  if (o.tp->valid || o.tp->sizes.size() != 1) {
    Error error = usage_error("gui shows one TP size at a time beside the speed-up over all");
    error.fixes = {"--tp 4"};
    return error;
  }
  d.tp = o.tp->sizes.front();
  return d;
}

std::string command_line(const Document& d, Side side, const std::string& plan_file) {
  const cli::Options o = options_of(d, side);
  const PlanEntry& plan = side == Side::a ? d.plan_a() : d.plan_b();
  std::string line = "tpsim report -m " + quoted(d.model);
  const auto add = [&](const char* flag, const std::string& value) {
    line += std::string(" ") + flag + " " + quoted(value);
  };
  for (const std::string& set : o.set) add("--set", set);
  if (!plan.text.empty()) add("-p", plan_file);
  if (plan.text.empty() && plan.source != "auto") add("-p", plan.source);
  if (plan.base_plan) line += " --base-plan";
  if (o.dialect != kNewestDialect) add("--dialect", to_string(o.dialect) + (o.dialect.extensions ? "+tpsim" : ""));
  const bool other = side == Side::b && !d.baseline_hardware.empty();
  add("--hw", d.hardware_set.empty() || other ? *o.hardware : "hardware.json");
  if (o.link) add("--link", *o.link);
  if (o.profile) add("--profile", *o.profile);
  if (o.stack) add("--stack", *o.stack);
  add("--tp", std::to_string(o.tp->sizes.front()));
  if (o.ep > 1) add("--ep", std::to_string(o.ep));
  if (o.phase != cli::Phase::both) add("--phase", phase_name(o.phase));
  if (o.batch) add("-b", std::to_string(*o.batch));
  if (o.prompt) add("--prompt", std::to_string(*o.prompt));
  if (o.context) add("--ctx", std::to_string(*o.context));
  if (o.dtype) add("--dtype", to_string(*o.dtype));
  if (o.kv_dtype) add("--kv-dtype", to_string(*o.kv_dtype));
  return line;
}

}  // namespace tpsim::gui
