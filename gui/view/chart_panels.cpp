// Roofline, and speed-up over TP sizes.
#include <algorithm>
#include <cmath>

#include "cli/chart.h"
#include "cli/text.h"
#include "gui/view/chart_axes.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

std::string size_label(double v) { return "TP " + std::to_string(static_cast<int>(std::lround(v))); }
std::string factor_label(double v) { return cli::fixed(v, v < 10 && v != std::floor(v) ? 1 : 0) + "x"; }
std::string intensity_label(double v) { return cli::fixed(v, v < 1 ? 2 : 0); }
std::string rate_label(double v) { return cli::rate_text(v, "FLOP/s"); }

// Shape beside the colour: 0 circle, 1 square, 2 triangle, 3 diamond.
void mark(ImDrawList* list, ImVec2 p, float r, int shape, ImU32 color) {
  switch (shape) {
    case 1: return list->AddRectFilled({p.x - r, p.y - r}, {p.x + r, p.y + r}, color);
    case 2:
      return list->AddTriangleFilled({p.x, p.y - r * 1.2F}, {p.x - r * 1.1F, p.y + r}, {p.x + r * 1.1F, p.y + r},
                                     color);
    case 3:
      return list->AddQuadFilled({p.x, p.y - r * 1.3F}, {p.x + r * 1.3F, p.y}, {p.x, p.y + r * 1.3F},
                                 {p.x - r * 1.3F, p.y}, color);
    default: return list->AddCircleFilled(p, r, color, 24);
  }
}

void series(Ui& ui, const Plot& plot, const cli::ChartSeries& s, int index) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const Rgb rgb = index == 0 ? ui.theme->side_a : ui.theme->side_b;
  for (std::size_t i = 0; i + 1 < s.points.size(); ++i) {
    const cli::ChartPoint &p = s.points[i], &q = s.points[i + 1];
    list->AddQuadFilled(plot.at(p.tp, p.low), plot.at(q.tp, q.low), plot.at(q.tp, q.high), plot.at(p.tp, p.high),
                        ui.color(rgb, 0.16F));
    list->AddLine(plot.at(p.tp, p.speedup), plot.at(q.tp, q.speedup), ui.color(rgb), ui.px(2.2F));
  }
  for (const cli::ChartPoint& p : s.points) {
    const ImVec2 at = plot.at(p.tp, p.speedup);
    mark(list, at, ui.px(4.5F), index, ui.color(rgb));
    ui.add(s.name + "/" + std::to_string(p.tp), "point", cli::fixed(p.speedup, 2),
           cli::fixed(p.low, 2) + ".." + cli::fixed(p.high, 2), {at.x - ui.px(6), at.y - ui.px(6)},
           {at.x + ui.px(6), at.y + ui.px(6)});
  }
}

void legend_entry(Ui& ui, const std::string& name, int shape, Rgb rgb) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  mark(ImGui::GetWindowDrawList(), {at.x + ui.px(7), at.y + ImGui::GetTextLineHeight() / 2}, ui.px(4.5F), shape,
       ui.color(rgb));
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() + ui.px(18));
  ui.text(name);
  ImGui::SameLine(0, ui.px(18));
}

void invalid_sizes(Ui& ui, const Plot& plot, const cli::Report& sweep) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  for (const cli::SizeResult& r : sweep.results) {
    const ImVec2 at = plot.at(r.tp, plot.y.low);
    const float w = ui.px(5), y = at.y - ui.px(12);
    if (r.right() && r.memory.fits) continue;
    if (r.right()) {
      hatch(list, {at.x - ui.px(16), plot.low.y}, {at.x + ui.px(16), plot.high.y}, 1, ui.color(ui.theme->dim, 0.35F),
            ui.px(8));
      continue;
    }
    list->AddLine({at.x - w, y - w}, {at.x + w, y + w}, ui.color(ui.theme->text), ui.px(2));
    list->AddLine({at.x - w, y + w}, {at.x + w, y - w}, ui.color(ui.theme->text), ui.px(2));
  }
}

std::string remark(const cli::Report& sweep, const cli::SizeResult& r) {
  if (!r.right()) {
    const auto& codes = r.forward.verdict_reasons;
    std::string text = std::string(to_string(r.forward.verdict)) + (codes.empty() ? "" : " " + codes.front());
    for (const Diagnostic& d : r.forward.diagnostics)
      if (!codes.empty() && d.code == codes.front()) return text + ": " + d.message;
    return text;
  }
  std::vector<std::string> notes;
  if (!r.memory.fits)
    notes.push_back("does not fit (+" + cli::bytes_text(r.memory.total - r.memory.capacity, cli::Units::iec) + ")");
  if (sweep.smallest_fit() == &r) notes.emplace_back("smallest that fits");
  const auto best = std::max_element(sweep.results.begin(), sweep.results.end(), [](const auto& a, const auto& b) {
    const auto rate = [](const cli::SizeResult& x) {
      return x.right() && x.memory.fits && x.decode ? x.decode->speedup : 0;
    };
    return rate(a) < rate(b);
  });
  if (&*best == &r && r.decode && r.memory.fits) notes.emplace_back("best tokens/s");
  if (r.decode && r.decode->efficiency < 0.7) notes.emplace_back("efficiency below 70 %");
  return cli::joined(notes, ", ");
}

cli::Table size_table(const cli::Report& sweep) {
  cli::Table table;
  table.columns = {{"tp", "TP", true, 0},
                   {"memory", "memory/rank", true, 0},
                   {"prefill", "prefill", true, 0},
                   {"speedup", "speed-up", true, 0},
                   {"decode", "decode", true, 0},
                   {"tokens", "tok/s", true, 0},
                   {"dec_speedup", "speed-up", true, 0},
                   {"efficiency", "efficiency", true, 0},
                   {"remark", "remark", false, 0}};
  for (const cli::SizeResult& r : sweep.results) {
    const auto time = [&](const std::optional<cli::PhaseResult>& p) {
      return p ? cli::cell(p->time.total.count() * 1e6, 3,
                           r.memory.fits ? cli::time_text(p->time.total.count())
                                         : "(" + cli::time_text(p->time.total.count()) + ")")
               : cli::no_value();
    };
    const auto speedup = [](const std::optional<cli::PhaseResult>& p) {
      return p ? cli::cell(p->speedup, 3, cli::fixed(p->speedup, 2)) : cli::no_value();
    };
    cli::Row row;
    row.cells = {cli::cell(std::int64_t{r.tp}),
                 cli::cell(r.memory.total, cli::bytes_text(r.memory.total, cli::Units::iec)),
                 time(r.prefill),
                 speedup(r.prefill),
                 time(r.decode),
                 r.decode ? cli::cell(cli::tokens_per_second(sweep.scenario, *r.decode), 1,
                                      cli::fixed(cli::tokens_per_second(sweep.scenario, *r.decode), 0))
                          : cli::no_value(),
                 speedup(r.decode),
                 r.decode ? cli::cell(r.decode->efficiency, 4, percent_text(r.decode->efficiency)) : cli::no_value(),
                 cli::cell(remark(sweep, r))};
    table.rows.push_back(std::move(row));
  }
  return table;
}

// Roofs of one hardware: rate over FLOP per byte.
void roofs(Ui& ui, const Plot& plot, const Hardware& h, DType dtype) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const double peak = peak_rate(h, dtype).value, bandwidth = h.memory_bandwidth.value;
  const auto line = [&](double top, double slope, float alpha, const std::string& name) {
    const double corner = top / slope;
    const double left = std::max(plot.x.low, plot.y.low / slope);
    list->AddLine(plot.at(left, left * slope), plot.at(corner, top), ui.color(ui.theme->text, alpha), ui.px(2));
    list->AddLine(plot.at(corner, top), plot.at(plot.x.high, top), ui.color(ui.theme->text, alpha), ui.px(2));
    const ImVec2 end = plot.at(plot.x.high, top);
    const ImVec2 size = ImGui::CalcTextSize(name.c_str());
    list->AddText({end.x - size.x - ui.px(8), end.y + (alpha > 0.8F ? -size.y - ui.px(3) : ui.px(3))},
                  ui.color(ui.theme->dim), name.c_str());
  };
  line(peak, bandwidth, 0.9F,
       cli::rate_text(peak, "FLOP/s") + " " + to_string(dtype) + ", " + cli::rate_text(bandwidth, "B/s"));
  line(peak * h.compute_efficiency, bandwidth * h.bandwidth_efficiency, 0.4F, "large kernels reach");
}

struct RoofPoint {
  std::string name;
  double intensity = 0, rate = 0, share = 0;
  int shape = 0;
};

int shape_of(OperationKind kind) {
  return kind == OperationKind::gemm           ? 0
         : kind == OperationKind::attention    ? 2
         : kind == OperationKind::grouped_gemm ? 3
                                               : 1;
}

// Bytes that an operation moves: its own tensors, and what attention reads of the cache.
double bytes_of(const Operation& op, const Workload& workload) {
  const std::int64_t own = op.weight_bytes + op.input_bytes + op.output_bytes;
  if (op.kind != OperationKind::attention) return static_cast<double>(own);
  const std::int64_t cached = std::max<std::int64_t>(op.context - op.query_tokens, 0);
  const double values = static_cast<double>(op.sequences * op.kv_heads * (op.head_dim + op.value_dim));
  return static_cast<double>(own) + values * static_cast<double>(cached) * element_bits(workload.kv_cache) / 8;
}

std::vector<RoofPoint> points_of(const cli::PhaseResult& phase) {
  std::vector<RoofPoint> points;
  for (const OperationTime& timed : phase.time.operations) {
    const Operation& op =
        phase.analysis.traces[static_cast<std::size_t>(timed.trace)].operations[static_cast<std::size_t>(timed.index)];
    const double seconds = timed.time.count(), bytes = bytes_of(op, phase.analysis.workload);
    if (op.flops <= 0 || bytes <= 0 || seconds <= 0) continue;
    const double share = seconds * static_cast<double>(timed.count) / phase.time.total.count();
    points.push_back({op.module + " " + op.name, op.flops / bytes, op.flops / seconds, share, shape_of(op.kind)});
  }
  return points;
}

}  // namespace

void speed_up_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  if (!app.results.sweep) {
    ui.empty_state("The TP sizes are being worked out.");
    return;
  }
  const cli::Report& sweep = *app.results.sweep;
  const auto all = cli::speedup_series(sweep);
  const float width = ImGui::GetContentRegionAvail().x;
  if (all.empty() || all.front().points.empty()) {
    ui.empty_state("No size of this plan runs: see Problems.", nullptr);
  } else {
    ImGui::BeginChild("chart", {width * 0.4F, 0});
    for (std::size_t i = 0; i < all.size(); ++i)
      legend_entry(ui, all[i].name, static_cast<int>(i), i == 0 ? ui.theme->side_a : ui.theme->side_b);
    ImGui::NewLine();
    ui.dim("dots ideal, band 90 %, hatched too large, x not right");
    double top = 2, last = 2;
    for (const cli::SizeResult& r : sweep.results) last = std::max(last, static_cast<double>(r.tp));
    for (const auto& s : all)
      for (const auto& p : s.points) top = std::max(top, p.high);
    const Axis x{0.8, last * 1.25, true}, y{0.7, std::max(top * 1.2, 4.0), true};
    const Plot plot = begin_plot(ui, ImGui::GetContentRegionAvail(), x, y, log_ticks(1, last, 2),
                                 log_ticks(1, y.high, 2), size_label, factor_label);
    ImDrawList* list = ImGui::GetWindowDrawList();
    list->PushClipRect(plot.low, plot.high, true);
    invalid_sizes(ui, plot, sweep);
    constexpr int dots = 60;
    for (int i = 0; i < dots; ++i) {
      const double v = std::pow(last, static_cast<double>(i) / (dots - 1));
      list->AddCircleFilled(plot.at(v, v), ui.px(1.4F), ui.color(ui.theme->dim));
    }
    for (std::size_t i = 0; i < all.size(); ++i) series(ui, plot, all[i], static_cast<int>(i));
    list->PopClipRect();
    ImGui::EndChild();
    ImGui::SameLine();
  }
  const cli::Table table = size_table(sweep);
  std::vector<std::string> sizes;
  int current = -1;
  for (std::size_t i = 0; i < sweep.results.size(); ++i) {
    sizes.push_back("TP" + std::to_string(sweep.results[i].tp));
    if (sweep.results[i].tp == app.document().tp) current = static_cast<int>(i);
  }
  ImGui::BeginChild("sizes");
  const int clicked = draw_table(ui, app, "sizes", table, sizes, current);
  ImGui::EndChild();
  if (clicked < 0) return;
  Edit edit{sizes[static_cast<std::size_t>(clicked)], app.document()};
  edit.next.tp = sweep.results[static_cast<std::size_t>(clicked)].tp;
  apply(app, std::move(edit));
}

void roofline_panel(App& app, Ui& ui) {
  if (no_data(app, ui, true)) return;
  const cli::Report& report = *app.shown();
  const cli::SizeResult& size = report.results.front();
  legend_entry(ui, "products", 0, ui.theme->dim);
  legend_entry(ui, "attention", 2, ui.theme->dim);
  legend_entry(ui, "experts", 3, ui.theme->dim);
  legend_entry(ui, "other", 1, ui.theme->dim);
  ui.colored("prefill", ui.theme->side_a);
  ImGui::SameLine();
  ui.colored("decode", ui.theme->side_b);
  ImGui::SameLine();
  ui.dim("area: share of time; x: FLOP per byte of its own tensors");
  const Hardware& h = report.scenario.hardware;
  const DType dtype = report.scenario.weights;
  const double peak = peak_rate(h, dtype).value;
  if (!(peak > 0) || !(h.memory_bandwidth.value > 0)) {
    ui.empty_state("The hardware profile has no peak rate or memory bandwidth.");
    return;
  }
  const Axis x{0.1, 20000, true}, y{peak / 20000, peak * 2, true};
  const Plot plot = begin_plot(ui, ImGui::GetContentRegionAvail(), x, y, log_ticks(x.low, x.high, 10),
                               log_ticks(y.low, y.high, 10), intensity_label, rate_label);
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->PushClipRect(plot.low, plot.high, true);
  roofs(ui, plot, h, dtype);
  int phase_index = 0;
  for (const auto* phase : {&size.prefill, &size.decode}) {
    const Rgb rgb = phase_index++ == 0 ? ui.theme->side_a : ui.theme->side_b;
    if (!*phase) continue;
    for (const RoofPoint& p : points_of(**phase)) {
      const ImVec2 at = plot.at(p.intensity, p.rate);
      const float r = ui.px(3) + ui.px(26) * static_cast<float>(std::sqrt(p.share));
      mark(list, at, r, p.shape, ui.color(rgb, 0.5F));
      ui.add(std::string(phase_index == 1 ? "prefill/" : "decode/") + p.name, "point", cli::fixed(p.intensity, 2),
             cli::rate_text(p.rate, "FLOP/s"), {at.x - r, at.y - r}, {at.x + r, at.y + r});
      if (ImGui::IsMouseHoveringRect({at.x - r, at.y - r}, {at.x + r, at.y + r}) && ImGui::IsWindowHovered())
        ImGui::SetTooltip("%s\n%s FLOP/byte, %s, %s of the time", p.name.c_str(), cli::fixed(p.intensity, 1).c_str(),
                          cli::rate_text(p.rate, "FLOP/s").c_str(), percent_text(p.share).c_str());
    }
  }
  list->PopClipRect();
}

}  // namespace tpsim::gui
