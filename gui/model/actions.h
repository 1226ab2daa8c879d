// Everything that can be done by a key or by name: the table behind shortcuts, command palette and help.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tpsim::gui {

enum class Action {
  open,
  save,
  save_as,
  undo,
  redo,
  palette,
  find_module,
  help,
  copy_command,
  export_panel,
  snapshot,
  quit,
  workspace_1,
  workspace_2,
  workspace_3,
  workspace_4,
  workspace_5,
  tab_1,
  tab_2,
  tab_3,
  tab_4,
  tab_5,
  tab_6,
  tab_7,
  tab_8,
  next_problem,
  previous_problem,
  apply_fix,
  next_module,
  previous_module,
  next_plan,
  previous_plan,
  close_plan,
  swap_sides,
  make_baseline,
  cycle_overlay,
  fit,
  fit_all,
  font_larger,
  font_smaller,
  font_reset,
  toggle_theme,
  clear,
  head_grid,
  maximise,
  zoom_in,
  zoom_out,
  pan_left,
  pan_right,
  pan_up,
  pan_down,
  zoom_start,
  zoom_end,
  mark,
  measure,
  follow_edge,
  follow_back,
  next_group,
  previous_group,
  view_back,
  view_forward,
  find,
  find_next,
  find_previous,
  full_screen,
  cancel_work,
  reset_layout
};

struct Binding {
  Action action;
  std::string_view name;  // "next problem"
  std::string_view keys;  // "F8", "Ctrl+Shift+Z", "" = by name only; several separated by " | "
};
const std::vector<Binding>& bindings();

// Keys of one's own, in the form of Binding::keys. Actions that are not in it keep theirs.
using KeyMap = std::map<Action, std::string>;
std::string_view keys_of(const KeyMap& own, const Binding& binding);
// {"schema": "tpsim.keys/1", "keys": {"next problem": "F9"}}. Errors: no such action, a key that two actions have.
Result<KeyMap> read_keys(std::string_view text, const std::string& file);
// All of them, as a file to start from.
std::string keys_text(const KeyMap& own);
// True if `pressed` ("Ctrl+Shift+Z") is one of `keys` ("Ctrl+Y | Ctrl+Shift+Z").
bool key_matches(std::string_view keys, std::string_view pressed);

// How well `pattern` fits: its letters in order, better at word starts and side by side. None if they do not occur.
std::optional<int> fuzzy_score(std::string_view pattern, std::string_view text);
// Indices of the candidates that fit, best first.
std::vector<std::size_t> fuzzy_find(std::string_view pattern, const std::vector<std::string>& candidates,
                                    std::size_t limit);

}  // namespace tpsim::gui
