#include <algorithm>

#include "cli/text.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

std::string effect_text(const Diagnostic& d) {
  return d.effect_bytes ? signed_bytes(*d.effect_bytes) + " per rank" : "";
}

Rgb severity_color(const Ui& ui, Severity severity) {
  return severity == Severity::error     ? ui.theme->side_b
         : severity == Severity::warning ? ui.theme->strategy[5]
                                         : ui.theme->dim;
}

void fixes(App& app, Ui& ui, const Diagnostic& d) {
  for (std::size_t i = 0; i < d.fixes.size(); ++i) {
    const Fix& fix = d.fixes[i];
    const std::string id = i == 0 ? "fix" : "fix" + std::to_string(i + 1);
    if (fix.patch.empty()) {
      ui.dim("fix: " + fix.title);
    } else if (ui.button(id.c_str(), "Apply: " + fix.title)) {
      return apply(app,
                   edit_plan(app.document(), app.results.a.report->scenario, fix.patch, d.code + ": " + fix.title));
    }
  }
}

void problem(App& app, Ui& ui, const cli::Problem& p, int index) {
  const Diagnostic& d = p.diagnostic;
  const PathScope scope(ui, d.code + (index > 0 ? "#" + std::to_string(index) : ""));
  const char letter = d.severity == Severity::error ? 'E' : d.severity == Severity::warning ? 'W' : 'I';
  const bool selected = app.view.selected_problem == index;
  ui.colored(std::string(1, letter), severity_color(ui, d.severity));
  ImGui::SameLine();
  if (ui.selectable("row",
                    d.code + "  " + (d.where.empty() ? d.rule : d.where) +
                        (d.count > 1 ? "  x" + std::to_string(d.count) : "") + "   " + effect_text(d),
                    selected)) {
    app.view.selected_problem = index;
    const int row = find_module(app.modules, d.where);
    if (row >= 0) select(app, app.modules[static_cast<std::size_t>(row)].path);
  }
  ImGui::Indent(ui.px(24));
  ui.wrapped(d.message);
  if (selected)
    for (const std::string& line : d.details) ui.wrapped(line, ui.theme->dim);
  fixes(app, ui, d);
  if (selected && d.severity != Severity::note && ui.button("suppress", "suppress"))
    apply(app, suppress(app.document(), d));
  ImGui::Unindent(ui.px(24));
}

}  // namespace

void problems_panel(App& app, Ui& ui) {
  if (app.document().model.empty()) {
    no_data(app, ui);
    return;
  }
  if (app.results.a.error) {
    const Error& e = *app.results.a.error;
    ui.colored("E  " + e.message, ui.theme->side_b);
    if (!e.where.empty()) ui.dim(e.where);
    for (const std::string& line : e.details) ui.dim(line);
    for (const std::string& fix : e.fixes) ui.text("fix: " + fix);
    return;
  }
  const auto& suppressed = app.document().suppressed;
  const auto problems = app.results.a.report->problems;
  if (problems.empty()) {
    ui.empty_state("No problems: the plan gives the unsharded model's numbers.");
    return;
  }
  for (std::size_t i = 0; i < problems.size(); ++i)
    if (std::find(suppressed.begin(), suppressed.end(), suppression(problems[i].diagnostic)) == suppressed.end())
      problem(app, ui, problems[i], static_cast<int>(i));
  if (!suppressed.empty())
    ui.dim(cli::plural(static_cast<std::int64_t>(suppressed.size()), "problem") + " suppressed in this project");
}

}  // namespace tpsim::gui
