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

constexpr std::size_t kMaxBytes = 16u << 20, kMaxRecent = 12;

std::string state_folder() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != 0) return std::string(state) + "/tpsim";
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != 0 ? std::string(home) + "/.local/state/tpsim" : std::string();
}

float number(const ValueObject& object, std::string_view key, float otherwise, float low, float high) {
  const Value* value = find(object, key);
  if (value == nullptr) return otherwise;
  if (const auto* i = std::get_if<std::int64_t>(&value->data)) return std::clamp(static_cast<float>(*i), low, high);
  const auto* d = std::get_if<double>(&value->data);
  return d ? std::clamp(static_cast<float>(*d), low, high) : otherwise;
}

void read_arrangement(App& app, const ValueObject& object) {
  View& v = app.view;
  v.font_scale = number(object, "font_scale", v.font_scale, 0.75F, 2.5F);
  v.left_width = number(object, "left_width", v.left_width, 120, 900);
  v.right_width = number(object, "right_width", v.right_width, 120, 900);
  v.bottom_height = number(object, "bottom_height", v.bottom_height, 120, 900);
  const Value* theme = find(object, "theme");
  const auto* name = theme ? std::get_if<std::string>(&theme->data) : nullptr;
  if (name != nullptr && *name == "light") v.theme = *name;
  const Value* recent = find(object, "recent");
  const auto* list = recent ? std::get_if<ValueList>(&recent->data) : nullptr;
  for (const Value& item : list ? *list : ValueList{})
    if (const auto* path = std::get_if<std::string>(&item.data)) app.recent.push_back(*path);
}

std::string arrangement(const App& app) {
  std::string out;
  cli::JsonWriter json(out);
  std::vector<std::string> recent = app.recent;
  if (!app.project_file.empty()) {
    std::erase(recent, app.project_file);
    recent.insert(recent.begin(), app.project_file);
  }
  if (recent.size() > kMaxRecent) recent.resize(kMaxRecent);
  json.begin_object();
  json.member("schema", "tpsim.gui/1");
  json.member("theme", app.view.theme);
  json.member("font_scale", static_cast<double>(app.view.font_scale), 3);
  json.member("left_width", static_cast<double>(app.view.left_width), 1);
  json.member("right_width", static_cast<double>(app.view.right_width), 1);
  json.member("bottom_height", static_cast<double>(app.view.bottom_height), 1);
  json.array("recent", recent);
  json.end_object();
  return out + "\n";
}

}  // namespace

StateFiles::StateFiles(bool enabled) : folder_(enabled ? state_folder() : "") {}

void StateFiles::load(App& app, bool restore) const {
  if (folder_.empty()) return;
  if (const auto text = read_text_file(folder_ + "/gui.json", kMaxBytes)) {
    const auto value = parse_json(*text, "gui.json");
    const auto* object = value ? std::get_if<ValueObject>(&value->data) : nullptr;
    if (object != nullptr) read_arrangement(app, *object);
  }
  const auto saved =
      restore ? read_text_file(folder_ + "/autosave.tpsim.json", kMaxBytes) : Result<std::string>(Error{});
  if (!saved) return;
  auto document = read_document(*saved, "autosave.tpsim.json");
  if (document) apply(app, {"last session", std::move(*document)});
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
