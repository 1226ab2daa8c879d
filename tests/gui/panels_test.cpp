#include <filesystem>
#include <fstream>
#include <random>

#include "tests/gui/gui_fixture.h"

namespace tpsim::gui {
namespace {

std::vector<Document> states() {
  Document unknown = llama(), wrong = llama(), invalid = llama(16), small = llama(1), bad_plan = llama(),
           moe = llama(8), fields = llama();
  unknown.model = "no-such-model";
  wrong.plans = {{"wrong", "wrong.json", R"({"model.layers.*.mlp.gate_proj": "rowwise"})", false}};
  bad_plan.plans = {{"broken", "broken.json", "{", false}};
  moe.model = "deepseek-ai/DeepSeek-V3";
  fields.hardware = "no-such-hardware";
  return {Document{}, llama(), unknown, wrong, invalid, small, bad_plan, moe, fields};
}

}  // namespace

TEST_CASE("every panel is drawn in every state, in both themes and two scales", "[gui][panels]") {
  for (const Document& state : states())
    for (const float scale : {1.0F, 2.0F}) {
      auto host = host_of(state, 1100, 650);
      host->app().view.font_scale = scale;
      host->app().view.theme = scale > 1 ? "light" : "dark";
      for (const std::string& workspace : kWorkspaces) {
        set_workspace(host->app(), workspace);
        host->settle();
      }
      for (const std::string& panel : panel_names()) {
        CAPTURE(state.model, panel, scale);
        host->app().view.alone = panel;
        host->app().view.selected = host->app().modules.empty() ? "" : host->app().modules.back().path;
        host->settle();
        CHECK(host->items().size() < 5000);
      }
    }
}

TEST_CASE("every action can be performed without and with a model", "[gui][actions]") {
  for (const Document& state : {Document{}, llama()}) {
    auto host = host_of(state);
    for (const Binding& binding : bindings()) {
      if (binding.action == Action::snapshot || binding.action == Action::save) continue;
      CAPTURE(std::string(binding.name));
      perform(host->app(), binding.action);
      host->settle();
    }
    CHECK(host->app().quit);
  }
}

TEST_CASE("a click on a TP size shows its figures", "[gui][panels]") {
  auto host = host_of(llama());
  const std::string before = label_of(*host, "KPI/FITS");
  REQUIRE(host->click("Setup/TP/8"));
  CHECK(host->app().document().tp == 8);
  CHECK(label_of(*host, "KPI/FITS") != before);
  host->key("Ctrl+Z");
  host->settle();
  CHECK(host->app().document().tp == 4);
  CHECK(label_of(*host, "KPI/FITS") == before);
}

TEST_CASE("a strategy chosen in the inspector is applied and can be mended with one click", "[gui][panels]") {
  auto host = host_of(llama(2));
  Edit edit{"old release", host->app().document()};
  edit.next.dialect = *parse_dialect("transformers-5.15");
  apply(host->app(), edit);
  host->settle();
  host->app().view.selected =
      host->app().modules[static_cast<std::size_t>(find_module(host->app().modules, "gate_proj"))].path;
  host->settle();
  REQUIRE(host->click("Inspector/strategies/rowwise"));
  CHECK(host->app().document().plans.size() == 2);
  CHECK(host->app().results.a.size()->forward.verdict != Verdict::right);
  CHECK(label_of(*host, "KPI/PROBLEMS").starts_with("0 E") == false);
  perform(host->app(), Action::apply_fix);
  host->settle();
  CHECK(host->app().results.a.size()->forward.verdict == Verdict::right);
}

TEST_CASE("typing in the plan text: what is no plan leaves the last one in effect", "[gui][panels]") {
  Document d = llama();
  d.plans = {{"mine.json", "mine.json", "{\"lm_head\": \"colwise_gather_output\"}", false}};
  auto host = host_of(d);
  host->app().view.center = "plan_text";
  host->settle();
  REQUIRE(host->click("Plan text/text"));
  host->type("x");
  host->settle();
  CHECK(host->app().view.plan_draft.has_value());
  CHECK(host->app().results.a.report != nullptr);
  CHECK(host->find("Plan text/banner") != nullptr);
}

TEST_CASE("the palette finds and performs", "[gui][panels]") {
  auto host = host_of(llama());
  host->key("Ctrl+Shift+P");
  CHECK(host->app().view.palette);
  host->type("workspace compare");
  host->key("Enter");
  host->settle();
  CHECK(host->app().view.center == "compare");
  CHECK(!host->app().view.palette);
}

TEST_CASE("files that are dropped: plan, project, trace, garbage", "[gui][files]") {
  auto host = host_of(llama());
  const auto write = [](const std::string& name, const std::string& text) {
    const std::string path = (std::filesystem::temp_directory_path() / ("tpsim-gui-test-" + name)).string();
    std::ofstream(path) << text;
    return path;
  };
  const auto drop = [&](const std::string& path) {
    open_path(host->app(), path);
    host->settle();
    std::filesystem::remove(path);
  };
  drop(write("plan.json", R"({"lm_head": "colwise_gather_output"})"));
  CHECK(host->app().document().plans.size() == 2);
  drop(write("trace.json", R"({"traceEvents":[{"ph":"X","name":"k","ts":0,"dur":3}]})"));
  CHECK(host->app().measured.trace != nullptr);
  drop(write("run.json", R"({"schema":"tpsim.run/1","numeric":{"verdict":"right"}})"));
  CHECK(host->find("Validation/banner") != nullptr);
  Document other = llama(2);
  drop(write("p.tpsim.json", to_json(other)));
  CHECK(host->app().document() == other);
  drop(write("notes.txt", "hello"));
  CHECK(host->app().view.message.find("notes.txt: not a config") != std::string::npos);
  CHECK(host->app().document() == other);
}

TEST_CASE("scripts: steps are done in order, the first that fails is named", "[gui][script]") {
  auto host = host_of(llama());
  CHECK(run_script(
      *host,
      R"([{"click":"Setup/TP/2"},{"expect":"Setup/TP/2","value":"on"},{"key":"Ctrl+2"},{"expect":"Compare/swap"}])",
      "s.json"));
  const auto failed = run_script(*host, R"([{"wait":1},{"click":"Setup/TP/3"}])", "s.json");
  REQUIRE(!failed);
  CHECK(failed.error().message == "step 2: no control \"Setup/TP/3\" that can be seen");
}

TEST_CASE("the command that is copied names what is on screen", "[gui][export]") {
  Document d = llama(8);
  d.batch = 3;
  d.hardware = "h200";
  CHECK(command_line(d, Side::a, "plan.json") == "tpsim report -m meta-llama/Llama-3.1-70B --hw h200 --tp 8 -b 3");
}

TEST_CASE("random input for thousands of frames", "[gui][monkey]") {
  const std::vector<std::string> keys = {"Ctrl+Z", "Ctrl+Y", "F8",     "Ctrl+.",        "O",           "F",
                                         "X",      "B",      "Ctrl+1", "Ctrl+2",        "Ctrl+3",      "Ctrl+4",
                                         "Ctrl+5", "Escape", "Ctrl+P", "Ctrl+Shift+P",  "Enter",       "Down",
                                         "F1",     "Ctrl+=", "Ctrl+-", "Tab",           "0",           "W",
                                         "S",      "D",      "Ctrl+W", "Ctrl+PageDown", "Shift+Escape"};
  std::mt19937 random(7);
  auto host = host_of(llama(2), 1300, 760);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto one = [&] {
    const std::size_t choice = below(10);
    if (choice < 5) host->move(static_cast<float>(below(1300)), static_cast<float>(below(760)));
    if (choice == 5) host->press(true);
    if (choice == 6) host->press(false);
    if (choice == 7) host->wheel(below(2) == 0 ? 1.0F : -1.0F);
    if (choice == 8) host->key(keys[below(keys.size())]);
    if (choice == 9 && below(4) == 0) host->type(std::string(1, static_cast<char>('a' + below(26))));
    host->frame();
  };
  for (int i = 0; i < 3000; ++i) {
    one();
    host->app().view.file_dialog = false;
    host->app().want_picture.reset();
    if (host->app().document().tp > 32) perform(host->app(), Action::undo);
  }
  host->press(false);
  host->settle();
  CHECK(!host->items().empty());
}

}  // namespace tpsim::gui
