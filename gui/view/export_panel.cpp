#include "cli/comm_table.h"
#include "cli/json_writer.h"
#include "cli/memory_table.h"
#include "cli/output.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

struct Kind {
  const char* name;
  const char* file;
  const char* what;
  std::string (*text)(const App&);
};

std::string report_json(const App& app) {
  std::string out;
  cli::JsonWriter json(out);
  write_report(json, *app.shown(), {true, true, true, true});
  return out + "\n";
}

cli::Table sizes_table(const App& app) {
  return cli::report_table(app.results.sweep ? *app.results.sweep : *app.shown(), cli::Units::iec);
}
Plan plan_of(const App& app) { return current_plan(app.shown()->scenario).plan; }

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"report.json", "report.json", "everything at this TP size, as tpsim report --json --detail all", report_json},
      {"sizes.csv", "sizes.csv", "the table over TP sizes",
       [](const App& a) { return cli::to_csv(sizes_table(a), true); }},
      {"sizes.md", "sizes.md", "the same as Markdown", [](const App& a) { return cli::to_markdown(sizes_table(a)); }},
      {"report.html", "report.html", "the same as a self-contained page, for screen readers, too",
       [](const App& a) { return cli::to_html(sizes_table(a), a.document().model); }},
      {"memory.csv", "memory.csv", "memory by module",
       [](const App& a) {
         return cli::to_csv(cli::memory_table(a.shown()->results.front(), cli::Units::bytes), true);
       }},
      {"comm.csv", "comm.csv", "collectives",
       [](const App& a) { return cli::to_csv(cli::comm_table(a.shown()->results.front(), cli::Units::bytes), true); }},
      {"plan.json", "plan.json", "plan A", [](const App& a) { return to_json(plan_of(a)); }},
      {"plan.py", "plan.py", "plan A as a Python dictionary", [](const App& a) { return to_python(plan_of(a)); }},
      {"project", "plan.tpsim.json", "this project", [](const App& a) { return to_json(a.document()); }}};
  return all;
}

}  // namespace

void export_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  ui.dim("Files are written whole or not at all, into the current folder.");
  for (const Kind& kind : kinds()) {
    if (ui.button(kind.name, std::string("write ") + kind.file)) {
      const auto written = cli::write_file(kind.file, kind.text(app));
      say(app, written ? std::string("wrote ") + kind.file : written.error().message);
    }
    ImGui::SameLine(ui.px(200));
    ui.dim(kind.what);
  }
  if (ui.button("picture", "write tpsim.png")) perform(app, Action::snapshot);
  ImGui::SameLine(ui.px(200));
  ui.dim("this window");
  if (ui.button("command", "copy as command")) perform(app, Action::copy_command);
  ImGui::SameLine(ui.px(200));
  ui.wrapped(command_line(app.document(), Side::a, "plan.json"), ui.theme->dim);
  ui.add_last("line", "text", command_line(app.document(), Side::a, "plan.json"), "");
}

}  // namespace tpsim::gui
