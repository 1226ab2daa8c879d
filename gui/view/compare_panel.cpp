#include "cli/text.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

// The six figures of A and of B, in words.
cli::Table headline_table(const App& app, const cli::Report& a, const cli::Report& b) {
  cli::Table table;
  table.columns = {
      {"figure", "", false, 0}, {"a", "A", false, 0}, {"b", "B", false, 0}, {"difference", "A against B", false, 0}};
  const auto of_a = headline_figures(a, &b, app.document().suppressed);
  const auto of_b = headline_figures(b, nullptr, app.document().suppressed);
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    const std::string& d = of_a[i].difference;
    cli::Row row;
    row.cells = {cli::cell(of_a[i].name), cli::cell(of_a[i].value), cli::cell(of_b[i].value),
                 cli::cell(d.empty() ? std::string("=")
                                     : d + (of_a[i].trend == Trend::same && d != "=" ? "  (below uncertainty)" : ""))};
    table.rows.push_back(std::move(row));
  }
  return table;
}

void headline(App& app, Ui& ui, const cli::Report& a, const cli::Report& b) {
  const cli::Table table = headline_table(app, a, b);
  ImGui::BeginChild("headline", {0, (ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y) *
                                            static_cast<float>(table.rows.size() + 1) +
                                        ui.px(4)});
  draw_table(ui, app, "headline", table);
  ImGui::EndChild();
}

void copy_buttons(App& app, Ui& ui) {
  const Evaluation &a = app.results.a, &b = app.results.b;
  ui.flow_button("copy as Markdown", 12);
  if (ui.button("markdown", "copy as Markdown", a.report && b.report)) {
    app.clipboard = cli::to_markdown(headline_table(app, *a.report, *b.report)) + "\n" +
                    cli::to_markdown(compare_modules(*a.report, *b.report, app.view.changed_only).table);
    say(app, "copied the comparison as Markdown");
  }
  ui.flow_button("copy as command");
  if (ui.button("command", "copy as command")) {
    app.clipboard =
        command_line(app.document(), Side::a, "a.json") + "\n" + command_line(app.document(), Side::b, "b.json") + "\n";
    say(app, "copied the commands of A and B");
  }
}

}  // namespace

void compare_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const Evaluation &a = app.results.a, &b = app.results.b;
  const Document& d = app.document();
  ImGui::AlignTextToFramePadding();
  ui.colored("A  " + d.plan_a().name, ui.theme->side_a);
  ImGui::SameLine();
  ui.dim("against");
  ImGui::SameLine();
  ui.colored("B  " + d.plan_b().name + (d.baseline_tp ? " at TP " + std::to_string(*d.baseline_tp) : "") +
                 (d.baseline_hardware.empty() ? "" : " on " + d.baseline_hardware),
             ui.theme->side_b);
  ImGui::SameLine(0, ui.px(20));
  ui.checkbox("changed", "changed only", app.view.changed_only);
  ImGui::SameLine();
  if (ui.button("swap", "swap  X")) perform(app, Action::swap_sides);
  ImGui::SameLine();
  if (ui.button("baseline", "make A the baseline  B")) perform(app, Action::make_baseline);
  ImGui::AlignTextToFramePadding();
  ui.dim("B at");
  for (const int tp : {1, 2, 4, 8}) {
    ImGui::SameLine(0, ui.px(4));
    const bool on = d.baseline_tp.value_or(d.tp) == tp;
    if (!ui.button(("tp" + std::to_string(tp)).c_str(), "TP " + std::to_string(tp), true, "", on)) continue;
    Edit edit{"B at TP " + std::to_string(tp), d};
    edit.next.baseline_tp = tp == d.tp ? std::nullopt : std::optional(tp);
    apply(app, std::move(edit));
  }
  ImGui::SameLine(0, ui.px(12));
  std::string hardware = d.baseline_hardware.empty() ? "same GPUs" : d.baseline_hardware;
  std::vector<std::string> choices = {"same GPUs"};
  choices.insert(choices.end(), app.hardware.begin(), app.hardware.end());
  if (ui.combo("hardware", hardware, choices, ui.px(150))) {
    Edit edit{"B on " + hardware, app.document()};
    edit.next.baseline_hardware = hardware == "same GPUs" ? "" : hardware;
    apply(app, std::move(edit));
  }
  copy_buttons(app, ui);
  if (b.error) return ui.banner("B: " + b.error->message, ui.theme->strategy[7]);
  if (!a.report || !b.report) return;
  headline(app, ui, *a.report, *b.report);
  const Comparison c = compare_modules(*a.report, *b.report, app.view.changed_only);
  ui.text(std::to_string(c.changed) + " changed, " + std::to_string(c.same) + " same, " + std::to_string(c.only_a) +
          " only in A, " + std::to_string(c.only_b) + " only in B");
  ImGui::SameLine(0, ui.px(16));
  ui.dim("+ A has more, - A has less");
  if (c.table.rows.empty()) {
    ui.empty_state("A and B are alike in every module.");
    return;
  }
  const int clicked = draw_table(ui, app, "modules", c.table, c.paths);
  if (clicked >= 0) select_pattern(app, c.paths[static_cast<std::size_t>(clicked)]);
}

}  // namespace tpsim::gui
