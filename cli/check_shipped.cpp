#include "cli/check_shipped.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cli/document.h"
#include "cli/output.h"
#include "cli/text.h"
#include "core/shipped_check.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

constexpr int kDefaultSizes[] = {2, 4};

std::int64_t count(const std::vector<ShippedResult>& results, ShippedState state) {
  return std::count_if(results.begin(), results.end(), [state](const ShippedResult& r) { return r.state == state; });
}

const ShippedVerdict* first_failure(const ShippedResult& result) {
  const auto failed = std::find_if(result.verdicts.begin(), result.verdicts.end(),
                                   [](const ShippedVerdict& v) { return v.verdict != Verdict::right; });
  return failed == result.verdicts.end() ? nullptr : &*failed;
}

std::string verdicts_text(const ShippedResult& result) {
  std::vector<std::string> parts;
  for (const ShippedVerdict& v : result.verdicts) parts.push_back(std::to_string(v.tp) + " " + to_string(v.verdict));
  return joined(parts, ", ");
}

// A broken plan's reason, whole.
std::vector<std::string> reasons(const std::vector<ShippedResult>& results) {
  std::vector<std::string> lines;
  for (const ShippedResult& r : results) {
    if (r.state != ShippedState::broken) continue;
    const ShippedVerdict* failed = first_failure(r);
    lines.push_back(r.model_type + ": " + failed->code + " at " + failed->where + ": " + failed->message);
  }
  return lines;
}

Style style_of(ShippedState state) { return state == ShippedState::broken ? Style::red : Style::plain; }

Table shipped_table(const std::vector<ShippedResult>& results, bool all) {
  Table table;
  table.columns = {{"model_type", "model type", false, 0},
                   {"configuration", "configuration", false, 100},
                   {"state", "plan", false, 0},
                   {"verdicts", "TP and verdict", false, 0},
                   {"code", "code", false, 0},
                   {"where", "where", false, 120},
                   {"reason", "reason", false, 0, {}, true}};
  for (const ShippedResult& r : results) {
    const bool telling = r.state == ShippedState::broken || r.state == ShippedState::limited;
    if (!all && !telling) continue;
    const ShippedVerdict* failed = first_failure(r);
    table.rows.push_back(
        {{cell(r.model_type), cell(r.configuration), cell(to_string(r.state), style_of(r.state)),
          cell(verdicts_text(r)), cell(failed == nullptr ? "" : failed->code),
          cell(failed == nullptr ? "" : failed->where), cell(failed == nullptr ? r.reason : failed->message)},
         {}});
  }
  return table;
}

std::string summary(const Dialect& dialect, const std::vector<ShippedResult>& results) {
  return "plans shipped by " + to_string(dialect) + ": " + std::to_string(count(results, ShippedState::right)) +
         " right, " + std::to_string(count(results, ShippedState::limited)) + " limited by a size, " +
         std::to_string(count(results, ShippedState::broken)) + " broken, " +
         std::to_string(count(results, ShippedState::not_checked)) + " not checked";
}

void write_result(JsonWriter& json, const ShippedResult& r) {
  json.begin_object();
  json.member("model_type", r.model_type);
  json.member("configuration", r.configuration);
  json.member("state", to_string(r.state));
  if (!r.reason.empty()) json.member("reason", r.reason);
  json.key("verdicts");
  json.begin_array();
  for (const ShippedVerdict& v : r.verdicts) {
    json.begin_object();
    json.member("tp", v.tp);
    json.member("verdict", to_string(v.verdict));
    if (v.verdict != Verdict::right) {
      json.member("code", v.code);
      json.member("where", v.where);
      json.member("message", v.message);
    }
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_shipped(JsonWriter& json, const Dialect& dialect, const std::vector<ShippedResult>& results) {
  json.begin_object();
  json.member("schema", "tpsim.check_shipped/1");
  json.key("tool");
  json.begin_object();
  json.member("name", "tpsim");
  json.member("version", kVersion);
  json.end_object();
  json.member("dialect", to_string(dialect));
  for (const ShippedState state :
       {ShippedState::right, ShippedState::limited, ShippedState::broken, ShippedState::not_checked})
    json.member(state == ShippedState::not_checked ? "not_checked" : to_string(state), count(results, state));
  json.key("results");
  json.begin_array();
  for (const ShippedResult& r : results) write_result(json, r);
  json.end_array();
  json.end_object();
}

}  // namespace

Result<int> run_check_shipped(Context& context) {
  const Options& options = context.options;
  if (options.model || options.plan || options.fix)
    return usage_error("--shipped goes without --model, --plan and --fix");
  std::vector<int> sizes(std::begin(kDefaultSizes), std::end(kDefaultSizes));
  if (options.tp && !options.tp->valid) sizes = options.tp->sizes;
  const auto results = check_shipped(options.dialect, sizes);
  const bool for_people = output_format(options) == Format::table;
  Document document;
  document.title = summary(options.dialect, results);
  document.table = shipped_table(results, options.verbosity > 0 || !for_people);
  document.notes = reasons(results);
  document.notes.push_back(document.title);
  if (for_people && options.verbosity == 0)
    document.notes.push_back("right and unchecked ones are left out: -v shows them");
  document.json = [&](JsonWriter& json) { write_shipped(json, options.dialect, results); };
  if (auto written = emit(context, std::move(document)); !written) return written.error();
  return count(results, ShippedState::broken) > 0 ? kExitNo : kExitYes;
}

}  // namespace tpsim::cli
