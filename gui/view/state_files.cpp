#include "gui/view/state_files.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/json_writer.h"
#include "cli/output.h"
#include "core/json.h"
#include "core/text_file.h"

namespace tpsim::gui {
namespace {

constexpr std::size_t kMaxBytes = 16u << 20;

// $VARIABLE/tpsim, or below the home folder; "" where there is neither.
std::string own_folder(const char* variable, const char* below_home) {
  const char* const named = std::getenv(variable);
  if (named != nullptr && *named != 0) return std::string(named) + "/tpsim";
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != 0 ? std::string(home) + below_home + "/tpsim" : std::string();
}

float number(const ValueObject& object, std::string_view key, float otherwise, float low, float high) {
  const Value* value = find(object, key);
  if (value == nullptr) return otherwise;
  if (const auto* i = std::get_if<std::int64_t>(&value->data)) return std::clamp(static_cast<float>(*i), low, high);
  const auto* d = std::get_if<double>(&value->data);
  return d ? std::clamp(static_cast<float>(*d), low, high) : otherwise;
}

std::string text(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  const auto* found = value ? std::get_if<std::string>(&value->data) : nullptr;
  return found ? *found : "";
}

void read_arrangement(App& app, const ValueObject& object) {
  View& v = app.view;
  v.font_scale = number(object, "font_scale", v.font_scale, 0.75F, 2.5F);
  v.left_width = number(object, "left_width", v.left_width, 120, 900);
  v.right_width = number(object, "right_width", v.right_width, 120, 900);
  v.bottom_height = number(object, "bottom_height", v.bottom_height, 120, 900);
  if (text(object, "theme") == "light") v.theme = "light";
  const auto is_one_of = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (const std::string tab = text(object, "center"); is_one_of(kCenterPanels, tab)) v.center = tab;
  if (const std::string tab = text(object, "bottom"); is_one_of(kBottomPanels, tab)) v.bottom = tab;
  app.project_file = text(object, "project");
  const Value* recent = find(object, "recent");
  const auto* list = recent ? std::get_if<ValueList>(&recent->data) : nullptr;
  for (const Value& item : list ? *list : ValueList{})
    if (const auto* path = std::get_if<std::string>(&item.data)) app.recent.push_back(*path);
}

std::string arrangement(const App& app) {
  std::string out;
  cli::JsonWriter json(out);
  json.begin_object();
  json.member("schema", "tpsim.gui/1");
  json.member("theme", app.view.theme);
  json.member("font_scale", static_cast<double>(app.view.font_scale), 3);
  json.member("left_width", static_cast<double>(app.view.left_width), 1);
  json.member("right_width", static_cast<double>(app.view.right_width), 1);
  json.member("bottom_height", static_cast<double>(app.view.bottom_height), 1);
  json.member("center", app.view.center);
  json.member("bottom", app.view.bottom);
  json.member("project", app.project_file);
  json.array("recent", app.recent);
  json.end_object();
  return out + "\n";
}

}  // namespace

StateFiles::StateFiles(bool enabled)
    : folder_(enabled ? own_folder("XDG_STATE_HOME", "/.local/state") : ""),
      config_folder_(enabled ? own_folder("XDG_CONFIG_HOME", "/.config") : "") {}

void StateFiles::load(App& app, bool restore) const {
  if (folder_.empty()) return;
  load_keys(app);
  if (const auto text = read_text_file(folder_ + "/gui.json", kMaxBytes)) {
    const auto value = parse_json(*text, "gui.json");
    const auto* object = value ? std::get_if<ValueObject>(&value->data) : nullptr;
    if (object != nullptr) read_arrangement(app, *object);
  }
  if (restore) load_document(app);
  if (!restore) app.project_file.clear();
}

void StateFiles::load_document(App& app) const {
  const auto project =
      app.project_file.empty() ? Result<std::string>(Error{}) : read_text_file(app.project_file, kMaxBytes);
  if (project)
    if (auto document = read_document(*project, app.project_file)) app.saved = std::move(*document);
  const auto saved = read_text_file(folder_ + "/autosave.tpsim.json", kMaxBytes);
  if (!saved) return;
  auto document = read_document(*saved, "autosave.tpsim.json");
  if (!document || document->model.empty()) return;
  const bool is_project = project && *document == app.saved;
  apply(app, {is_project ? "last project" : "unsaved plan of the last session", std::move(*document)});
  if (!is_project) say(app, "restored what was not saved in the last session; Ctrl+Z leaves it");
}

void StateFiles::load_keys(App& app) const {
  const std::string file = config_folder_ + "/keys.json";
  const auto text = read_text_file(file, kMaxBytes);
  if (config_folder_.empty() || !text) return;
  auto keys = read_keys(*text, file);
  if (keys) app.keys = std::move(*keys);
  if (!keys) say(app, "keys.json: " + keys.error().message);
}

void StateFiles::save(const App& app) const {
  std::error_code failed;
  if (folder_.empty() || (std::filesystem::create_directories(folder_, failed), failed)) return;
  static_cast<void>(cli::write_file(folder_ + "/gui.json", arrangement(app)));
  autosave(app);
}

void StateFiles::autosave(const App& app) const {
  std::error_code failed;
  if (folder_.empty() || (std::filesystem::create_directories(folder_, failed), failed)) return;
  static_cast<void>(cli::write_file(folder_ + "/autosave.tpsim.json", to_json(app.document())));
}

}  // namespace tpsim::gui
