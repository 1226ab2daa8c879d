#include "cli/commands.h"
#include "cli/document.h"
#include "cli/environment_checks.h"
#include "cli/flags.h"
#include "cli/settings_report.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

std::vector<EnvironmentCheck> all_checks(const Terminal& terminal) {
  std::vector<EnvironmentCheck> checks = machine_checks();
  for (auto& more : {mpi_checks(), gpu_checks(exec::probe_gpus()), display_checks(), terminal_checks(terminal)})
    checks.insert(checks.end(), more.begin(), more.end());
  return checks;
}

Style style_of(CheckState state) { return state == CheckState::missing ? Style::yellow : Style::plain; }

Table table_of(const std::vector<EnvironmentCheck>& checks) {
  Table table;
  table.columns = {{"subject", "subject", false}, {"state", "state", false}, {"found", "found", false, 0, {}, true}};
  for (const EnvironmentCheck& check : checks)
    table.rows.push_back(
        {{cell(check.subject), cell(std::string(to_string(check.state)), style_of(check.state)), cell(check.found)},
         {}});
  return table;
}

void write(JsonWriter& json, const std::vector<EnvironmentCheck>& checks) {
  json.begin_object();
  json.member("schema", "tpsim.doctor/1");
  json.key("tool");
  json.begin_object();
  json.member("name", "tpsim");
  json.member("version", kVersion);
  json.end_object();
  json.key("checks");
  json.begin_array();
  for (const EnvironmentCheck& check : checks) {
    json.begin_object();
    json.member("subject", check.subject);
    json.member("state", to_string(check.state));
    json.member("found", check.found);
    json.member("fix", check.fix);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

Result<int> show_settings(Context& context) {
  const auto settings = load_settings();
  if (!settings) return settings.error();
  if (auto emitted = emit(context, settings_document(*settings)); !emitted) return emitted.error();
  return kExitYes;
}

Result<int> run(Context& context) {
  if (context.options.settings) return show_settings(context);
  const std::vector<EnvironmentCheck> checks = all_checks(context.terminal);
  Document document;
  document.title = "What works here";
  document.table = table_of(checks);
  for (const EnvironmentCheck& check : checks)
    if (check.state == CheckState::missing && !check.fix.empty())
      document.notes.push_back(check.subject + ": " + check.fix);
    else if (check.state == CheckState::note)
      document.notes.push_back(check.subject + ": " + check.found + "; " + check.fix);
  document.json = [&](JsonWriter& json) { write(json, checks); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command doctor_command() {
  Command command;
  command.name = "doctor";
  command.summary = "what works here: processor, memory, MPI, GPUs, NCCL, display, fonts, terminal";
  command.flags = kDoctorFlags;
  command.run = run;
  command.examples = {{"tpsim doctor", ""},
                      {"tpsim doctor --json", "for scripts"},
                      {"tpsim doctor --settings", "defaults of your own, and where each comes from"}};
  command.description =
      "Says what tpsim finds on this machine, and for what is missing what would help. Exit code 0 in any case: a part "
      "that is missing is left out, and what needs it says so.";
  return command;
}

}  // namespace tpsim::cli
