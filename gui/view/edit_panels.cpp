// Panels that change the plan: its text, the inspector of a module, the what-if list, problems with fixes, history.
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

void apply_strategy(App& app, const ModuleRow& row, const std::string& strategy) {
  const cli::Report& report = *app.results.a.report;
  const auto name = [](const std::string& s) { return s.empty() ? std::string("no rule") : s; };
  const auto patch = strategy_patch(report.results.front().forward, row, strategy, app.view.scope);
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
  if (ui.button("scope-layer", "layer " + std::to_string(row.first_index), true, "adds a rule for this layer alone",
                app.view.scope == Scope::layer))
    app.view.scope = Scope::layer;
}

void pair(Ui& ui, const char* name, const std::string& value) {
  ui.dim(name);
  ImGui::SameLine(ui.px(92));
  ui.wrapped(value);
}

void layouts(App& app, Ui& ui) {
  std::vector<std::string> in, out;
  for (const DrawnEdge& e : app.graph.edges) {
    const auto is_selected = [&](int n) {
      const DrawnNode& node = app.graph.nodes[static_cast<std::size_t>(n)];
      return node.kind == NodeKind::module && node.module_row >= 0 &&
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
  for (const DrawnNode& n : app.graph.nodes) {
    if (n.module_row < 0 || app.modules[static_cast<std::size_t>(n.module_row)].path != row.path) continue;
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

std::string effect_text(const Diagnostic& d) {
  return d.effect_bytes ? signed_bytes(*d.effect_bytes) + " per rank" : "";
}

Rgb severity_color(const Ui& ui, Severity severity) {
  return severity == Severity::error     ? ui.theme->side_b
         : severity == Severity::warning ? ui.theme->strategy[5]
                                         : ui.theme->dim;
}

void fixes(App& app, Ui& ui, const Diagnostic& d) {
  for (std::size_t i = 0; i < d.fixes.size(); ++i) {
    const Fix& fix = d.fixes[i];
    const std::string id = i == 0 ? "fix" : "fix" + std::to_string(i + 1);
    if (fix.patch.empty()) {
      ui.dim("fix: " + fix.title);
    } else if (ui.button(id.c_str(), "Apply: " + fix.title)) {
      return apply(app,
                   edit_plan(app.document(), app.results.a.report->scenario, fix.patch, d.code + ": " + fix.title));
    }
  }
}

void problem(App& app, Ui& ui, const cli::Problem& p, int index) {
  const Diagnostic& d = p.diagnostic;
  const PathScope scope(ui, d.code + (index > 0 ? "#" + std::to_string(index) : ""));
  const char letter = d.severity == Severity::error ? 'E' : d.severity == Severity::warning ? 'W' : 'I';
  const bool selected = app.view.selected_problem == index;
  ui.colored(std::string(1, letter), severity_color(ui, d.severity));
  ImGui::SameLine();
  if (ui.selectable("row",
                    d.code + "  " + (d.where.empty() ? d.rule : d.where) +
                        (d.count > 1 ? "  x" + std::to_string(d.count) : "") + "   " + effect_text(d),
                    selected)) {
    app.view.selected_problem = index;
    const int row = find_module(app.modules, d.where);
    if (row >= 0) app.view.selected = app.modules[static_cast<std::size_t>(row)].path;
  }
  ImGui::Indent(ui.px(24));
  ui.wrapped(d.message);
  if (selected)
    for (const std::string& line : d.details) ui.wrapped(line, ui.theme->dim);
  fixes(app, ui, d);
  if (selected && d.severity != Severity::note && ui.button("suppress", "suppress"))
    apply(app, suppress(app.document(), d));
  ImGui::Unindent(ui.px(24));
}

void gutter(App& app, Ui& ui, const std::string& text, float line_height) {
  const Analysis* analysis = app.results.a.report ? &app.results.a.size()->forward : nullptr;
  const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 low = ImGui::GetCursorScreenPos();
  for (int line = 1; line <= lines; ++line) {
    const float y = low.y + ui.px(4) + line_height * static_cast<float>(line - 1);
    const bool idle =
        analysis != nullptr && std::any_of(analysis->rules.begin(), analysis->rules.end(), [&](const ResolvedRule& r) {
          return r.rule.position.line == line && r.modules + r.parameters == 0;
        });
    const bool faulty =
        analysis != nullptr &&
        std::any_of(analysis->diagnostics.begin(), analysis->diagnostics.end(),
                    [&](const Diagnostic& d) { return d.position.line == line && d.severity != Severity::note; });
    if (idle || faulty)
      list->AddRectFilled({low.x, y}, {low.x + ui.px(40), y + line_height},
                          ui.color(faulty ? ui.theme->side_b : ui.theme->strategy[5], 0.4F));
    list->AddText(ui.fonts.mono, ui.fonts.mono->FontSize, {low.x + ui.px(6), y}, ui.color(ui.theme->dim),
                  (std::to_string(line) + (idle || faulty ? " !" : "")).c_str());
  }
  ImGui::Dummy({ui.px(44), line_height * static_cast<float>(lines)});
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

void problems_panel(App& app, Ui& ui) {
  if (app.document().model.empty()) {
    no_data(app, ui);
    return;
  }
  if (app.results.a.error) {
    const Error& e = *app.results.a.error;
    ui.colored("E  " + e.message, ui.theme->side_b);
    if (!e.where.empty()) ui.dim(e.where);
    for (const std::string& line : e.details) ui.dim(line);
    for (const std::string& fix : e.fixes) ui.text("fix: " + fix);
    return;
  }
  const auto& suppressed = app.document().suppressed;
  const auto problems = app.results.a.report->problems;
  if (problems.empty()) {
    ui.empty_state("No problems: the plan gives the unsharded model's numbers.");
    return;
  }
  for (std::size_t i = 0; i < problems.size(); ++i)
    if (std::find(suppressed.begin(), suppressed.end(), suppression(problems[i].diagnostic)) == suppressed.end())
      problem(app, ui, problems[i], static_cast<int>(i));
  if (!suppressed.empty())
    ui.dim(cli::plural(static_cast<std::int64_t>(suppressed.size()), "problem") + " suppressed in this project");
}

void plan_text_panel(App& app, Ui& ui) {
  if (app.document().model.empty()) {
    no_data(app, ui);
    return;
  }
  const cli::Scenario* scenario = app.shown() ? &app.shown()->scenario : nullptr;
  const bool own = !app.document().plan_a().text.empty();
  if (!own && scenario == nullptr) {
    no_data(app, ui);
    return;
  }
  std::string text = app.view.plan_draft ? *app.view.plan_draft
                     : own               ? app.document().plan_a().text
                                         : plan_text_of(app.document(), *scenario);
  const auto read = read_plan(text, app.document().plan_a().name);
  ui.dim(app.document().plan_a().name + (own ? "" : "  as shipped; typing makes a plan of your own") +
         "   marked lines match nothing or have a problem");
  if (!read)
    ui.banner("This text is not a plan yet, the last one that was stays in effect: " + read.error().message + "  " +
                  read.error().where,
              ui.theme->strategy[7]);
  ImGui::BeginChild("text");
  ImGui::PushFont(ui.fonts.mono);
  const float line_height = ImGui::GetTextLineHeight();
  gutter(app, ui, text, line_height);
  ImGui::SameLine(0, 0);
  const auto lines = static_cast<float>(std::count(text.begin(), text.end(), '\n') + 2);
  const bool changed = ImGui::InputTextMultiline(
      "##plan", &text, {-1, std::max(line_height * lines + ui.px(10), ImGui::GetContentRegionAvail().y)},
      ImGuiInputTextFlags_AllowTabInput);
  ui.add_last("text", "editor", "", text);
  ImGui::PopFont();
  ImGui::EndChild();
  if (!changed) return;
  app.view.plan_draft.reset();
  if (read_plan(text, app.document().plan_a().name))
    apply(app, edit_plan_text(app.document(), text), "plan text");
  else
    app.view.plan_draft = text;
}

void log_panel(App& app, Ui& ui) {
  ui.dim("Every edit of this session; a click goes there.");
  const auto& steps = app.history.steps();
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (ui.selectable(std::to_string(i).c_str(), std::to_string(i) + "  " + steps[i].name, i == app.history.position()))
      app.history.jump(i);
}

}  // namespace tpsim::gui
