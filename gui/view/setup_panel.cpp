#include <algorithm>

#include "cli/text.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

template <class Change>
void edit(App& app, std::string name, const std::string& merge_key, const Change& change) {
  Edit made{std::move(name), app.document()};
  change(made.next);
  apply(app, std::move(made), merge_key);
}

void label(Ui& ui, const char* text) {
  ImGui::AlignTextToFramePadding();
  ui.dim(text);
  ImGui::SameLine(ui.px(74));
}

void model_picker(App& app, Ui& ui) {
  label(ui, "model");
  std::string current = app.document().model;
  ImGui::SetNextItemWidth(-1);
  const bool open = ImGui::BeginCombo("##model", current.c_str(), ImGuiComboFlags_HeightLargest);
  ui.add_last("model", "combo", current, current);
  if (!open) return;
  const PathScope scope(ui, "model");
  ui.input_text("filter", "filter", app.view.model_filter, ui.px(300));
  if (ui.selectable("open", "Open a file or folder...", false)) perform(app, Action::open);
  for (const std::string& id : app.model_ids)
    if (fuzzy_score(app.view.model_filter, id) && ui.selectable(id.c_str(), id, id == current))
      edit(app, "model " + id, "", [&](Document& d) {
        d.model = id;
        d.set.clear();
      });
  ImGui::EndCombo();
}

void plan_picker(App& app, Ui& ui) {
  label(ui, "plan A");
  const Document& d = app.document();
  std::vector<std::string> names;
  for (const PlanEntry& plan : d.plans) names.push_back(plan.name);
  for (const char* shipped : {"auto", "none"})
    if (std::find(names.begin(), names.end(), shipped) == names.end()) names.emplace_back(shipped);
  std::string a = d.plan_a().name, b = d.plan_b().name;
  const auto pick = [&](const std::string& name, int Document::*side) {
    edit(app, "plan " + name, "", [&](Document& next) {
      const auto it =
          std::find_if(next.plans.begin(), next.plans.end(), [&](const PlanEntry& p) { return p.name == name; });
      next.*side = static_cast<int>(it - next.plans.begin());
      if (it == next.plans.end()) next.plans.push_back({name, name, "", false});
    });
  };
  if (ui.combo("plan", a, names, -1)) pick(a, &Document::edited);
  label(ui, "plan B");
  if (ui.combo("baseline", b, names, -1)) pick(b, &Document::baseline);
}

void hardware_picker(App& app, Ui& ui) {
  label(ui, "GPUs");
  std::string hardware = app.document().hardware;
  if (ui.combo("hardware", hardware, app.hardware, -1))
    edit(app, "hardware " + hardware, "", [&](Document& d) { d.hardware = hardware; });
  label(ui, "stack");
  std::string stack = app.document().stack;
  std::vector<std::string> stacks = {"forward"};
  stacks.insert(stacks.end(), app.stacks.begin(), app.stacks.end());
  if (ui.combo("stack", stack, stacks, -1)) edit(app, "stack " + stack, "", [&](Document& d) { d.stack = stack; });
}

void tp_selector(App& app, Ui& ui) {
  label(ui, "TP");
  const PathScope scope(ui, "TP");
  const auto& report = app.results.sweep;
  const int current = app.document().tp;
  for (const int tp : {1, 2, 4, 8, 16}) {
    const bool valid =
        !report || std::find(report->valid.tp.begin(), report->valid.tp.end(), tp) != report->valid.tp.end();
    std::string why;
    if (!valid)
      why = "this plan is not right at TP " + std::to_string(tp) +
            (report->valid.limit ? ": " + report->valid.limit->message : "");
    if (tp > 1) ImGui::SameLine(0, ui.px(3));
    if (ui.button(std::to_string(tp).c_str(), std::to_string(tp), true, why, tp == current))
      edit(app, "TP " + std::to_string(tp), "", [&](Document& d) { d.tp = tp; });
    if (valid) continue;
    const ImVec2 low = ImGui::GetItemRectMin(), high = ImGui::GetItemRectMax();
    ImGui::GetWindowDrawList()->AddLine({low.x + ui.px(3), high.y - ui.px(4)}, {high.x - ui.px(3), low.y + ui.px(4)},
                                        ui.color(ui.theme->dim), ui.px(1.5F));
  }
  ImGui::SameLine(0, ui.px(3));
  int other = current;
  ImGui::SetNextItemWidth(-1);
  if (ImGui::InputInt("##tp", &other, 0, 0, ImGuiInputTextFlags_EnterReturnsTrue))
    edit(app, "TP", "", [&](Document& d) { d.tp = std::clamp(other, 1, kMaxRanks); });
  ui.add_last("other", "input", "", std::to_string(current));
}

void type_pickers(App& app, Ui& ui) {
  static const std::vector<std::string> types = {"config", "fp32", "fp16", "bf16", "fp8", "int8", "int4", "mxfp4"};
  const Document& d = app.document();
  const float width = (ImGui::GetContentRegionAvail().x - ui.px(74)) / 2 - ui.px(22);
  label(ui, "dtype");
  std::string dtype = d.dtype ? to_string(*d.dtype) : "config", kv = d.kv_dtype ? to_string(*d.kv_dtype) : "config";
  if (ui.combo("dtype", dtype, types, width))
    edit(app, "dtype " + dtype, "", [&](Document& next) { next.dtype = parse_dtype(dtype); });
  ImGui::SameLine();
  ui.dim("KV");
  ImGui::SameLine();
  if (ui.combo("kv_dtype", kv, types, -1))
    edit(app, "KV dtype " + kv, "", [&](Document& next) { next.kv_dtype = parse_dtype(kv); });
}

void slider(App& app, Ui& ui, const char* name, std::optional<std::int64_t> Document::*field, std::int64_t used,
            std::int64_t most) {
  label(ui, name);
  std::int64_t value = (app.document().*field).value_or(used);
  if (ui.log_slider(name, value, 1, most, -1))
    edit(app, std::string(name) + " " + std::to_string(value), name, [&](Document& d) {
      d.*field = value;
      const std::int64_t prompt = d.prompt.value_or(1);
      if (d.context && *d.context < prompt) (field == &Document::context ? d.prompt : d.context) = value;
    });
  if (ImGui::IsItemDeactivated()) app.history.end_merge();
}

void assumptions(App& app, Ui& ui, const cli::Report& report) {
  const auto n = std::count_if(report.scenario.assumptions.begin(), report.scenario.assumptions.end(),
                               [](const cli::Assumption& a) { return a.set_by == "default"; });
  const bool open = ImGui::TreeNode("assumptions", "assumptions (%d)", static_cast<int>(n));
  ui.add_last("assumptions", "tree", "assumptions", std::to_string(n));
  if (!open) return;
  for (const cli::Assumption& a : report.scenario.assumptions) {
    if (a.set_by != "default") continue;
    ui.dim(a.name);
    ImGui::SameLine();
    ui.wrapped(a.value);
  }
  ImGui::TreePop();
  static_cast<void>(app);
}

}  // namespace

void setup_panel(App& app, Ui& ui) {
  ui.heading("SETUP");
  model_picker(app, ui);
  plan_picker(app, ui);
  hardware_picker(app, ui);
  tp_selector(app, ui);
  type_pickers(app, ui);
  const cli::Report* report = app.shown();
  const std::int64_t batch = report ? report->scenario.batch : 8, prompt = report ? report->scenario.prompt : 2048,
                     context = report ? report->scenario.context : 4096;
  slider(app, ui, "batch", &Document::batch, batch, 4096);
  slider(app, ui, "prompt", &Document::prompt, prompt, 1 << 20);
  slider(app, ui, "context", &Document::context, context, 10'000'000);
  if (report != nullptr) assumptions(app, ui, *report);
}

void modules_panel(App& app, Ui& ui) {
  ui.heading("MODULES");
  ImGui::SameLine();
  ui.input_text("filter", "filter", app.view.module_filter, -1);
  if (app.modules.empty()) {
    if (!app.results.a.error) ui.empty_state("The modules of the model stand here.");
    return;
  }
  ImGui::BeginChild("tree");
  for (const ModuleRow& row : app.modules) {
    if (!app.view.module_filter.empty() && row.path.find(app.view.module_filter) == std::string::npos &&
        row.strategy.find(app.view.module_filter) == std::string::npos)
      continue;
    const float indent = ui.px(14) * static_cast<float>(row.depth);
    ImGui::SetCursorPosX(ImGui::GetCursorPosX() + indent);
    const std::string label_text =
        row.label + (row.is_leaf() && row.count > 1 ? "  x" + std::to_string(row.count) : "");
    if (ui.selectable(row.path.c_str(), "   " + label_text, row.path == app.view.selected,
                      row.path + "\n" + cli::bytes_text(row.rank_bytes, cli::Units::iec) + " per rank of " +
                          cli::bytes_text(row.bytes, cli::Units::iec)))
      select(app, row.path);
    if (!row.is_leaf()) continue;
    const ImVec2 low = ImGui::GetItemRectMin(), high = ImGui::GetItemRectMax();
    ImDrawList* list = ImGui::GetWindowDrawList();
    list->AddRectFilled({low.x + ui.px(2), low.y + ui.px(3)}, {low.x + ui.px(9), high.y - ui.px(3)},
                        ui.strategy_color(row.strategy));
    const std::string aside = row.strategy.empty() ? "-" : row.strategy;
    const float width = ImGui::CalcTextSize(aside.c_str()).x,
                from = low.x + indent + ImGui::CalcTextSize(("   " + label_text).c_str()).x;
    if (high.x - width - ui.px(12) > from)
      list->AddText({high.x - width - ui.px(8), low.y}, ui.color(ui.theme->dim), aside.c_str());
  }
  ImGui::EndChild();
}

}  // namespace tpsim::gui
