#include "gui/model/actions.h"

#include <algorithm>
#include <cctype>

#include "cli/json_writer.h"
#include "core/json.h"

namespace tpsim::gui {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
bool starts_word(std::string_view text, std::size_t i) {
  return i == 0 || std::isalnum(static_cast<unsigned char>(text[i - 1])) == 0;
}

// "Ctrl+P: both \"undo\" and \"go to module\"", "" where every key means one thing.
std::string key_of_two(const KeyMap& own) {
  std::map<std::string, std::string_view> taken;
  for (const Binding& b : bindings()) {
    std::string_view keys = keys_of(own, b);
    while (!keys.empty()) {
      const auto bar = std::min(keys.find(" | "), keys.size());
      const auto [at, is_new] = taken.emplace(keys.substr(0, bar), b.name);
      if (!is_new) return at->first + ": both \"" + std::string(at->second) + "\" and \"" + std::string(b.name) + "\"";
      keys.remove_prefix(std::min(bar + 3, keys.size()));
    }
  }
  return {};
}

}  // namespace

const std::vector<Binding>& bindings() {
  using enum Action;
  static const std::vector<Binding> table = {{open, "open file", "Ctrl+O"},
                                             {save, "save project", "Ctrl+S"},
                                             {save_as, "save project as", "Ctrl+Shift+S"},
                                             {undo, "undo", "Ctrl+Z"},
                                             {redo, "redo", "Ctrl+Y | Ctrl+Shift+Z"},
                                             {find_module, "go to module", "Ctrl+P"},
                                             {palette, "command palette", "Ctrl+Shift+P"},
                                             {help, "keys and help", "F1 | ?"},
                                             {copy_command, "copy as command", "Ctrl+Shift+C"},
                                             {export_panel, "export", "Ctrl+E"},
                                             {snapshot, "snapshot PNG", "F12"},
                                             {quit, "quit", "Ctrl+Q"},
                                             {workspace_1, "workspace plan", "Ctrl+1"},
                                             {workspace_2, "workspace compare", "Ctrl+2"},
                                             {workspace_3, "workspace timeline", "Ctrl+3"},
                                             {workspace_4, "workspace sweep", "Ctrl+4"},
                                             {workspace_5, "workspace validate", "Ctrl+5"},
                                             {tab_1, "bottom tab 1", "Alt+1"},
                                             {tab_2, "bottom tab 2", "Alt+2"},
                                             {tab_3, "bottom tab 3", "Alt+3"},
                                             {tab_4, "bottom tab 4", "Alt+4"},
                                             {tab_5, "bottom tab 5", "Alt+5"},
                                             {tab_6, "bottom tab 6", "Alt+6"},
                                             {tab_7, "bottom tab 7", "Alt+7"},
                                             {tab_8, "bottom tab 8", "Alt+8"},
                                             {next_problem, "next problem", "F8"},
                                             {previous_problem, "previous problem", "Shift+F8"},
                                             {apply_fix, "apply first fix", "Ctrl+."},
                                             {next_module, "next module", "."},
                                             {previous_module, "previous module", ","},
                                             {next_plan, "next plan", "Ctrl+PageDown"},
                                             {previous_plan, "previous plan", "Ctrl+PageUp"},
                                             {close_plan, "close plan", "Ctrl+W"},
                                             {swap_sides, "swap A and B", "X"},
                                             {make_baseline, "make A the baseline", "B"},
                                             {cycle_overlay, "cycle overlay", "O"},
                                             {fit, "fit selection", "F"},
                                             {fit_all, "fit all", ""},
                                             {font_larger, "larger font", "Ctrl+="},
                                             {font_smaller, "smaller font", "Ctrl+-"},
                                             {font_reset, "reset font", "Ctrl+0"},
                                             {toggle_theme, "dark or light theme", ""},
                                             {clear, "clear selection, close", "Escape"},
                                             {head_grid, "head grid", "H"},
                                             {maximise, "maximise panel, back", "Shift+Escape"},
                                             {zoom_in, "zoom in", "W"},
                                             {zoom_out, "zoom out", "S"},
                                             {pan_left, "pan left", "A | Left"},
                                             {pan_right, "pan right", "D | Right"},
                                             {pan_up, "pan up", "Up"},
                                             {pan_down, "pan down", "Down"},
                                             {zoom_start, "go to the start", "Home"},
                                             {zoom_end, "go to the end", "End"},
                                             {mark, "mark this event", "M"},
                                             {measure, "measure between marks, clear", "Shift+M"},
                                             {follow_edge, "follow edge", "Enter"},
                                             {follow_back, "follow edge back", "Backspace"},
                                             {next_group, "next layer group", "]"},
                                             {previous_group, "previous layer group", "["},
                                             {view_back, "back to the last selection", "Alt+Left"},
                                             {view_forward, "forward again", "Alt+Right"},
                                             {find, "find in panel", "Ctrl+F"},
                                             {find_next, "next hit", "F3"},
                                             {find_previous, "previous hit", "Shift+F3"},
                                             {full_screen, "full screen", "F11"},
                                             {Action::cancel_work, "cancel work", ""},
                                             {reset_layout, "reset layout", ""}};
  return table;
}

std::string_view keys_of(const KeyMap& own, const Binding& binding) {
  const auto it = own.find(binding.action);
  return it == own.end() ? binding.keys : std::string_view(it->second);
}

bool key_matches(std::string_view keys, std::string_view pressed) {
  while (!keys.empty()) {
    const auto bar = std::min(keys.find(" | "), keys.size());
    if (keys.substr(0, bar) == pressed) return true;
    keys.remove_prefix(std::min(bar + 3, keys.size()));
  }
  return false;
}

Result<KeyMap> read_keys(std::string_view text, const std::string& file) {
  const auto value = parse_json(text, file);
  if (!value) return value.error();
  const auto* object = std::get_if<ValueObject>(&value->data);
  const Value* member = object ? tpsim::find(*object, "keys") : nullptr;
  const auto* keys = member ? std::get_if<ValueObject>(&member->data) : nullptr;
  if (keys == nullptr) return input_error("not a file of keys: no object \"keys\"", file);
  KeyMap map;
  for (const auto& [name, given] : *keys) {
    const auto binding =
        std::find_if(bindings().begin(), bindings().end(),
                     [&, wanted = std::string_view(name)](const Binding& b) { return b.name == wanted; });
    const auto* wanted = std::get_if<std::string>(&given.data);
    if (binding == bindings().end()) return input_error("no action \"" + name + "\"", file);
    if (wanted == nullptr) return input_error("keys of \"" + name + "\": a text is expected, such as \"Ctrl+G\"", file);
    map[binding->action] = *wanted;
  }
  if (const std::string twice = key_of_two(map); !twice.empty()) return input_error(twice, file);
  return map;
}

std::string keys_text(const KeyMap& own) {
  std::string out;
  cli::JsonWriter json(out, 2);
  json.begin_object();
  json.member("schema", "tpsim.keys/1");
  json.key("keys");
  json.begin_object();
  for (const Binding& b : bindings()) json.member(b.name, keys_of(own, b));
  json.end_object();
  json.end_object();
  return out + "\n";
}

std::optional<int> fuzzy_score(std::string_view pattern, std::string_view text) {
  int score = 0;
  std::size_t at = 0, last = text.size();
  for (const char wanted : pattern) {
    if (wanted == ' ') continue;
    std::size_t found = at;
    while (found < text.size() && lower(text[found]) != lower(wanted)) ++found;
    if (found == text.size()) return std::nullopt;
    score += found == last + 1 ? 8 : starts_word(text, found) ? 6 : 1;
    last = found;
    at = found + 1;
  }
  return score * 16 - static_cast<int>(std::min<std::size_t>(text.size(), 400));
}

std::vector<std::size_t> fuzzy_find(std::string_view pattern, const std::vector<std::string>& candidates,
                                    std::size_t limit) {
  std::vector<std::pair<int, std::size_t>> found;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (const auto score = fuzzy_score(pattern, candidates[i])) found.emplace_back(-*score, i);
  if (!pattern.empty())
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < found.size() && i < limit; ++i) out.push_back(found[i].second);
  return out;
}

}  // namespace tpsim::gui
