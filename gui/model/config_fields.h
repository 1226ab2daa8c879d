// The fields of a model's config as a form: what the file says, what was set instead.
#pragma once

#include <string>
#include <vector>

#include "core/model_source.h"
#include "core/value.h"

namespace tpsim::gui {

// Texts without quotes, everything else as JSON.
std::string plain(const Value& value);

struct ConfigField {
  std::string path;   // "rope_scaling.factor"
  std::string value;  // JSON; texts without quotes
  std::string original;
  bool is_changed = false, is_new = false;
};

// `source` has the settings applied; its text has not. Fields of nested objects stand alone. Sources without a config
// have no fields.
std::vector<ConfigField> config_fields(const ModelSource& source, const std::vector<std::string>& set);

// The settings with that field set to `value`; equal to `original`, or "", takes the setting back.
std::vector<std::string> with_setting(std::vector<std::string> set, const std::string& path, const std::string& value,
                                      const std::string& original);

}  // namespace tpsim::gui
