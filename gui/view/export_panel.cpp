#include "cli/comm_table.h"
#include "cli/json_writer.h"
#include "cli/memory_table.h"
#include "cli/output.h"
#include "cli/trace_document.h"
#include "gui/model/graph_svg.h"
#include "gui/model/hardware_edits.h"
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

// As tpsim trace writes it.
std::string trace_json(const App& app) {
  const cli::Report& report = *app.shown();
  const cli::SizeResult& size = report.results.front();
  cli::TracedRun run{report.scenario.input.source.id, size.forward.plan_name, size.tp,
                     report.scenario.hardware,        report.scenario.stack,  {}};
  for (const auto& [name, phase] :
       {std::pair<const char*, const std::optional<cli::PhaseResult>*>{"prefill", &size.prefill},
        {"decode", &size.decode}})
    if (*phase) run.passes.push_back({name, (*phase)->analysis, (*phase)->time, {}});
  if (run.passes.empty()) return {};
  std::string out;
  constexpr int event_depth = 2;
  cli::JsonWriter json(out, event_depth);
  write_trace(json, run);
  return out + "\n";
}

std::string speed_up_svg(const App& app) {
  if (!app.results.sweep) return {};
  return cli::svg_chart(cli::speedup_series(*app.results.sweep), app.document().model);
}

std::string graph_picture(const App& app) {
  if (app.graph.nodes.empty()) return {};
  return graph_svg(app.graph, app.view.theme == "light" ? light_theme() : dark_theme(), app.document().model);
}

std::string hardware_json(const App& app) {
  const auto text = profile_text(app.document().hardware, app.document().hardware_set);
  return text ? *text : std::string();
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
      {"trace.json", "trace.json", "the timeline of every rank for Perfetto and chrome://tracing", trace_json},
      {"graph.svg", "graph.svg", "the layer graph as it is unfolded", graph_picture},
      {"speedup.svg", "speedup.svg", "speed-up over TP sizes", speed_up_svg},
      {"hardware.json", "hardware.json", "the hardware with the constants that were edited, for --hw", hardware_json},
      {"keys.json", "keys.json", "all keys, to be changed and put into $XDG_CONFIG_HOME/tpsim",
       [](const App& a) { return keys_text(a.keys); }},
      {"plan.json", "plan.json", "plan A", [](const App& a) { return to_json(plan_of(a)); }},
      {"plan.py", "plan.py", "plan A as a Python dictionary", [](const App& a) { return to_python(plan_of(a)); }},
      {"project", "plan.tpsim.json", "this project", [](const App& a) { return to_json(a.document()); }}};
  return all;
}

// This window, or one panel of it, at its own or twice its size.
void picture_row(App& app, Ui& ui) {
  std::string& panel = app.view.picture_panel;
  for (const float scale : {1.0F, 2.0F}) {
    const std::string file = scale > 1 ? "tpsim@2x.png" : "tpsim.png";
    if (scale > 1) ui.flow_button("write " + file);
    if (ui.button(file.c_str(), "write " + file))
      app.want_picture = Picture{file, scale, panel == "window" ? "" : panel};
  }
  ui.flow(ui.px(160), 12);
  std::vector<std::string> choices = {"window"};
  choices.insert(choices.end(), panel_names().begin(), panel_names().end());
  ui.combo("panel", panel, choices, ui.px(160));
}

}  // namespace

void export_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  ui.dim("Files are written whole or not at all, into the current folder.");
  for (const Kind& kind : kinds()) {
    if (ui.button(kind.name, std::string("write ") + kind.file)) {
      const std::string text = kind.text(app);
      const auto written = text.empty() ? Result<void>(input_error(std::string("nothing to write into ") + kind.file))
                                        : cli::write_file(kind.file, text);
      say(app, written ? std::string("wrote ") + kind.file : written.error().message);
    }
    ImGui::SameLine(ui.px(200));
    ui.dim(kind.what);
  }
  picture_row(app, ui);
  if (ui.button("command", "copy as command")) perform(app, Action::copy_command);
  ImGui::SameLine(ui.px(200));
  ui.wrapped(command_line(app.document(), Side::a, "plan.json"), ui.theme->dim);
  ui.add_last("line", "text", command_line(app.document(), Side::a, "plan.json"), "");
}

}  // namespace tpsim::gui
