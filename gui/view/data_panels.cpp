// Memory, communication, comparison, hardware, validation: tables with a picture on top.
#include <algorithm>

#include "cli/comm_table.h"
#include "cli/memory_table.h"
#include "cli/text.h"
#include "gui/view/frame.h"
#include "sim/hardware_fields.h"

namespace tpsim::gui {
namespace {

constexpr auto kUnits = cli::Units::iec;

struct Part {
  const char* letter;
  const char* name;
  std::int64_t bytes;
  std::size_t color;
};

std::vector<Part> parts_of(const MemoryFit& m, const RankMemory& rank) {
  return {{"W", "weights", rank.weights, 0},
          {"K", "KV cache", rank.kv_cache, 1},
          {"A", "activations", rank.activations, 2},
          {"C", "communication", rank.communication, 5},
          {"R", "runtime", m.runtime, 4}};
}

void memory_bar(Ui& ui, const MemoryFit& m, const RankMemory& rank, const std::string& label, std::int64_t most) {
  const float label_width = ui.px(120), height = ui.px(26), aside = ui.px(210);
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float width = std::max(ImGui::GetContentRegionAvail().x - label_width - aside, ui.px(80));
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddText({low.x, low.y + ui.px(4)}, ui.color(ui.theme->text), label.c_str());
  const auto at = [&](std::int64_t bytes) {
    return low.x + label_width + width * static_cast<float>(static_cast<double>(bytes) / static_cast<double>(most));
  };
  std::int64_t sum = 0;
  int pattern = 0;
  for (const Part& part : parts_of(m, rank)) {
    const ImVec2 a(at(sum), low.y), b(at(sum + part.bytes), low.y + height);
    sum += part.bytes;
    list->AddRectFilled(a, b, ui.color(ui.theme->strategy[part.color], 0.6F));
    hatch(list, a, b, pattern++ % 4, ui.color(ui.theme->background, 0.35F), ui.px(7));
    const ImVec2 size = ImGui::CalcTextSize(part.letter);
    if (b.x - a.x > size.x + ui.px(6)) {
      const ImVec2 mid((a.x + b.x - size.x) / 2, a.y + ui.px(4));
      list->AddRectFilled({mid.x - ui.px(3), mid.y}, {mid.x + size.x + ui.px(3), mid.y + size.y},
                          ui.color(ui.theme->background, 0.7F), ui.px(3));
      list->AddText(mid, ui.color(ui.theme->text), part.letter);
    }
    ui.add(label + "/" + part.name, "bar", cli::bytes_text(part.bytes, kUnits), part.name, a, b);
    if (ImGui::IsMouseHoveringRect(a, b) && ImGui::IsWindowHovered())
      ImGui::SetTooltip("%s %s", part.name, cli::bytes_text(part.bytes, kUnits).c_str());
  }
  const float capacity = at(m.capacity);
  if (sum > m.capacity)
    hatch(list, {capacity, low.y}, {at(sum), low.y + height}, 3, ui.color(ui.theme->text, 0.8F), ui.px(6));
  list->AddRect({low.x + label_width, low.y}, {at(most), low.y + height}, ui.color(ui.theme->line));
  list->AddLine({capacity, low.y - ui.px(3)}, {capacity, low.y + height + ui.px(3)}, ui.color(ui.theme->text),
                ui.px(2));
  const std::int64_t spare = m.capacity - sum;
  const std::string text =
      cli::bytes_text(sum, kUnits) + "  " +
      (spare >= 0 ? cli::bytes_text(spare, kUnits) + " free" : "+" + cli::bytes_text(-spare, kUnits) + " over");
  list->AddText({at(most) + ui.px(8), low.y + ui.px(4)}, ui.color(spare >= 0 ? ui.theme->text : ui.theme->side_b),
                text.c_str());
  ImGui::Dummy({0, height + ui.px(6)});
}

std::int64_t sum_of(const MemoryFit& m, const RankMemory& rank) {
  std::int64_t sum = 0;
  for (const Part& part : parts_of(m, rank)) sum += part.bytes;
  return sum;
}

bool alike(const RankMemory& a, const RankMemory& b) {
  return a.weights == b.weights && a.kv_cache == b.kv_cache && a.activations == b.activations &&
         a.communication == b.communication;
}

void memory_bars(Ui& ui, const cli::SizeResult& result) {
  const MemoryFit& m = result.memory;
  std::int64_t most = m.capacity;
  for (const RankMemory& rank : result.ranks) most = std::max(most, sum_of(m, rank));
  for (std::size_t i = 0; i < result.ranks.size();) {
    std::size_t end = i + 1;
    while (end < result.ranks.size() && alike(result.ranks[i], result.ranks[end])) ++end;
    const std::string label = end == i + 1 ? "rank " + std::to_string(i)
                                           : "ranks " + std::to_string(i) + "-" + std::to_string(end - 1) + " equal";
    memory_bar(ui, m, result.ranks[i], label, most);
    i = end;
  }
}

std::vector<std::string> first_cells(const cli::Table& table, std::size_t column) {
  std::vector<std::string> out;
  for (const cli::Row& row : table.rows) out.push_back(row.cells[column].text);
  return out;
}

void select_module(App& app, const std::string& pattern) {
  const int row = find_module(app.modules, pattern);
  if (row >= 0) app.view.selected = app.modules[static_cast<std::size_t>(row)].path;
}

const ValueObject* object_at(const Value* value, std::string_view key) {
  const auto* object = value ? std::get_if<ValueObject>(&value->data) : nullptr;
  const Value* member = object ? find(*object, key) : nullptr;
  return member ? std::get_if<ValueObject>(&member->data) : nullptr;
}

std::string plain(const Value& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  return text ? *text : to_json(value);
}

void fields_of(Ui& ui, const ValueObject& object, const char* heading) {
  ui.heading(heading);
  for (const auto& [key, value] : object) {
    if (std::holds_alternative<ValueList>(value.data)) continue;
    const auto* inner = std::get_if<ValueObject>(&value.data);
    std::string text = inner ? "" : plain(value);
    if (inner != nullptr)
      for (const auto& [k, v] : *inner) text += (text.empty() ? "" : ", ") + k + " " + plain(v);
    ui.dim(key);
    ImGui::SameLine(ui.px(200));
    ui.wrapped(text);
    ui.add_last(key, "field", key, text);
  }
}

}  // namespace

void memory_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const cli::SizeResult& result = app.shown()->results.front();
  ui.text("capacity " + cli::bytes_text(result.memory.capacity, kUnits) + "   room for " +
          cli::grouped(result.memory.max_kv_tokens) + " KV tokens in total");
  ImGui::SameLine(0, ui.px(20));
  ui.dim("W weights  K KV cache  A activations  C communication  R runtime  | capacity");
  memory_bars(ui, result);
  const cli::Table table = cli::memory_table(result, kUnits);
  const int clicked = draw_table(ui, app, "parts", table, first_cells(table, 0));
  if (clicked >= 0) select_module(app, table.rows[static_cast<std::size_t>(clicked)].cells[0].text);
}

void communication_panel(App& app, Ui& ui) {
  if (no_data(app, ui, true)) return;
  const cli::SizeResult& result = app.shown()->results.front();
  for (const auto& [name, phase] :
       {std::pair<const char*, const std::optional<cli::PhaseResult>*>{"prefill", &result.prefill},
        {"decode", &result.decode}}) {
    if (!*phase) continue;
    ui.text(std::string(name) + "  " + cli::time_text((*phase)->time.communication.count()) + " of " +
            cli::time_text((*phase)->time.total.count()) + " (" + percent_text((*phase)->comm_share) + ")");
    ImGui::SameLine(0, ui.px(24));
  }
  ui.dim("algbw = payload / time; busbw = algbw x the ring's share, as nccl-tests defines them");
  const cli::Table table = cli::comm_table(result, kUnits);
  if (table.rows.empty()) {
    ui.empty_state("No collectives: nothing is cut at TP " + std::to_string(result.tp) + ".");
    return;
  }
  const int clicked = draw_table(ui, app, "collectives", table, first_cells(table, 2));
  if (clicked >= 0) select_module(app, table.rows[static_cast<std::size_t>(clicked)].cells[2].text);
}

void compare_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const Evaluation &a = app.results.a, &b = app.results.b;
  const Document& d = app.document();
  ui.colored("A  " + d.plan_a().name, ui.theme->side_a);
  ImGui::SameLine();
  ui.dim("against");
  ImGui::SameLine();
  ui.colored("B  " + d.plan_b().name + (d.baseline_tp ? " at TP " + std::to_string(*d.baseline_tp) : "") +
                 (d.baseline_hardware.empty() ? "" : " on " + d.baseline_hardware),
             ui.theme->side_b);
  ImGui::SameLine(0, ui.px(20));
  ui.checkbox("changed", "changed only", app.view.changed_only);
  ImGui::SameLine();
  if (ui.button("swap", "swap  X")) perform(app, Action::swap_sides);
  ImGui::SameLine();
  if (ui.button("baseline", "make A the baseline  B")) perform(app, Action::make_baseline);
  ui.dim("B at");
  for (const int tp : {1, 2, 4, 8}) {
    ImGui::SameLine(0, ui.px(4));
    const bool on = d.baseline_tp.value_or(d.tp) == tp;
    if (!ui.button(("tp" + std::to_string(tp)).c_str(), "TP " + std::to_string(tp), true, "", on)) continue;
    Edit edit{"B at TP " + std::to_string(tp), d};
    edit.next.baseline_tp = tp == d.tp ? std::nullopt : std::optional(tp);
    apply(app, std::move(edit));
  }
  ImGui::SameLine(0, ui.px(12));
  std::string hardware = d.baseline_hardware.empty() ? "same GPUs" : d.baseline_hardware;
  std::vector<std::string> choices = {"same GPUs"};
  choices.insert(choices.end(), app.hardware.begin(), app.hardware.end());
  if (ui.combo("hardware", hardware, choices, ui.px(150))) {
    Edit edit{"B on " + hardware, app.document()};
    edit.next.baseline_hardware = hardware == "same GPUs" ? "" : hardware;
    apply(app, std::move(edit));
  }
  if (b.error) return ui.banner("B: " + b.error->message, ui.theme->strategy[7]);
  if (!a.report || !b.report) return;
  const Comparison c = compare_modules(*a.report, *b.report, app.view.changed_only);
  ui.text(std::to_string(c.changed) + " changed, " + std::to_string(c.same) + " same, " + std::to_string(c.only_a) +
          " only in A, " + std::to_string(c.only_b) + " only in B");
  ImGui::SameLine(0, ui.px(16));
  ui.dim("+ A has more, - A has less");
  if (c.table.rows.empty()) {
    ui.empty_state("A and B are alike in every module.");
    return;
  }
  const int clicked = draw_table(ui, app, "modules", c.table, c.paths);
  if (clicked >= 0) select_module(app, c.paths[static_cast<std::size_t>(clicked)]);
}

void hardware_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const Hardware& h = app.shown()->scenario.hardware;
  ui.text(h.title + "   " + h.origin);
  cli::Table table;
  table.columns = {{"field", "field", false, 0}, {"value", "value", false, 0}, {"source", "source", false, 0}};
  const auto add = [&](const char* field, const std::string& value) {
    const auto source = h.sources.find(field);
    cli::Row row;
    row.cells = {cli::cell(std::string(field)), cli::cell(value),
                 cli::cell(source == h.sources.end() ? std::string("") : source->second)};
    table.rows.push_back(std::move(row));
  };
  add("memory", cli::bytes_text(h.memory.value, kUnits));
  add("memory_bandwidth", cli::rate_text(h.memory_bandwidth.value, "B/s"));
  for (const auto& [dtype, rate] : h.peak)
    add((std::string("peak.") + to_string(dtype)).c_str(), cli::rate_text(rate.value, "FLOP/s"));
  add("devices_per_node", std::to_string(h.devices_per_node));
  add("link.name", h.link.name);
  add("link.per_direction", cli::rate_text(h.link.per_direction.value, "B/s"));
  add("link.latency", cli::time_text(h.link.latency.count()));
  add("network.name", h.network.name);
  add("network.per_direction", cli::rate_text(h.network.per_direction.value, "B/s"));
  add("runtime_reserve", cli::bytes_text(h.runtime_reserve.value, kUnits));
  add("compute_efficiency", cli::fixed(h.compute_efficiency, 2));
  add("bandwidth_efficiency", cli::fixed(h.bandwidth_efficiency, 2));
  draw_table(ui, app, "fields", table);
}

void validation_panel(App& app, Ui& ui) {
  if (!app.measured.run) {
    if (ui.empty_state(
            "No measured run. Open or drop a result of  tpsim run ... --json -o result.json, or a profiler trace.",
            "Open result..."))
      perform(app, Action::open);
    const std::string command = command_line(app.document(), Side::a, "plan.json");
    if (!app.document().model.empty())
      ui.dim("To make one: tpsim run" +
             command.substr(command.find(" -m")).substr(0, command.find(" --hw") - command.find(" -m")) + " --tp " +
             std::to_string(app.document().tp) + " --json -o result.json");
    return;
  }
  const Value& run = *app.measured.run;
  ui.text(app.measured.run_name);
  if (const ValueObject* numeric = object_at(&run, "numeric")) {
    const Value* verdict = find(*numeric, "verdict");
    const std::string text = verdict ? plain(*verdict) : "unknown";
    ui.banner(
        "executed: " + text +
            (app.results.a.report ? std::string("      analysed: ") + to_string(app.results.a.size()->forward.verdict)
                                  : ""),
        text == "right" ? ui.theme->side_a : ui.theme->side_b);
    fields_of(ui, *numeric, "Numbers");
  }
  for (const char* part : {"time", "provenance"})
    if (const ValueObject* object = object_at(&run, part)) fields_of(ui, *object, part);
  if (const auto* object = std::get_if<ValueObject>(&run.data)) {
    ValueObject simple;
    for (const auto& [key, value] : *object)
      if (!std::holds_alternative<ValueObject>(value.data)) simple.emplace_back(key, value);
    fields_of(ui, simple, "Run");
  }
}

}  // namespace tpsim::gui
