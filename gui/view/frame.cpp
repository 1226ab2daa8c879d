#include "gui/view/frame.h"

#include <algorithm>
#include <set>

#include "cli/text.h"
#include "gui/view/navigation.h"

namespace tpsim::gui {
namespace {

struct Panel {
  std::string name, title;
  void (*draw)(App&, Ui&);
};

const std::vector<Panel>& panels() {
  static const std::vector<Panel> all = {{"setup", "Setup", setup_panel},
                                         {"modules", "Modules", modules_panel},
                                         {"graph", "Graph", graph_panel},
                                         {"shards", "Shards", shards_panel},
                                         {"plan_text", "Plan text", plan_text_panel},
                                         {"compare", "Compare", compare_panel},
                                         {"what_if", "What if", what_if_panel},
                                         {"inspector", "Inspector", inspector_panel},
                                         {"problems", "Problems", problems_panel},
                                         {"memory", "Memory", memory_panel},
                                         {"communication", "Communication", communication_panel},
                                         {"timeline", "Timeline", timeline_panel},
                                         {"roofline", "Roofline", roofline_panel},
                                         {"speed_up", "Speed-up", speed_up_panel},
                                         {"validation", "Validation", validation_panel},
                                         {"log", "History", log_panel},
                                         {"export", "Export", export_panel},
                                         {"hardware", "Hardware", hardware_panel},
                                         {"config", "Config", config_panel},
                                         {"keys", "Keys", keys_panel}};
  return all;
}

bool is_plain(const std::string& key) { return key.find('+') == std::string::npos && key.size() == 1; }

// The digit of "7" or "Shift+7"; -1 = none.
int digit_of(std::string_view key, std::string_view modifier) {
  if (!key.starts_with(modifier)) return -1;
  key.remove_prefix(modifier.size());
  return key.size() == 1 && key[0] >= '0' && key[0] <= '9' ? key[0] - '0' : -1;
}

void perform_digit(App& app, const std::string& key) {
  const bool in_time = app.view.canvas == "timeline";
  if (const int digit = digit_of(key, "Shift+"); digit >= 0 && in_time)
    return set_bookmark(app, static_cast<std::size_t>(digit));
  const int digit = digit_of(key, "");
  if (digit >= 0 && in_time) return use_bookmark(app, static_cast<std::size_t>(digit));
  if (digit >= 0 && app.view.center == "shards") app.view.solo_rank = app.view.solo_rank == digit ? -1 : digit;
}

void perform_keys(App& app, const FrameInput& input) {
  static const std::set<std::string> navigation = {"Up", "Down", "Left", "Right", "Home", "End", "Enter", "Backspace"};
  const bool typing = ImGui::GetIO().WantTextInput;
  const bool in_list = app.view.palette || app.view.finder || app.view.file_dialog;
  for (const std::string& key : input.keys) {
    const bool navigates = navigation.count(key) > 0;
    if (typing && (is_plain(key) || navigates || digit_of(key, "Shift+") >= 0)) continue;
    if (navigates && (in_list || ImGui::IsAnyItemFocused())) continue;
    perform_digit(app, key);
    for (const Binding& binding : bindings())
      if (key_matches(keys_of(app.keys, binding), key)) perform(app, binding.action);
  }
  app.view.show_b = input.space && !typing;
}

}  // namespace

const std::vector<std::string>& panel_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Panel& panel : panels()) list.push_back(panel.name);
    return list;
  }();
  return names;
}

std::string panel_title(const std::string& name) {
  for (const Panel& panel : panels())
    if (panel.name == name) return panel.title;
  return name;
}

void draw_panel(App& app, Ui& ui, const std::string& name) {
  const PathScope scope(ui, panel_title(name));
  for (const Panel& panel : panels())
    if (panel.name == name) panel.draw(app, ui);
}

bool no_data(App& app, Ui& ui, bool needs_times) {
  const Evaluation& a = app.results.a;
  if (app.document().model.empty()) {
    if (ui.empty_state("No model is open.", "Try Llama-3.1-70B on 4 H100")) {
      Edit edit{"open Llama-3.1-70B", app.document()};
      edit.next.model = "meta-llama/Llama-3.1-70B";
      apply(app, std::move(edit));
    }
    return true;
  }
  if (a.error) {
    std::string text = a.error->message + (a.error->where.empty() ? "" : "\n" + a.error->where);
    for (const std::string& line : a.error->details) text += "\n" + line;
    for (const std::string& fix : a.error->fixes) text += "\nfix: " + fix;
    ui.banner(text, ui.theme->strategy[7]);
  }
  if (app.shown() == nullptr) return true;
  if (app.results.is_last_good() && !app.view.show_b) {
    const auto count = count_problems(*a.report, {});
    ui.banner("Showing the last plan that runs: this one has " +
                  cli::plural(static_cast<std::int64_t>(count.errors), "error") + ", see Problems",
              ui.theme->strategy[7]);
  }
  const cli::SizeResult& size = app.shown()->results.front();
  if (size.forward.verdict == Verdict::wrong)
    ui.banner("The plan runs but computes something else (" +
                  cli::joined(cli::distinct(size.forward.verdict_reasons), ", ") +
                  "): memory is true, times are marked !",
              ui.theme->strategy[7]);
  if (!needs_times || size.prefill || size.decode) return false;
  if (!size.forward.diagnostics.empty() && size.forward.verdict == Verdict::error) {
    if (ui.empty_state("No times: the plan stops the forward pass. " + size.forward.diagnostics.front().message,
                       "Show problems"))
      app.view.bottom = "problems";
  } else {
    ui.empty_state("No times: the forward pass of this model is not described, so only its weights are known.");
  }
  return true;
}

void draw_frame(App& app, Ui& ui, const FrameInput& input) {
  perform_keys(app, input);
  if (app.view.message_frames > 0) --app.view.message_frames;
  draw_shell(app, ui);
}

}  // namespace tpsim::gui
