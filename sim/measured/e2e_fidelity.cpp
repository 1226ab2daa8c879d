#include "sim/measured/e2e_fidelity.h"

#include <cmath>
#include <cstdio>
#include <functional>
#include <map>

#include "sim/fit/errors.h"
#include "sim/measured/stack_fit.h"

namespace tpsim {
namespace {

// One row with its predictions, all as times.
struct Judged {
  const StackRow* row = nullptr;
  double us = 0, roofline = 0, derated = 0;
  double band = 0;
};

// The data sheet alone: shares of its rates, and a fixed time for each kernel.
Hardware sheet(Hardware h, double compute, double bandwidth, double floor_us) {
  h.calibration.clear();
  h.compute_efficiency = h.attention_efficiency = compute;
  h.bandwidth_efficiency = bandwidth;
  h.kernel_floor = Seconds(floor_us * 1e-6);
  return h;
}

// Predictions of all rows on changed hardware without a stack.
std::vector<double> on_sheet(const std::vector<StackRow>& rows, double compute, double bandwidth, double floor_us) {
  E2eTimes times;
  std::vector<double> us;
  for (const StackRow& row : rows) {
    const auto name = hardware_name_of(row.row.gpu);
    if (auto hardware = load_hardware(*name)) times.use_hardware(*name, sheet(*hardware, compute, bandwidth, floor_us));
  }
  for (const StackRow& row : rows) times.use_stack(row.row.framework, Stack{});
  for (const StackRow& row : rows) {
    const auto estimate = times.predict(row.row);
    const bool trains = is_training_step(row.row);
    us.push_back(!estimate ? 0 : trains ? time_us(row.row, estimate->value) : stack_time(estimate->parts, Stack{}));
  }
  return us;
}

std::vector<Judged> judge(const std::vector<StackRow>& rows, const std::vector<StackFile>& files) {
  const auto errors = held_out_errors(rows, files);
  const auto plain = on_sheet(rows, 1, 1, 0), derated = on_sheet(rows, 0.7, 0.8, 3.6);
  std::vector<Judged> judged;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Stack& stack = files[rows[i].place.file].entries[rows[i].place.entry].stack;
    judged.push_back(
        {&rows[i], rows[i].us * std::exp(-errors[i]), plain[i], derated[i], pass_band(rows[i].band, stack)});
  }
  return judged;
}

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f", share * 100);
  return text;
}

struct Pairs {
  std::vector<double> measured, predicted, roofline, derated;
  std::size_t covered = 0;

  void add(double m, double p, double r, double d, double band) {
    measured.push_back(m);
    predicted.push_back(p);
    roofline.push_back(r);
    derated.push_back(d);
    covered += std::abs(std::log(m / p)) <= band ? 1u : 0u;
  }
  std::string line(const std::string& name) const {
    const ErrorSummary s = summarise(predicted, measured);
    if (s.n == 0) return {};
    return "| " + name + " | " + std::to_string(s.n) + " | " + percent(s.median) + " | " + percent(s.p90) + " | " +
           percent(s.mape) + " | " + percent(s.bias) + " | " +
           percent(static_cast<double>(covered) / static_cast<double>(s.n)) + " | " +
           percent(summarise(roofline, measured).mape) + " | " + percent(summarise(derated, measured).mape) + " |\n";
  }
};

bool is_older(const E2eRow& row) {
  for (const char* source : {"FT-BERT6B", "FT-GPT", "ANL-LLM-Inference-Bench", "lmdeploy-TurboMind"})
    if (row.source == source) return true;
  return false;
}

using Wanted = std::function<bool(const E2eRow&)>;

std::string line_of(const std::string& name, const std::vector<Judged>& judged, const Wanted& wanted) {
  Pairs pairs;
  for (const Judged& j : judged)
    if (wanted(j.row->row)) pairs.add(j.row->us, j.us, j.roofline, j.derated, j.band);
  return pairs.line(name);
}

bool is_kind(const E2eRow& row, const std::string& kind) { return kind == metric_kind(row); }

std::string speed_up_key(const E2eRow& r) {
  return r.source + "|" + r.gpu + "|" + r.framework + "|" + r.model + "|" + r.dtype + "|" + r.metric + "|" +
         std::to_string(r.pp) + "|" + std::to_string(r.dp) + "|" + std::to_string(r.ep) + "|" +
         std::to_string(r.batch.value_or(0)) + "|" + std::to_string(r.input_len) + "|" + std::to_string(r.output_len);
}

// Both times of a pair by the one fit that has not seen the larger TP size.
std::string speed_up_line(const std::string& name, const std::vector<Judged>& judged, const HeldOut& held,
                          const Wanted& wanted) {
  std::map<std::string, std::map<int, const Judged*>> sizes;
  for (const Judged& j : judged)
    if (wanted(j.row->row)) sizes[speed_up_key(j.row->row)].emplace(j.row->row.tp, &j);
  Pairs pairs;
  for (const auto& [key, by_tp] : sizes) {
    const Judged& base = *by_tp.begin()->second;
    const auto first = static_cast<std::size_t>(&base - judged.data());
    for (const auto& [tp, j] : by_tp) {
      if (j == &base) continue;
      const auto place = static_cast<std::size_t>(j - judged.data());
      const auto& us = held.us[static_cast<std::size_t>(held.fold[place])];
      pairs.add(base.row->us / j->row->us, us[first] / us[place], base.roofline / j->roofline,
                base.derated / j->derated, ratio_band(base.band, j->band));
    }
  }
  return pairs.line(name);
}

}  // namespace

std::string e2e_fidelity(const std::vector<E2eRow>& rows, const std::vector<StackFile>& files) {
  const auto used = stack_rows(rows, files);
  const auto judged = judge(used, files);
  std::string text =
      "## Runs\n\nGrades A and B of GPUs with a calibration. Each model on each GPU at each TP size (training: in each "
      "setup)\nis predicted by stacks fitted without it. In band: share of rows within their 90 % band. Both times of "
      "a "
      "speed-up come from one fit. Clean\nprefill: times to the first token without load. The baselines have no stack "
      "(MAPE).\n\n"
      "| rows | n | median | p90 | MAPE | bias | in band | roofline | derated "
      "|\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  const auto modern = [](const E2eRow& r) { return !is_older(r); };
  text += line_of("decode step, grade A", judged,
                  [](const E2eRow& r) { return r.grade == "A" && is_kind(r, "decode step"); });
  text += line_of("decode step, all", judged, [](const E2eRow& r) { return is_kind(r, "decode step"); });
  text += line_of("clean prefill (grade A)", judged,
                  [](const E2eRow& r) { return r.grade == "A" && r.metric.starts_with("ttft"); });
  text += line_of("prefill, all", judged, [](const E2eRow& r) { return is_kind(r, "prefill"); });
  text += line_of("generation", judged, [](const E2eRow& r) { return is_kind(r, "generation"); });
  text += line_of("throughput", judged, [](const E2eRow& r) { return is_kind(r, "throughput"); });
  text += line_of("older engines", judged, is_older);
  text +=
      line_of("training step, grade A", judged, [](const E2eRow& r) { return r.grade == "A" && is_training_step(r); });
  text += line_of("training step, all", judged, is_training_step);
  const std::pair<const char*, GroupOf> left_out[] = {
      {"TP sizes", [](const StackRow& r) { return std::to_string(r.row.tp); }},
      {"models", [](const StackRow& r) { return r.row.model; }}};
  for (const auto& [what, group_of] : left_out) {
    const HeldOut held = held_out(used, files, group_of);
    const std::string end = std::string(", unseen ") + what;
    text += speed_up_line("TP speed-up, grade A" + end, judged, held,
                          [](const E2eRow& r) { return r.grade == "A" && is_kind(r, "decode step"); });
    text += speed_up_line("TP speed-up, decode step" + end, judged, held,
                          [&](const E2eRow& r) { return modern(r) && is_kind(r, "decode step"); });
    text += speed_up_line("TP speed-up, older engines" + end, judged, held, is_older);
  }
  std::map<std::string, std::string> by_stack;
  for (const Judged& j : judged) {
    const std::string name = files[j.row->place.file].name + " on " + j.row->row.gpu + ", " + j.row->row.model;
    if (by_stack.contains(name)) continue;
    by_stack[name] = line_of(name, judged, [&](const E2eRow& r) {
      return r.gpu == j.row->row.gpu && r.model == j.row->row.model && r.framework == j.row->row.framework;
    });
  }
  text +=
      "\n| stack, GPU, model | n | median | p90 | MAPE | bias | in band | roofline | derated |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const auto& [name, line] : by_stack) text += line;
  return text;
}

}  // namespace tpsim
