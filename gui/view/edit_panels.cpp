// What stands on one module, and what would change with another strategy; the history of edits.
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "cli/messages.h"
#include "cli/text.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

std::string codes_text(const std::vector<std::string>& added, const std::vector<std::string>& removed) {
  std::vector<std::string> parts;
  for (const std::string& code : added) parts.push_back("+" + code);
  for (const std::string& code : removed) parts.push_back("-" + code);
  return cli::joined(parts, " ");
}

std::string short_name(const ModuleRow& row) { return row.pattern.substr(row.pattern.rfind('.') + 1); }

// The row as the layer that is picked in it: what "this layer" means.
ModuleRow at_layer(const App& app, ModuleRow row) {
  if (app.view.layer >= 0) row.first_index = app.view.layer;
  return row;
}

void apply_strategy(App& app, const ModuleRow& row, const std::string& strategy) {
  const cli::Report& report = *app.results.a.report;
  const auto name = [](const std::string& s) { return s.empty() ? std::string("no rule") : s; };
  const auto patch = strategy_patch(report.results.front().forward, at_layer(app, row), strategy, app.view.scope);
  if (patch.empty()) return;
  apply(app, edit_plan(app.document(), report.scenario, patch,
                       short_name(row) + ": " + name(row.strategy) + " -> " + name(strategy)));
}

cli::Table what_if_table(const WhatIf& what_if) {
  cli::Table table;
  table.columns = {{"strategy", "strategy", false, 0}, {"verdict", "verdict", false, 0},
                   {"bytes", "memory", true, 0},       {"prefill", "prefill", true, 0},
                   {"decode", "decode", true, 0},      {"problems", "problems", false, 0},
                   {"reason", "why", false, 0}};
  for (const Consequence& c : what_if.list) {
    const auto time = [&](const std::optional<double>& t) {
      return t ? cli::cell(*t * 1e6, 3, signed_time(*t)) : cli::no_value();
    };
    cli::Row row;
    const std::string name = c.strategy.empty() ? "no rule" : c.strategy;
    row.cells = {cli::cell(std::string(1, strategy_letter(c.strategy)) + "  " + name + (c.is_current ? "  (now)" : "")),
                 cli::cell(std::string(c.done ? to_string(c.verdict) : "...")),
                 c.done && c.verdict != Verdict::error ? cli::cell(c.bytes, signed_bytes(c.bytes)) : cli::no_value(),
                 time(c.prefill),
                 time(c.decode),
                 cli::cell(codes_text(c.added, c.removed)),
                 cli::cell(c.reason)};
    table.rows.push_back(std::move(row));
  }
  return table;
}

void strategies(App& app, Ui& ui, const ModuleRow& row, const std::vector<std::string>& hidden) {
  std::vector<std::string> names;
  for (const Consequence& c : app.what_if.list) names.push_back(c.strategy.empty() ? "no rule" : c.strategy);
  const int chosen = draw_table(ui, app, "strategies", what_if_table(app.what_if), names, -1, hidden);
  if (chosen >= 0) apply_strategy(app, row, app.what_if.list[static_cast<std::size_t>(chosen)].strategy);
}

void scope_choice(App& app, Ui& ui, const ModuleRow& row) {
  const std::string all = "this rule (" + cli::plural(row.count, "module") + ")";
  if (ui.button("scope-rule", all, true, "changes the rule that hits these modules", app.view.scope == Scope::rule))
    app.view.scope = Scope::rule;
  ImGui::SameLine(0, ui.px(4));
  if (row.pattern.find('*') == std::string::npos) return;
  if (ui.button("scope-layer", "layer " + std::to_string(at_layer(app, row).first_index), true,
                "adds a rule for this layer alone; many releases read no index in a rule, then the list says TP201",
                app.view.scope == Scope::layer))
    app.view.scope = Scope::layer;
}

void pair(Ui& ui, const char* name, const std::string& value) {
  ui.dim(name);
  ImGui::SameLine(ui.px(92));
  ui.wrapped(value);
}

// Of the selected module's node: one of many where its group is unfolded.
int drawn_layer(const App& app) {
  const ModuleRow* row = app.selected_row();
  const int node = row ? node_of(app.graph, static_cast<int>(row - app.modules.data()), app.view.layer) : -1;
  return node < 0 ? -1 : app.graph.nodes[static_cast<std::size_t>(node)].layer;
}

void layouts(App& app, Ui& ui) {
  std::vector<std::string> in, out;
  const int layer = drawn_layer(app);
  for (const DrawnEdge& e : app.graph.edges) {
    const auto is_selected = [&](int n) {
      const DrawnNode& node = app.graph.nodes[static_cast<std::size_t>(n)];
      return node.kind == NodeKind::module && node.module_row >= 0 && node.layer == layer &&
             app.modules[static_cast<std::size_t>(node.module_row)].path == app.view.selected;
    };
    const std::string text = short_layout(e.layout) + "  " + to_string(e.shape);
    if (is_selected(e.to)) in.push_back(text);
    if (is_selected(e.from)) out.push_back(text);
  }
  if (!in.empty()) pair(ui, "in, prompt", cli::joined(cli::distinct(in), "; "));
  if (!out.empty()) pair(ui, "out, prompt", cli::joined(cli::distinct(out), "; "));
}

void collectives(App& app, Ui& ui, const ModuleRow& row) {
  std::vector<std::string> found;
  double prefill = 0, decode = 0;
  const int layer = drawn_layer(app);
  for (const DrawnNode& n : app.graph.nodes) {
    if (n.module_row < 0 || n.layer != layer || app.modules[static_cast<std::size_t>(n.module_row)].path != row.path)
      continue;
    prefill += n.prefill_us;
    decode += n.decode_us;
    if (n.kind == NodeKind::collective) found.push_back(n.title + " " + cli::bytes_text(n.bytes, cli::Units::iec));
  }
  pair(ui, "collective", found.empty() ? "none" : cli::joined(found, ", "));
  if (prefill > 0) pair(ui, "prefill", cli::time_text(prefill * 1e-6) + " a layer");
  if (decode > 0) pair(ui, "decode", cli::time_text(decode * 1e-6) + " a layer");
}

void module_facts(App& app, Ui& ui, const ModuleRow& row) {
  const Analysis& analysis = app.shown()->results.front().forward;
  const ShardSpec& spec = analysis.shards[static_cast<std::size_t>(row.specs.front())];
  const auto rank = static_cast<std::size_t>(heaviest_rank(analysis));
  ui.chip(row.strategy);
  pair(ui, "rule",
       row.rule < 0 ? "none: a full copy on every rank" : analysis.rules[static_cast<std::size_t>(row.rule)].rule.key);
  if (row.rule >= 0)
    pair(ui, "why",
         "rule " + std::to_string(row.rule + 1) + " of " + std::to_string(analysis.rules.size()) + " (" +
             to_string(analysis.rules[static_cast<std::size_t>(row.rule)].origin) + ")");
  pair(ui, "full",
       to_string(spec.shape) + " " + to_string(spec.dtype) + (row.count > 1 ? "  x" + std::to_string(row.count) : ""));
  pair(ui, "local", to_string(spec.ranks[rank].shape) + "  " + to_string(spec.placement));
  pair(ui, "bytes/rank",
       cli::bytes_text(row.rank_bytes, cli::Units::iec) + " of " + cli::bytes_text(row.bytes, cli::Units::iec));
  layouts(app, ui);
  collectives(app, ui, row);
}

void module_problems(App& app, Ui& ui, const ModuleRow& row) {
  for (const cli::Problem& p : app.shown()->problems) {
    if (p.diagnostic.where.find(row.pattern) == std::string::npos) continue;
    ui.wrapped(p.diagnostic.code + "  " + p.diagnostic.message,
               p.diagnostic.severity == Severity::error ? ui.theme->strategy[1] : ui.theme->dim);
  }
}

}  // namespace

void inspector_panel(App& app, Ui& ui) {
  ui.heading("INSPECTOR");
  if (app.shown() == nullptr) {
    if (!app.results.a.error) ui.empty_state("Choose a module to see its rule, shape, layout and alternatives.");
    return;
  }
  const ModuleRow* row = app.selected_row();
  if (row == nullptr) {
    ui.empty_state(
        "Choose a module to see its rule, shape, layout and alternatives: in the graph, in the tree, or with Ctrl+P.");
    return;
  }
  ui.wrapped(row->path);
  if (!row->is_leaf()) {
    pair(ui, "bytes/rank",
         cli::bytes_text(row->rank_bytes, cli::Units::iec) + " of " + cli::bytes_text(row->bytes, cli::Units::iec));
    pair(ui, "copies", cli::bytes_text(row->replicated, cli::Units::iec) + " are on every rank");
    return;
  }
  module_facts(app, ui, *row);
  module_problems(app, ui, *row);
  ImGui::Separator();
  ui.heading("ALTERNATIVES");
  if (app.view.show_b || !app.results.a.report) return ui.dim("edits are for plan A");
  scope_choice(app, ui, *row);
  strategies(app, ui, *row, {"prefill", "reason", "verdict"});
}

void what_if_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const ModuleRow* row = app.selected_row();
  if (row == nullptr || !row->is_leaf() || !app.results.a.report) {
    ui.empty_state("Choose a module: every strategy of the dialect stands here with what it would change.");
    return;
  }
  ui.text(row->path);
  scope_choice(app, ui, *row);
  ImGui::SameLine();
  ui.dim("differences to plan A as it is; a click applies");
  strategies(app, ui, *row, {});
}

void strategy_popup(App& app, Ui& ui) {
  ImGui::SetNextWindowSize({ui.px(620), ui.px(330)});
  if (!ImGui::BeginPopup("strategies")) return;
  const ModuleRow* row = app.selected_row();
  if (row != nullptr && row->is_leaf() && app.results.a.report && !app.view.show_b) {
    const PathScope scope(ui, "Strategies");
    ui.text(row->path);
    scope_choice(app, ui, *row);
    const Document before = app.document();
    strategies(app, ui, *row, {"reason"});
    if (!(app.document() == before)) ImGui::CloseCurrentPopup();
  } else {
    ui.dim("edits are for modules with weights, of plan A");
  }
  ImGui::EndPopup();
}

void log_panel(App& app, Ui& ui) {
  ui.dim("Every edit of this session; a click goes there.");
  const auto& steps = app.history.steps();
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (ui.selectable(std::to_string(i).c_str(), std::to_string(i) + "  " + steps[i].name, i == app.history.position()))
      app.history.jump(i);
}

}  // namespace tpsim::gui
