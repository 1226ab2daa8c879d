// Defaults of one's own for flags: the environment, a project's file, the user's file.
// Precedence: flag > environment (TPSIM_HW) > tpsim-settings.json here or in a folder above > the user's file > built
// in.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tpsim::cli {

enum class SettingOrigin { environment, project, user };
const char* to_string(SettingOrigin origin);

struct Setting {
  std::string flag;  // long name
  std::string value;
  SettingOrigin origin = SettingOrigin::user;
  std::string place;  // "TPSIM_HW", the file
};

struct Settings {
  std::vector<Setting> values;  // one per flag, the one that wins
  std::string user_file;        // where it is looked for, empty without a home
  bool user_file_read = false;
  std::string project_file;  // empty where there is none
};

// The flags that can have a setting, in order of the table of flags.
std::span<const std::string_view> setting_flags();
// "TPSIM_KV_DTYPE"
std::string setting_variable(std::string_view flag);

// Reads the environment ($TPSIM_CONFIG, or $XDG_CONFIG_HOME/tpsim/config.json, or ~/.config/tpsim/config.json is the
// user's file) and the files. Errors: a file that cannot be read or is no JSON object, a member that is no setting.
Result<Settings> load_settings();

}  // namespace tpsim::cli
