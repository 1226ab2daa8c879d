#include "cli/settings.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "cli/text.h"
#include "core/json.h"
#include "core/suggest.h"
#include "core/text_file.h"

namespace tpsim::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 17> kSettings = {"dialect",  "tp",    "hw",    "gpus",   "nodes", "link",
                                                        "profile",  "stack", "batch", "prompt", "ctx",   "dtype",
                                                        "kv-dtype", "units", "width", "color",  "ascii"};
constexpr char kProjectFile[] = "tpsim-settings.json";
constexpr std::size_t kLargestFile = 1u << 20;

std::string environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

std::string user_file() {
  if (auto named = environment("TPSIM_CONFIG"); !named.empty()) return named;
  if (const auto folder = environment("XDG_CONFIG_HOME"); !folder.empty()) return folder + "/tpsim/config.json";
  const auto home = environment("HOME");
  return home.empty() ? "" : home + "/.config/tpsim/config.json";
}

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(fs::symlink_status(path, code));
}

std::string project_file() {
  std::error_code code;
  for (fs::path folder = fs::current_path(code); !code && !folder.empty(); folder = folder.parent_path()) {
    if (is_there(folder / kProjectFile)) return (folder / kProjectFile).string();
    if (folder == folder.root_path()) break;
  }
  return {};
}

bool is_setting(std::string_view flag) {
  return std::find(kSettings.begin(), kSettings.end(), flag) != kSettings.end();
}

Error no_setting(const std::string& name, const std::string& file) {
  Error error = input_error("\"" + name + "\" is no setting", file);
  const std::vector<std::string> names(kSettings.begin(), kSettings.end());
  const auto near = nearest(name, names);
  if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
  error.fixes = {"settings: " + joined(names, ", ")};
  return error;
}

void put(std::vector<Setting>& settings, Setting setting) {
  const auto same = [&](const Setting& s) { return s.flag == setting.flag; };
  std::erase_if(settings, same);
  settings.push_back(std::move(setting));
}

Result<void> take_member(Settings& settings, const std::string& name, const Value& value, SettingOrigin origin,
                         const std::string& file) {
  if (!is_setting(name)) return no_setting(name, file);
  if (const auto* truth = std::get_if<bool>(&value.data); truth != nullptr && name == "ascii") {
    if (*truth) put(settings.values, {name, "", origin, file});
    return {};
  }
  const auto* text = std::get_if<std::string>(&value.data);
  const bool number = std::holds_alternative<std::int64_t>(value.data) || std::holds_alternative<double>(value.data);
  if ((text == nullptr && !number) || name == "ascii")
    return input_error("\"" + name + "\" is " + type_name(value) +
                           "; a setting is a string or a number as its flag takes it" +
                           (name == "ascii" ? ", ascii true or false" : ""),
                       file);
  put(settings.values, {name, text != nullptr ? *text : to_json(value), origin, file});
  return {};
}

Result<void> read_file(Settings& settings, const std::string& file, SettingOrigin origin) {
  const auto text = read_text_file(file, kLargestFile);
  if (!text) return text.error();
  const auto json = parse_json(*text, file);
  if (!json) return json.error();
  const auto* object = std::get_if<ValueObject>(&json->data);
  if (object == nullptr) return input_error(std::string("settings are an object, not ") + type_name(*json), file);
  for (const auto& [name, value] : *object)
    if (auto taken = take_member(settings, name, value, origin, file); !taken) return taken;
  return {};
}

// NO_COLOR and CLICOLOR_FORCE are the environment's say about colour: it goes before that of files.
void leave_color_to_environment(std::vector<Setting>& settings) {
  if (environment("NO_COLOR").empty() && environment("CLICOLOR_FORCE").empty()) return;
  std::erase_if(settings, [](const Setting& s) { return s.flag == "color"; });
}

void read_environment(Settings& settings) {
  for (const std::string_view flag : kSettings) {
    const std::string variable = setting_variable(flag);
    const std::string value = environment(variable);
    if (value.empty()) continue;
    put(settings.values, {std::string(flag), flag == "ascii" ? "" : value, SettingOrigin::environment, variable});
  }
}

}  // namespace

const char* to_string(SettingOrigin origin) {
  switch (origin) {
    case SettingOrigin::environment: return "environment";
    case SettingOrigin::project: return "project";
    case SettingOrigin::user: break;
  }
  return "user";
}

std::span<const std::string_view> setting_flags() { return kSettings; }

std::string setting_variable(std::string_view flag) {
  std::string name = "TPSIM_";
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

Result<Settings> load_settings() {
  Settings settings;
  settings.user_file = user_file();
  settings.project_file = project_file();
  // A file that TPSIM_CONFIG names has to be there.
  if (!settings.user_file.empty() && (is_there(settings.user_file) || !environment("TPSIM_CONFIG").empty())) {
    if (auto read = read_file(settings, settings.user_file, SettingOrigin::user); !read) return read.error();
    settings.user_file_read = true;
  }
  if (!settings.project_file.empty())
    if (auto read = read_file(settings, settings.project_file, SettingOrigin::project); !read) return read.error();
  leave_color_to_environment(settings.values);
  read_environment(settings);
  return settings;
}

}  // namespace tpsim::cli
