#include <filesystem>
#include <fstream>

#include "gui/model/config_fields.h"
#include "gui/model/find.h"
#include "gui/model/graph_svg.h"
#include "gui/model/hardware_edits.h"
#include "gui/model/plan_markers.h"
#include "gui/model/shard_bytes.h"
#include "tests/gui/gui_fixture.h"

namespace tpsim::gui {
namespace {

Document run_document() {
  Document d;
  d.model = "tests/fixtures/run/config.json";
  d.tp = 2;
  return d;
}

std::string file_in_scratch(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("tpsim-gui-" + name)).string();
}

}  // namespace

TEST_CASE("hardware: an edit counts, has \"user\" as its source, and the saved profile reads the same",
          "[gui][hardware]") {
  auto hardware = load_hardware("h100-sxm");
  REQUIRE(hardware);
  const std::vector<std::string> edits = {"memory_bandwidth=4 TB/s", "link.latency=2 us", "link.shared=true",
                                          "devices_per_node=4", "compute_efficiency=0.5"};
  REQUIRE(apply_hardware_edits(*hardware, edits));
  CHECK(hardware->memory_bandwidth.value == Approx(4e12));
  CHECK(hardware->sources["memory_bandwidth"] == "user");
  const auto text = profile_text("h100-sxm", edits);
  REQUIRE(text);
  const auto read = read_hardware(*text, "h.json");
  REQUIRE(read);
  CHECK(read->memory_bandwidth.value == hardware->memory_bandwidth.value);
  CHECK(read->link.latency == hardware->link.latency);
  CHECK(read->link.shared);
  CHECK(read->devices_per_node == 4);
  CHECK(read->compute_efficiency == 0.5);
  CHECK(read->sources.at("link.latency") == "user");
}

TEST_CASE("hardware: what a profile would refuse is refused", "[gui][hardware]") {
  auto hardware = load_hardware("h100-sxm");
  REQUIRE(hardware);
  for (const char* bad : {"memory", "nonsense=1", "memory=blue", "memory=-1 GB", "compute_efficiency=2",
                          "devices_per_node=1.5", "link.shared=maybe", "source=spec"}) {
    CAPTURE(bad);
    CHECK(!apply_hardware_edit(*hardware, bad));
  }
  CHECK(with_hardware_edit({"a=1", "b=2"}, "a", "3") == std::vector<std::string>{"b=2", "a=3"});
  CHECK(with_hardware_edit({"a=1"}, "a", "").empty());
}

TEST_CASE("config: fields that are set are marked and can be taken back", "[gui][config]") {
  Document d = run_document();
  d.set = {"num_hidden_layers=3"};
  Results results;
  refresh(results, d);
  REQUIRE(results.a.report);
  const auto fields = config_fields(results.a.scenario()->input.source, d.set);
  const auto at =
      std::find_if(fields.begin(), fields.end(), [](const ConfigField& f) { return f.path == "num_hidden_layers"; });
  REQUIRE(at != fields.end());
  CHECK(at->value == "3");
  CHECK(at->original == "2");
  CHECK(at->is_changed);
  CHECK(with_setting(d.set, at->path, "2", at->original).empty());
  CHECK(with_setting(d.set, at->path, "4", at->original) == std::vector<std::string>{"num_hidden_layers=4"});
}

TEST_CASE("plan text: problems and idle rules are marked where they stand", "[gui][markers]") {
  const auto markers_of = [](const std::string& text) {
    Document d = llama();
    d.plans = {{"mine.json", "mine.json", text, false}};
    Results results;
    refresh(results, d);
    REQUIRE(results.a.report);
    return plan_markers(text, results.a.size()->forward);
  };
  const auto wrong = markers_of("{\n  \"model.layers.*.mlp.gate_proj\": \"rowwise\"\n}");
  REQUIRE(wrong.size() == 1);
  CHECK(wrong[0].line == 2);
  CHECK(wrong[0].is_error);
  CHECK(wrong[0].length == 9);
  const auto idle = markers_of("{\n  \"lm_head\": \"colwise_gather_output\",\n  \"model.nowhere\": \"colwise\"\n}");
  REQUIRE(idle.size() == 1);
  CHECK(idle[0].line == 3);
  CHECK(idle[0].message.find("TP201") != std::string::npos);
  const std::string broken = "{\n  \"a\": \"colwise\"\n  \"b\": \"x\"}";
  const auto read = read_plan(broken, "p.json");
  REQUIRE(!read);
  CHECK(parse_marker(broken, read.error()).line == 3);
  CHECK(marked_length("abc \"de f\" g", 1, 5) == 6);
  CHECK(marked_length("abc", 9, 9) == 1);
}

TEST_CASE("keys of one's own: read, refused where two actions would have one", "[gui][keys]") {
  const auto keys = read_keys(R"({"schema":"tpsim.keys/1","keys":{"next problem":"F9"}})", "keys.json");
  REQUIRE(keys);
  CHECK(keys->at(Action::next_problem) == "F9");
  CHECK(read_keys(keys_text(*keys), "keys.json"));
  for (const char* bad :
       {"{}", "[1]", R"({"keys":{"fly":"F9"}})", R"({"keys":{"undo":1}})", R"({"keys":{"undo":"Ctrl+Y"}})"})
    CHECK(!read_keys(bad, "keys.json"));
  auto host = host_of(llama(16));
  host->app().keys = *keys;
  host->key("F8");
  CHECK(host->app().view.selected_problem == -1);
  host->key("F9");
  CHECK(host->app().view.selected_problem == 0);
}

TEST_CASE("find: by name, shape, strategy and code", "[gui][find]") {
  auto host = host_of(llama());
  const auto& app = host->app();
  const auto paths = [&](const char* text) {
    std::vector<std::string> found;
    for (const int row : find_hits(app.modules, *app.shown(), text))
      found.push_back(app.modules[static_cast<std::size_t>(row)].label);
    return found;
  };
  CHECK(paths("28672x8192") == std::vector<std::string>{"gate_proj", "up_proj"});
  CHECK(paths("ROWWISE").size() == 3);
  CHECK(paths("no such").empty());
  host->key("Ctrl+F");
  host->settle();
  host->type("kv");
  host->settle();
  CHECK(label_of(*host, "Find/count") == "0");
  host->key("Escape");
  host->settle();
  CHECK(!host->app().view.find.open);
}

TEST_CASE("graph: a group is unfolded layer by layer, and one layer overridden alone", "[gui][graph]") {
  auto host = host_of(llama());
  App& app = host->app();
  const std::size_t folded = app.graph.nodes.size();
  std::size_t group = 0;
  for (const Segment& s : app.graph.segments)
    if (s.can_unfold) group = s.group;
  app.view.graph.unfolded = {group};
  ++app.view.graph.unfoldings;
  host->settle();
  CHECK(app.graph.nodes.size() > 20 * folded);
  CHECK(app.graph.nodes.size() <= 10000);
  const int row = find_module(app.modules, "gate_proj");
  const int node = node_of(app.graph, row, 7);
  REQUIRE(node >= 0);
  CHECK(app.graph.nodes[static_cast<std::size_t>(node)].layer == 7);
  select(app, app.modules[static_cast<std::size_t>(row)].path, 7);
  app.view.scope = Scope::layer;
  host->settle();
  CHECK(app.what_if.list.front().done);
  REQUIRE(host->click("Inspector/strategies/colwise"));
  CHECK(app.document().plan_a().text.find("model.layers.7.mlp.gate_proj") != std::string::npos);
}

TEST_CASE("graph: a rule for one layer alone is marked as an exception", "[gui][graph]") {
  Document d = llama();
  d.plans = {
      {"mine.json", "mine.json", R"({"model.layers.7.input_layernorm": "replicated_with_grad_allreduce"})", false}};
  d.dialect = *parse_dialect("transformers-5.10");
  auto host = host_of(d);
  bool has_exception = false;
  for (const DrawnNode& n : host->app().graph.nodes) has_exception = has_exception || n.is_exception;
  CHECK(has_exception);
}

TEST_CASE("graph: walking the edges goes through the model and back", "[gui][graph]") {
  auto host = host_of(llama());
  App& app = host->app();
  select(app, app.modules[static_cast<std::size_t>(find_module(app.modules, "o_proj"))].path);
  host->settle();
  host->key("Enter");
  REQUIRE(app.view.graph.node >= 0);
  CHECK(app.graph.nodes[static_cast<std::size_t>(app.view.graph.node)].kind == NodeKind::collective);
  host->key("Backspace");
  CHECK(app.graph.nodes[static_cast<std::size_t>(app.view.graph.node)].title == "o_proj");
  for (int i = 0; i < 60; ++i) host->key("Enter");
  CHECK(follow(app.graph, app.view.graph.node, true) == -1);
  host->key("Alt+Left");
  host->settle();
  CHECK(app.selected_row() != nullptr);
}

TEST_CASE("graph: F fits the selection, F again everything", "[gui][graph]") {
  auto host = host_of(llama());
  App& app = host->app();
  app.view.canvas = "graph";
  select(app, app.modules[static_cast<std::size_t>(find_module(app.modules, "down_proj"))].path);
  host->key("F");
  host->settle();
  const float near = app.view.graph.zoom;
  CHECK(app.view.graph.shown == Fit::selection);
  host->key("F");
  host->settle();
  CHECK(app.view.graph.shown == Fit::all);
  CHECK(app.view.graph.zoom < near);
}

TEST_CASE("graph: the picture as SVG names every module", "[gui][export]") {
  auto host = host_of(llama());
  const std::string svg = graph_svg(host->app().graph, dark_theme(), "a < b & c");
  for (const char* part : {"gate_proj", "a &lt; b &amp; c", "</svg>"}) CHECK(svg.find(part) != std::string::npos);
}

TEST_CASE("shards: bytes of rows are one run, of columns one run per row", "[gui][shards]") {
  auto host = host_of(llama());
  const Analysis& analysis = host->app().shown()->results.front().forward;
  std::int64_t rows = 0, columns = 0;
  for (const ShardSpec& spec : analysis.shards) {
    std::int64_t read = 0;
    for (std::size_t rank = 0; rank < spec.ranks.size(); ++rank)
      for (const ByteRange& r : byte_ranges(spec, rank)) {
        read += r.runs * r.run;
        CHECK(r.last - r.first + 1 == (r.runs - 1) * r.stride + r.run);
        (r.runs == 1 ? rows : columns) += 1;
      }
    CHECK(read == (cut_dim(spec.placement) < 0 ? 4 : 1) * spec.bytes);
  }
  CHECK(rows > 0);
  CHECK(columns > 0);
}

TEST_CASE("a measured run is held against the prediction and can calibrate it", "[gui][validation]") {
  const std::string copy = file_in_scratch("run.json");
  std::filesystem::copy_file("tests/fixtures/run/tp2.json", copy, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file("tests/fixtures/run/config.json",
                             std::filesystem::path(copy).parent_path() / "config.json",
                             std::filesystem::copy_options::overwrite_existing);
  auto host = host_of(Document{});
  open_path(host->app(), copy);
  host->settle();
  App& app = host->app();
  REQUIRE(app.measured.held);
  CHECK(app.measured.held->validation.passes.size() == 2);
  CHECK(!app.measured.held->errors.empty());
  app.view.alone = "validation";
  host->settle();
  REQUIRE(host->click("Validation/show"));
  CHECK(app.document().tp == 2);
  REQUIRE(app.measured.decode);
  CHECK(app.measured.decode->total > 0);
  app.view.alone = "timeline";
  app.view.overlay = Overlay::error;
  host->settle();
  app.view.alone = "graph";
  host->settle();
  app.view.alone = "validation";
  host->settle();
  REQUIRE(host->click("Validation/calibrate"));
  CHECK(!app.measured.wants_calibration);
  CHECK(!app.view.message.empty());
  std::filesystem::remove(copy);
  std::filesystem::remove(copy + ".profile.json");
  std::filesystem::remove(std::filesystem::path(copy).parent_path() / "config.json");
}

TEST_CASE("closing asks once where edits would be lost", "[gui][close]") {
  auto host = host_of(llama());
  perform(host->app(), Action::quit);
  CHECK(host->app().quit);
  host->app().quit = false;
  Edit edit{"TP 8", host->app().document()};
  edit.next.tp = 8;
  apply(host->app(), edit);
  host->settle();
  host->key("Ctrl+Q");
  host->settle();
  CHECK(!host->app().quit);
  REQUIRE(host->click("Close/cancel"));
  CHECK(!host->app().view.close_asked);
  host->key("Ctrl+Q");
  host->settle();
  REQUIRE(host->click("Close/discard"));
  CHECK(host->app().quit);
}

TEST_CASE("bookmarks, marks and the selected area of the timeline", "[gui][timeline]") {
  auto host = host_of(llama());
  App& app = host->app();
  set_workspace(app, "timeline");
  host->settle();
  REQUIRE(host->drag("Timeline/canvas", 120, 0));
  REQUIRE(app.view.time.mark_from);
  CHECK(*app.view.time.mark_from != *app.view.time.mark_to);
  CHECK(app.view.canvas == "timeline");
  host->key("F");
  host->settle();
  const double begin = app.view.time.begin, end = app.view.time.end;
  CHECK(end - begin < app.time_total());
  host->key("Shift+3");
  host->key("F");
  host->settle();
  host->key("3");
  CHECK(app.view.time.begin == begin);
  CHECK(app.view.time.end == end);
  host->key("Shift+M");
  CHECK(!app.view.time.mark_from);
}

TEST_CASE("a form field changes the config, and what is no value is refused", "[gui][forms]") {
  auto host = host_of(run_document());
  App& app = host->app();
  app.view.alone = "config";
  host->settle();
  REQUIRE(host->click("Config/num_hidden_layers/value", true));
  host->type("4");
  host->key("Enter");
  host->settle();
  REQUIRE(app.document().set.size() == 1);
  CHECK(app.document().set.front().starts_with("num_hidden_layers="));
  REQUIRE(host->click("Config/reset"));
  CHECK(app.document().set.empty());
  app.view.alone = "hardware";
  host->settle();
  REQUIRE(host->click("Hardware/memory/value", true));
  host->type("blue");
  host->key("Enter");
  host->settle();
  CHECK(app.document().hardware_set.empty());
  CHECK(app.view.message.find("memory is") == 0);
}

TEST_CASE("pictures of a panel at twice its size leave the window as it was", "[gui][export]") {
  auto host = host_of(llama(), 900, 600);
  const std::string file = file_in_scratch("2x.png");
  const float zoom = host->app().view.graph.zoom;
  host->app().want_picture = Picture{file, 2, "memory"};
  host->frame();
  host->settle();
  const auto picture = read_png(file);
  REQUIRE(picture);
  CHECK(picture->width == 1800);
  CHECK(picture->height == 1200);
  CHECK(host->app().view.alone.empty());
  CHECK(host->app().view.font_scale == 1);
  CHECK(host->app().view.graph.zoom == zoom);
  std::filesystem::remove(file);
}

TEST_CASE("at twice the font size no control of the arrangement is cut", "[gui][scale]") {
  auto host = host_of(llama());
  host->app().view.font_scale = 2;
  host->settle();
  for (const Item& item : host->items()) {
    if (item.kind != "button" && item.kind != "combo" && item.kind != "figure") continue;
    CAPTURE(item.path);
    CHECK(item.x >= 0);
    CHECK(item.x + item.width <= 1600.5F);
  }
}

TEST_CASE("worked out beside the frames it comes to the same", "[gui][tasks]") {
  App app = make_app(llama());
  app.threads = true;
  HostOptions options;
  options.font = "builtin";
  auto host = Host::create(std::move(app), options);
  REQUIRE(host);
  (*host)->settle(100000);
  auto inline_host = host_of(llama());
  CHECK((*host)->app().results.sweep->results.size() == inline_host->app().results.sweep->results.size());
  CHECK(label_of(**host, "KPI/DECODE") == label_of(*inline_host, "KPI/DECODE"));
  perform((*host)->app(), Action::cancel_work);
  (*host)->settle(100000);
  CHECK((*host)->app().at_work.empty());
}

}  // namespace tpsim::gui
