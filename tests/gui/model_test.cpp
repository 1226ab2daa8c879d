#include <algorithm>

#include "gui/model/actions.h"
#include "gui/model/edits.h"
#include "gui/model/figures.h"
#include "gui/model/graph.h"
#include "gui/model/history.h"
#include "gui/model/layered_layout.h"
#include "gui/model/theme.h"
#include "gui/model/timeline.h"
#include "gui/model/what_if.h"
#include "tests/gui/gui_fixture.h"

namespace tpsim::gui {
namespace {

Results results_of(const Document& d) {
  Results results;
  refresh(results, d);
  finish(results, d);
  return results;
}

}  // namespace

TEST_CASE("document: written and read back it is the same", "[gui][document]") {
  Document d = llama(8);
  d.plans.push_back({"mine", "mine.json", "{\"a\": \"colwise\"}", true});
  d.edited = 1;
  d.batch = 3;
  d.context = 8192;
  d.dtype = DType::fp8;
  d.phase = cli::Phase::decode;
  d.suppressed = {"TP202 lm_head"};
  d.notes = "two\nlines";
  const auto read = read_document(to_json(d), "p.tpsim.json");
  REQUIRE(read);
  CHECK(*read == d);
}

TEST_CASE("document: what the flags would refuse is an error with its place", "[gui][document]") {
  for (const char* bad :
       {"[]", "{}", R"({"schema":"tpsim.project/1","tp":0})", R"({"schema":"tpsim.project/1","plans":[1]})",
        R"({"schema":"tpsim.project/1","dtype":"fp7"})", R"({"schema":"tpsim.project/1","plans":[{}],"edited":4})"}) {
    CAPTURE(bad);
    const auto read = read_document(bad, "p.json");
    REQUIRE(!read);
    CHECK(read.error().where.find("p.json") == 0);
  }
}

TEST_CASE("history: undo, redo, and one step for a drag", "[gui][history]") {
  History history(llama());
  for (const int batch : {2, 3, 4}) {
    Document d = history.current();
    d.batch = batch;
    history.apply("batch", d, "batch");
  }
  CHECK(history.steps().size() == 2);
  CHECK(history.undo());
  CHECK(!history.current().batch);
  CHECK(!history.undo());
  CHECK(history.redo());
  CHECK(history.current().batch == 4);
  history.apply("nothing", history.current());
  CHECK(history.steps().size() == 2);
}

TEST_CASE("results: the figures of the report command", "[gui][results]") {
  const Results results = results_of(llama());
  REQUIRE(results.a.report);
  CHECK(results.a.size()->memory.weights == 35278831616);
  REQUIRE(results.sweep);
  CHECK(results.sweep->results.size() == 5);
}

TEST_CASE("edits: a strategy makes a plan of one's own and leaves the baseline", "[gui][edits]") {
  const Document d = llama();
  const Results results = results_of(d);
  const auto rows = module_tree(results.a.size()->forward);
  const int gate = find_module(rows, "gate_proj");
  REQUIRE(gate >= 0);
  const auto patch =
      strategy_patch(results.a.size()->forward, rows[static_cast<std::size_t>(gate)], "rowwise", Scope::rule);
  const Edit edit = edit_plan(d, *results.a.scenario(), patch, "gate");
  CHECK(edit.next.plans.size() == 2);
  CHECK(edit.next.edited == 1);
  CHECK(edit.next.baseline == 0);
  CHECK(edit.next.plan_a().text.find("\"model.layers.*.mlp.gate_proj\": \"rowwise\"") != std::string::npos);
  const Results after = results_of(edit.next);
  CHECK(after.a.size()->forward.verdict == Verdict::error);
  CHECK(after.b.size()->forward.verdict == Verdict::right);
}

TEST_CASE("what-if: the strategy as it is changes nothing", "[gui][what_if]") {
  const Document d = llama();
  const Results results = results_of(d);
  const auto rows = module_tree(results.a.size()->forward);
  const ModuleRow& row = rows[static_cast<std::size_t>(find_module(rows, "k_proj"))];
  WhatIf what_if;
  open_what_if(what_if, results, row, Scope::rule);
  for (int i = next_of(what_if); i >= 0; i = next_of(what_if)) {
    Consequence& entry = what_if.list[static_cast<std::size_t>(i)];
    entry = work_out(entry, d, *results.a.report, row, Scope::rule);
  }
  REQUIRE(!what_if.list.empty());
  bool current = false;
  for (const Consequence& c : what_if.list) {
    CHECK(c.done);
    if (!c.is_current) continue;
    current = true;
    CHECK(c.bytes == 0);
    CHECK(c.verdict == Verdict::right);
  }
  CHECK(current);
}

TEST_CASE("modules: rows are found by path, pattern, name and end", "[gui][modules]") {
  const Results results = results_of(llama());
  const auto rows = module_tree(results.a.size()->forward);
  const int row = find_module(rows, "model.layers.0-79.mlp.gate_proj");
  REQUIRE(row >= 0);
  for (const char* text :
       {"model.layers.*.mlp.gate_proj", "model.layers.17.mlp.gate_proj", "mlp.gate_proj", "gate_proj.weight"})
    CHECK(find_module(rows, text) == row);
  CHECK(find_module(rows, "ate_proj") == -1);
  CHECK(find_module(rows, "") == -1);
}

TEST_CASE("layout: nodes of a row do not overlap and edges go down", "[gui][layout]") {
  LayerGraph graph;
  for (int i = 0; i < 9; ++i) graph.nodes.push_back({"", "n", "", false});
  for (const auto& [from, to] : std::vector<std::pair<int, int>>{
           {0, 1}, {0, 2}, {0, 3}, {1, 4}, {2, 4}, {3, 5}, {4, 6}, {5, 6}, {0, 6}, {6, 7}, {7, 8}, {0, 8}})
    graph.edges.push_back({from, to, {}, "Replicate"});
  const PlacedGraph placed = place_in_layers(graph, std::vector<BoxSize>(9, {80, 30}));
  REQUIRE(placed.nodes.size() == 9);
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t k = i + 1; k < 9; ++k) {
      const bool same_row = std::abs(placed.nodes[i].y - placed.nodes[k].y) < 1;
      CHECK((!same_row || std::abs(placed.nodes[i].x - placed.nodes[k].x) >= 80));
    }
  for (const auto& line : placed.edges) CHECK(line.front().y < line.back().y);
}

TEST_CASE("graph: equal layers are one group, patterns are found", "[gui][graph]") {
  const auto steps = [](const std::vector<int>& traces) {
    std::vector<Step> list;
    for (const int t : traces) list.push_back({t, ""});
    return list;
  };
  const auto plain = group_steps(steps({0, 1, 1, 1, 1, 2}));
  REQUIRE(plain.size() == 3);
  CHECK(plain[1].repeats == 4);
  const auto hybrid = group_steps(steps({0, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 3}));
  REQUIRE(hybrid.size() == 3);
  CHECK(hybrid[1].traces == std::vector<int>{1, 1, 1, 2});
  CHECK(hybrid[1].repeats == 3);
}

TEST_CASE("timeline: its end is the prediction's total", "[gui][timeline]") {
  const Results results = results_of(llama());
  const cli::PhaseResult& decode = *results.a.size()->decode;
  const Timeline timeline = predicted_timeline(decode);
  CHECK(timeline.total == Approx(microseconds(decode.time.total)).epsilon(1e-6));
  CHECK(timeline.ranks == 4);
  for (const Track& track : timeline.tracks)
    for (std::size_t i = 1; i < track.spans.size(); ++i) REQUIRE(track.spans[i].begin >= track.spans[i - 1].end - 1e-9);
}

TEST_CASE("timeline: spans narrower than a pixel are merged and none is lost", "[gui][timeline]") {
  Track track;
  for (int i = 0; i < 1000; ++i) track.spans.push_back({i * 1.0, i + 0.5, 0, 0, SpanKind::gemm});
  int count = 0;
  const auto visible = visible_spans(track, 0, 1000, 10);
  for (const VisibleSpan& v : visible) count += v.count;
  CHECK(count == 1000);
  CHECK(visible.size() <= 101);
  CHECK(visible_spans(track, 10, 12, 0.01).size() == 2);
}

TEST_CASE("timeline: traces of profilers are read, other files refused", "[gui][timeline]") {
  const auto trace = read_trace(
      R"({"traceEvents":[{"ph":"X","name":"gemm","ts":10,"dur":5,"pid":1,"tid":2},{"ph":"M"},{"ph":"X","name":"in","ts":11,"dur":1,"pid":1,"tid":2},{"ph":"X","name":"nccl","ts":15,"dur":2.5,"pid":1,"tid":3}]})",
      "t.json");
  REQUIRE(trace);
  CHECK(trace->tracks.size() == 2);
  CHECK(trace->total == 7.5);
  CHECK(trace->tracks[0].spans.size() == 1);
  CHECK(!read_trace("{}", "t.json"));
  CHECK(!read_trace(R"({"traceEvents":[{"ph":"X"}]})", "t.json"));
}

TEST_CASE("theme: colours can be told apart and read", "[gui][theme]") {
  for (const Theme* theme : {&dark_theme(), &light_theme()}) {
    CAPTURE(theme->name);
    for (const Vision vision : {Vision::normal, Vision::protan, Vision::deutan, Vision::tritan})
      for (std::size_t i = 0; i < theme->strategy.size(); ++i)
        for (std::size_t k = i + 1; k < theme->strategy.size(); ++k)
          CHECK(color_difference(seen_by(theme->strategy[i], vision), seen_by(theme->strategy[k], vision)) >= 15);
    for (const Rgb mark : theme->strategy) CHECK(contrast(mark, theme->background) >= 3.0);
    for (const Rgb text : {theme->text, theme->dim}) {
      CHECK(contrast(text, theme->background) >= 4.5);
      CHECK(contrast(text, theme->panel) >= 4.5);
      CHECK(contrast(text, theme->raised) >= 4.5);
    }
  }
  CHECK(color_difference(0x000000, 0x000000) == 0);
  CHECK(contrast(0xFFFFFF, 0x000000) == Approx(21));
}

TEST_CASE("theme: CIEDE2000 and contrast as published", "[gui][theme]") {
  CHECK(color_difference(0xFFFFFF, 0x000000) == Approx(100).margin(0.1));
  CHECK(contrast(0xE6E8EB, 0x1B1E23) == Approx(13.6).margin(0.1));
}

TEST_CASE("actions: no two have one key, fuzzy search prefers word starts", "[gui][actions]") {
  std::vector<std::string_view> keys;
  for (const Binding& b : bindings())
    if (!b.keys.empty()) keys.push_back(b.keys);
  std::sort(keys.begin(), keys.end());
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
  const std::vector<std::string> names = {"model.layers.0-79.mlp.gate_proj", "aggregate", "model.norm"};
  CHECK(fuzzy_find("gate", names, 3).front() == 0);
  CHECK(fuzzy_find("zzz", names, 3).empty());
}

TEST_CASE("figures: a plan is like itself", "[gui][figures]") {
  const Results results = results_of(llama());
  for (const Figure& f : headline_figures(*results.a.report, results.b.report.get(), {})) CHECK(f.difference == "=");
  const Comparison c = compare_modules(*results.a.report, *results.b.report, true);
  CHECK(c.table.rows.empty());
  CHECK(c.same > 5);
}

}  // namespace tpsim::gui
