// Forms: fields of the model's config, constants of the hardware. What is typed counts when Enter is pressed or the
// field is left.
#include <algorithm>

#include "cli/output.h"
#include "cli/text.h"
#include "gui/model/config_fields.h"
#include "gui/model/hardware_edits.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

// A row's text field; true when `text` is to be taken.
bool form_field(App& app, Ui& ui, const std::string& form, const std::string& path, const std::string& value,
                std::string& text) {
  auto& drafts = app.view.drafts;
  const std::string key = form + "/" + path;
  const auto draft = drafts.find(key);
  text = draft == drafts.end() ? value : draft->second;
  const bool changed = ui.input_text("value", "", text, ui.px(210));
  if (changed) drafts[key] = text;
  if (!ImGui::IsItemDeactivatedAfterEdit()) return false;
  drafts.erase(key);
  return text != value;
}

bool begin_form(const char* id, int columns) {
  return ImGui::BeginTable(
      id, columns,
      ImGuiTableFlags_RowBg | ImGuiTableFlags_ScrollY | ImGuiTableFlags_SizingFixedFit | ImGuiTableFlags_BordersInnerV);
}

void name_cell(Ui& ui, const std::string& name, bool is_changed) {
  ImGui::TableNextRow();
  ImGui::TableSetColumnIndex(0);
  ImGui::AlignTextToFramePadding();
  ui.colored(is_changed ? name + " *" : name, is_changed ? ui.theme->accent : ui.theme->text);
  ImGui::TableSetColumnIndex(1);
}

void set_config(App& app, const ConfigField& field, const std::string& value) {
  Edit edit{field.path + (value.empty() ? " as in the config" : " = " + value), app.document()};
  edit.next.set = with_setting(edit.next.set, field.path, value, field.original);
  apply(app, std::move(edit));
}

void set_hardware(App& app, const std::string& path, const std::string& value) {
  Hardware trial = app.shown()->scenario.hardware;
  if (!value.empty())
    if (auto usable = apply_hardware_edit(trial, path + "=" + value); !usable) return say(app, usable.error().message);
  Edit edit{path + (value.empty() ? " as in the profile" : " = " + value), app.document()};
  edit.next.hardware_set = with_hardware_edit(edit.next.hardware_set, path, value);
  apply(app, std::move(edit));
}

bool passes(const std::string& text, const std::string& filter) {
  return filter.empty() || text.find(filter) != std::string::npos;
}

void add_config_field(App& app, Ui& ui) {
  std::string& text = app.view.drafts["config/new"];
  ui.input_text("new", "field=value", text, ui.px(260));
  ImGui::SameLine();
  const auto equals = text.find('=');
  const bool usable = equals != std::string::npos && equals > 0 && equals + 1 < text.size();
  if (!ui.button("add", "set", usable, "adds the field, or sets it")) return;
  const std::string path = text.substr(0, equals), value = text.substr(equals + 1);
  text.clear();
  set_config(app, {path, "", "", false, true}, value);
}

}  // namespace

void config_panel(App& app, Ui& ui) {
  if (app.document().model.empty()) {
    no_data(app, ui);
    return;
  }
  if (app.results.a.error) no_data(app, ui);
  if (app.config_version != app.results.refreshes + 1 && app.shown() != nullptr) {
    app.config_version = app.results.refreshes + 1;
    app.config = config_fields(app.shown()->scenario.input.source, app.document().set);
  }
  ui.input_text("filter", "filter", app.view.config_filter, ui.px(200));
  ImGui::SameLine();
  add_config_field(app, ui);
  ImGui::SameLine();
  const auto changed = static_cast<std::int64_t>(app.document().set.size());
  if (ui.button("reset", "reset all", changed > 0)) {
    Edit edit{"config as read", app.document()};
    edit.next.set.clear();
    apply(app, std::move(edit));
  }
  ImGui::SameLine();
  ui.dim(changed == 0 ? "as read" : cli::plural(changed, "field") + " changed (*)");
  if (app.config.empty()) return ui.dim("This model was read from a checkpoint without a config.json: no fields.");
  if (!begin_form("config", 4)) return;
  for (const ConfigField& field : app.config) {
    if (!passes(field.path, app.view.config_filter)) continue;
    const PathScope scope(ui, field.path);
    name_cell(ui, field.path, field.is_changed);
    std::string text;
    if (form_field(app, ui, "config", field.path, field.value, text)) set_config(app, field, text);
    ImGui::TableSetColumnIndex(2);
    if (field.is_changed && ui.button("reset", "reset")) set_config(app, field, "");
    ImGui::TableSetColumnIndex(3);
    if (field.is_changed) ui.dim(field.is_new ? "not in the config" : "was " + field.original);
  }
  ImGui::EndTable();
}

void hardware_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const Hardware& h = app.shown()->scenario.hardware;
  const auto& edits = app.document().hardware_set;
  ui.text(h.title);
  ui.flow(ImGui::CalcTextSize(h.origin.c_str()).x, 10);
  ui.dim(h.origin);
  if (!edits.empty()) {
    ui.flow_button("save as hardware.json", 16);
    if (ui.button("save", "save as hardware.json", true, "a profile that --hw reads")) {
      const auto text = profile_text(app.document().hardware, edits);
      const Result<void> written = text ? cli::write_file("hardware.json", *text) : Result<void>(text.error());
      say(app, written ? "wrote hardware.json" : written.error().message);
    }
    ui.flow_button("reset all");
    if (ui.button("reset", "reset all")) {
      Edit edit{"hardware as in the profile", app.document()};
      edit.next.hardware_set.clear();
      return apply(app, std::move(edit));
    }
  }
  if (!begin_form("hardware", 4)) return;
  for (const HardwareField& field : hardware_card(h, edits)) {
    const PathScope scope(ui, field.path);
    name_cell(ui, field.path, field.is_edited);
    std::string text;
    if (form_field(app, ui, "hardware", field.path, field.value, text)) set_hardware(app, field.path, text);
    ImGui::TableSetColumnIndex(2);
    if (field.is_edited && ui.button("reset", "reset")) set_hardware(app, field.path, "");
    ImGui::TableSetColumnIndex(3);
    ui.dim(field.source);
    if (field.source.size() > 60) ui.tip(field.source);
  }
  ImGui::EndTable();
}

}  // namespace tpsim::gui
