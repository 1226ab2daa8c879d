// Measured against predicted: verdict, scatter, table, numbers, environment, calibration.
#include <algorithm>
#include <cmath>

#include "cli/text.h"
#include "cli/validating.h"
#include "gui/model/config_fields.h"
#include "gui/view/chart_axes.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

const ValueObject* object_at(const Value* value, std::string_view key) {
  const auto* object = value ? std::get_if<ValueObject>(&value->data) : nullptr;
  const Value* member = object ? find(*object, key) : nullptr;
  return member ? std::get_if<ValueObject>(&member->data) : nullptr;
}

void fields_of(Ui& ui, const ValueObject& object, const char* heading) {
  ui.heading(heading);
  for (const auto& [key, value] : object) {
    if (std::holds_alternative<ValueList>(value.data)) continue;
    const auto* inner = std::get_if<ValueObject>(&value.data);
    std::string text = inner ? "" : plain(value);
    if (inner != nullptr)
      for (const auto& [k, v] : *inner) text += (text.empty() ? "" : ", ") + k + " " + plain(v);
    ui.dim(key);
    ImGui::SameLine(ui.px(200));
    ui.wrapped(text);
    ui.add_last(key, "field", key, text);
  }
}

void no_run(App& app, Ui& ui) {
  if (ui.empty_state(
          "No measured run. Open or drop a result of  tpsim run ... --iters 20 -o result.json, or a profiler trace.",
          "Open result..."))
    perform(app, Action::open);
  const Document& d = app.document();
  if (d.model.empty()) return;
  ui.dim("To make one:");
  const std::string command =
      "tpsim run -m " + d.model + " --tp " + std::to_string(d.tp) + " --iters 20 -o result.json";
  ui.text(command);
  ui.add_last("command", "text", command, "");
  ImGui::SameLine();
  if (ui.button("copy", "copy")) {
    app.clipboard = command;
    say(app, "copied: " + command);
  }
}

std::string time_label(double us) { return cli::time_text(us * 1e-6); }

struct Extent {
  double low = 1e300, high = 0;
  void add(double v) {
    if (!(v > 0)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

// y = x with bands of 10 and 20 %.
void diagonal(Ui& ui, const Plot& plot) {
  ImDrawList* const list = ImGui::GetWindowDrawList();
  const double a = plot.x.low, b = plot.x.high;
  for (const double share : {0.2, 0.1})
    list->AddQuadFilled(plot.at(a, a / (1 + share)), plot.at(b, b / (1 + share)), plot.at(b, b * (1 + share)),
                        plot.at(a, a * (1 + share)), ui.color(ui.theme->dim, 0.13F));
  list->AddLine(plot.at(a, a), plot.at(b, b), ui.color(ui.theme->text, 0.8F), ui.px(1.5F));
}

void point(App& app, Ui& ui, const Plot& plot, const PassValidation& pass, const ComparedCalls& row) {
  const double predicted = microseconds(row.predicted), measured = microseconds(row.measured.median);
  if (!(predicted > 0) || !(measured > 0)) return;
  const ImVec2 at = plot.at(measured, predicted);
  const float r = ui.px(4.5F);
  const Rgb rgb = row.calls.collective ? ui.theme->side_b : ui.theme->side_a;
  ImDrawList* const list = ImGui::GetWindowDrawList();
  list->AddLine(plot.at(microseconds(row.measured.p10), predicted), plot.at(microseconds(row.measured.p90), predicted),
                ui.color(rgb, 0.5F), ui.px(1.5F));
  if (row.calls.collective)
    list->AddRectFilled({at.x - r, at.y - r}, {at.x + r, at.y + r}, ui.color(rgb, 0.85F));
  else
    list->AddCircleFilled(at, r, ui.color(rgb, 0.85F), 20);
  if (row.unstable) list->AddCircle(at, r * 1.8F, ui.color(ui.theme->strategy[5]), 20, ui.px(1.5F));
  const ImVec2 low(at.x - r, at.y - r), high(at.x + r, at.y + r);
  ui.add("point/" + pass.phase + "/" + row.calls.module + "/" + row.calls.name, "point",
         cli::time_text(predicted * 1e-6), cli::time_text(measured * 1e-6), low, high);
  if (!ImGui::IsMouseHoveringRect(low, high) || !ImGui::IsWindowHovered()) return;
  ImGui::SetTooltip("%s, %s %s\npredicted %s, measured %s (%s to %s), %+.1f %%", pass.phase.c_str(),
                    row.calls.name.c_str(), row.calls.module.c_str(), cli::time_text(predicted * 1e-6).c_str(),
                    cli::time_text(measured * 1e-6).c_str(), cli::time_text(row.measured.p10.count()).c_str(),
                    cli::time_text(row.measured.p90.count()).c_str(), row.error * 100);
  if (ImGui::IsMouseClicked(0)) select_pattern(app, row.calls.module);
}

void scatter(App& app, Ui& ui, const Validation& v, ImVec2 size) {
  Extent e;
  for (const PassValidation& pass : v.passes)
    for (const ComparedCalls& row : pass.calls) {
      e.add(microseconds(row.predicted));
      e.add(microseconds(row.measured.median));
    }
  if (!(e.high > 0)) return ui.dim("no calls with times");
  const Axis axis{e.low / 1.5, e.high * 1.5, true};
  const auto ticks = log_ticks(axis.low, axis.high, 10);
  const Plot plot = begin_plot(ui, size, axis, axis, ticks, ticks, time_label, time_label);
  ImDrawList* const list = ImGui::GetWindowDrawList();
  list->PushClipRect(plot.low, plot.high, true);
  diagonal(ui, plot);
  for (const PassValidation& pass : v.passes)
    for (const ComparedCalls& row : pass.calls) point(app, ui, plot, pass, row);
  list->PopClipRect();
  list->AddText({plot.low.x + ui.px(6), plot.low.y + ui.px(4)}, ui.color(ui.theme->dim), "predicted over measured");
}

void verdict(App& app, Ui& ui, const HeldRun& held) {
  for (const std::string& line : verdict_lines(held.validation)) {
    ui.text(line);
    ui.add_last("verdict", "text", line, "");
  }
  const cli::NumericSummary& n = held.run.numeric;
  const bool right = n.verdict == "right";
  std::string text = cli::numeric_line(n);
  if (!held.validation.exact()) text += "\nnot as predicted: " + cli::joined(held.validation.differences, "; ");
  if (app.results.a.report && is_about(app.document(), held.run))
    text += std::string("\nanalysed: ") + to_string(app.results.a.size()->forward.verdict);
  ui.banner(text, right && held.validation.exact() ? ui.theme->side_a : ui.theme->side_b);
}

void choices(App& app, Ui& ui, const HeldRun& held) {
  ui.dim("predicted for");
  ImGui::SameLine();
  std::string hardware = app.measured.hardware;
  if (ui.combo("hardware", hardware, app.hardware, ui.px(150))) {
    app.measured.hardware = hardware;
    app.measured.profile.clear();
  }
  if (!held.profile.empty()) {
    ImGui::SameLine();
    ui.dim("with " + held.profile);
  }
  ui.flow_button("use as calibration", 12);
  if (ui.button("calibrate", "use as calibration", !app.measured.wants_calibration,
                "fits a profile to the products of this run; predictions of this hardware then use it"))
    app.measured.wants_calibration = true;
  ui.flow_button("show this plan");
  if (ui.button("show", "show this plan", !is_about(app.document(), held.run),
                "opens the run's model, plan, size and loads: predicted and measured times stand side by side"))
    apply(app, {"plan of " + app.measured.run_name, document_of(app.document(), held)});
}

// Calls that vary too much for a judgement.
void advice(Ui& ui, const Validation& v) {
  std::int64_t unstable = 0;
  for (const PassValidation& pass : v.passes)
    for (const ComparedCalls& row : pass.calls) unstable += row.unstable ? 1 : 0;
  if (unstable == 0) return;
  ui.wrapped(cli::plural(unstable, "call varies", "calls vary") +
                 " by more than 5 % between repeats (ringed): more --iters, lock clocks, close other jobs",
             ui.theme->strategy[5]);
}

void environment(const App& app, Ui& ui) {
  const Value& run = *app.measured.run;
  for (const char* part : {"provenance", "time"}) {
    const auto* outer = std::get_if<ValueObject>(&run.data);
    const Value* measurement = outer ? find(*outer, "measurement") : nullptr;
    const ValueObject* object = object_at(measurement, part);
    if (object == nullptr) object = object_at(&run, part);
    if (object != nullptr) fields_of(ui, *object, part);
  }
  const auto* object = std::get_if<ValueObject>(&run.data);
  if (object == nullptr) return;
  ValueObject simple;
  for (const auto& [key, value] : *object)
    if (!std::holds_alternative<ValueObject>(value.data)) simple.emplace_back(key, value);
  fields_of(ui, simple, "Run");
}

// A document without measured calls: what it says about numbers.
void plain_run(const App& app, Ui& ui) {
  if (const ValueObject* numeric = object_at(&*app.measured.run, "numeric")) {
    const Value* found = find(*numeric, "verdict");
    const std::string text = found ? plain(*found) : "unknown";
    ui.banner("executed: " + text, text == "right" ? ui.theme->side_a : ui.theme->side_b);
    fields_of(ui, *numeric, "Numbers");
  }
  environment(app, ui);
}

}  // namespace

void validation_panel(App& app, Ui& ui) {
  if (!app.measured.run) return no_run(app, ui);
  ui.text(app.measured.run_name);
  if (app.measured.error) {
    std::string text = "cannot be held against a prediction: " + app.measured.error->message;
    for (const std::string& fix : app.measured.error->fixes) text += "\nfix: " + fix;
    ui.banner(text, ui.theme->strategy[7]);
  }
  if (!app.measured.held) {
    if (app.measured.stored && !app.measured.error) ui.dim("being held against the prediction ...");
    return plain_run(app, ui);
  }
  const HeldRun& held = *app.measured.held;
  choices(app, ui, held);
  verdict(app, ui, held);
  advice(ui, held.validation);
  const float width = ImGui::GetContentRegionAvail().x;
  const float height = std::max(ImGui::GetContentRegionAvail().y, ui.px(220));
  ImGui::BeginChild("scatter", {width * 0.38F, height});
  scatter(app, ui, held.validation, ImGui::GetContentRegionAvail());
  ImGui::EndChild();
  ImGui::SameLine();
  ImGui::BeginChild("calls", {0, height});
  const int clicked = draw_table(ui, app, "calls", held.table, {}, -1, {"shape"});
  if (clicked >= 0) select_pattern(app, held.table.rows[static_cast<std::size_t>(clicked)].cells[2].text);
  ImGui::EndChild();
  environment(app, ui);
}

}  // namespace tpsim::gui
