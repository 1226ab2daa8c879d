// What is kept between sessions in $XDG_STATE_HOME/tpsim: arrangement (gui.json), the unsaved project
// (autosave.tpsim.json), recent files; and $XDG_CONFIG_HOME/tpsim/keys.json, which is only read. Files that cannot be
// read are left alone and their defaults used.
#pragma once

#include <string>

#include "gui/view/app.h"

namespace tpsim::gui {

class StateFiles {
public:
  explicit StateFiles(bool enabled);
  // With `restore`, the project that was open last.
  void load(App& app, bool restore) const;
  void save(const App& app) const;
  void autosave(const App& app) const;

private:
  void load_document(App& app) const;
  void load_keys(App& app) const;

  std::string folder_, config_folder_;  // "" = none
};

}  // namespace tpsim::gui
