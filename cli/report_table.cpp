#include <algorithm>
#include <cmath>

#include "cli/messages.h"
#include "cli/passes_output.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/valid_text.h"

namespace tpsim::cli {
namespace {

constexpr int kFull = 100;

std::int64_t other_bytes(const MemoryFit& memory) { return memory.communication + memory.runtime; }

// Times of a size that does not fit stand in brackets.
Cell time_cell(const SizeResult& result, double value, int decimals, const std::string& text) {
  return cell(value, decimals, result.memory.fits ? text : "(" + text + ")");
}

Cell fit_cell(const MemoryFit& memory, Units units) {
  const std::int64_t over = memory.total - memory.capacity;
  if (over > 0) return {false, "NO +" + bytes_number(over, units), Style::red};
  const double share = static_cast<double>(memory.total) / static_cast<double>(memory.capacity);
  return {true, "yes " + percent(share), Style::plain};
}

Cell bytes_cell(std::int64_t bytes, Units units) { return cell(bytes, bytes_number(bytes, units)); }

std::vector<Column> columns(const Report& report, Units units) {
  const std::string memory = std::string("memory per rank, ") + bytes_unit(units);
  const std::string capacity = bytes_number(report.scenario.hardware.memory.value, units);
  return {{"tp", "TP", true, 0},
          {"verdict", "", false, kOnlyForPrograms},
          {"weights_bytes", "weights", true, 0, memory},
          {"kv_bytes", "KV", true, 0, memory},
          {"activation_bytes", "act", true, kFull, memory},
          {"", "other", true, kFull, memory},
          {"communication_bytes", "", true, kOnlyForPrograms},
          {"runtime_bytes", "", true, kOnlyForPrograms},
          {"total_bytes", "total", true, 0, memory},
          {"capacity_bytes", "", true, kOnlyForPrograms},
          {"fits", capacity, true, 0, "fits in"},
          {"max_kv_tokens", "", true, kOnlyForPrograms}};
}

void add_phase_columns(Table& table, const Scenario& scenario) {
  if (scenario.phase != Phase::decode) {
    table.columns.insert(table.columns.end(), {{"", "ms", true, 0, "prefill"},
                                               {"prefill_us", "", true, kOnlyForPrograms},
                                               {"prefill_speedup", "speed-up", true, 0, "prefill"},
                                               {"prefill_comm_share", "", true, kOnlyForPrograms}});
  }
  if (scenario.phase == Phase::prefill) return;
  table.columns.insert(table.columns.end(), {{"", "ms/step", true, 0, "decode"},
                                             {"decode_us", "", true, kOnlyForPrograms},
                                             {"tokens_per_s", "tok/s", true, 0, "decode"},
                                             {"comm_share", "share", true, 0, "comm"},
                                             {"efficiency", "dec", true, 0, "eff"},
                                             {"low_us", "", true, kOnlyForPrograms},
                                             {"high_us", "", true, kOnlyForPrograms}});
}

void add_prefill(Row& row, const SizeResult& result) {
  if (!result.prefill) {
    for (int i = 0; i < 4; ++i) row.cells.push_back(no_value());
    return;
  }
  const PhaseResult& p = *result.prefill;
  const double ms = milliseconds(p.time.total);
  row.cells.push_back(time_cell(result, ms, 3, fixed(ms, ms < 100 ? 2 : 0)));
  row.cells.push_back(cell(microseconds(p.time.total), 3, ""));
  row.cells.push_back(cell(p.speedup, 4, fixed(p.speedup, 2)));
  row.cells.push_back(cell(p.comm_share, 4, percent(p.comm_share, 1)));
}

void add_decode(Row& row, const Scenario& scenario, const SizeResult& result) {
  if (!result.decode) {
    for (int i = 0; i < 7; ++i) row.cells.push_back(no_value());
    return;
  }
  const PhaseResult& d = *result.decode;
  const double rate = tokens_per_second(scenario, d);
  row.cells.push_back(time_cell(result, milliseconds(d.time.total), 3, fixed(milliseconds(d.time.total), 2)));
  row.cells.push_back(cell(microseconds(d.time.total), 3, ""));
  row.cells.push_back(time_cell(result, rate, 3, fixed(rate, rate < 100 ? 1 : 0)));
  row.cells.push_back(cell(d.comm_share, 4, percent(d.comm_share, 1)));
  row.cells.push_back(cell(d.efficiency, 4, percent(d.efficiency)));
  row.cells.push_back(cell(microseconds(d.time.low), 3, ""));
  row.cells.push_back(cell(microseconds(d.time.high), 3, ""));
}

Row row_of(const Report& report, const SizeResult& result, Units units) {
  const MemoryFit& m = result.memory;
  Row row;
  row.cells = {cell(std::int64_t{result.tp}),
               cell(std::string(to_string(result.forward.verdict))),
               bytes_cell(m.weights, units),
               bytes_cell(m.kv_cache, units),
               bytes_cell(m.activations, units),
               bytes_cell(other_bytes(m), units),
               bytes_cell(m.communication, units),
               bytes_cell(m.runtime, units),
               bytes_cell(m.total, units),
               bytes_cell(m.capacity, units),
               fit_cell(m, units),
               cell(m.max_kv_tokens)};
  if (report.scenario.phase != Phase::decode) add_prefill(row, result);
  if (report.scenario.phase != Phase::prefill) add_decode(row, report.scenario, result);
  if (report.scenario.generates()) add_generation(row, result);
  if (result.forward.verdict == Verdict::error) row.note = failure_text(result.forward);
  return row;
}

std::string valid_sentence(const Report& report) {
  if (report.shown().verdict == Verdict::unknown) return {};
  if (report.valid.tp.empty())
    return "No TP size up to " + std::to_string(report.valid_limit) + " is valid for this plan.";
  std::string text = "Valid TP for this plan: " + size_list(report.valid.tp);
  const std::int64_t kv_heads = report.scenario.model().kv_heads;
  const bool by_heads = report.valid.tp.back() == kv_heads && report.valid_limit > kv_heads;
  if (by_heads)
    text += " (limit: " + plural(kv_heads, "kv head") + ")";
  else if (report.valid.limit)
    text += " (TP " + std::to_string(report.valid.limit->tp) + ": " + report.valid.limit->message + ")";
  return text + ".";
}

std::string fit_sentence(const Report& report, Units units) {
  const SizeResult* const fit = report.smallest_fit();
  if (report.shown().verdict == Verdict::unknown) {
    return "The forward pass of this model is not described: no verdict, no times, weights only.";
  }
  if (fit == nullptr) return "None of these sizes is right and fits.";
  return "Smallest TP that fits: " + std::to_string(fit->tp) + " (" +
         bytes_text(fit->memory.capacity - fit->memory.total, units) + " spare).";
}

// A sentence on sizes that run and give other numbers.
void note_wrong_sizes(std::vector<std::string>& notes, const Report& report) {
  for (const SizeResult& result : report.results) {
    if (result.forward.verdict != Verdict::wrong) continue;
    notes.push_back("TP " + std::to_string(result.tp) + ": this plan runs and gives WRONG numbers (" +
                    joined(distinct(result.forward.verdict_reasons), ", ") + "); see tpsim check.");
  }
}

// The size after which more ranks help much less than they cost: a doubling that gives less than half of what it could.
std::string knee_sentence(const Report& report) {
  const SizeResult* before = nullptr;
  for (const SizeResult& result : report.results) {
    const auto& phase = result.decode ? result.decode : result.prefill;
    if (!phase) continue;
    if (before != nullptr) {
      const auto& from = before->decode ? before->decode : before->prefill;
      const double ideal = static_cast<double>(result.devices()) / before->devices();
      const double gain = phase->speedup / from->speedup;
      if (gain < 1 + (ideal - 1) / 2)
        return "Knee: TP " + std::to_string(before->tp) + "; TP " + std::to_string(result.tp) + " is only " +
               fixed(gain, 2) + " times as fast.";
    }
    before = &result;
  }
  return {};
}

std::string time_note(const Report& report) {
  for (const SizeResult& result : report.results) {
    const auto& phase = result.decode ? result.decode : result.prefill;
    if (!phase) continue;
    const bool brackets = std::any_of(report.results.begin(), report.results.end(),
                                      [](const SizeResult& r) { return r.runs() && !r.memory.fits; });
    return "Times: " + std::string(to_string(phase->time.source)) + ", 90 % within " +
           percent(std::expm1(phase->time.band)) + " (" + report.scenario.stack.name + ")." +
           (brackets ? "  (..) = does not fit." : "");
  }
  return {};
}

}  // namespace

Table report_table(const Report& report, Units units) {
  Table table;
  table.blocks_when_narrow = true;
  table.columns = columns(report, units);
  add_phase_columns(table, report.scenario);
  if (report.scenario.generates()) add_generation_columns(table);
  for (const SizeResult& result : report.results) table.rows.push_back(row_of(report, result, units));
  return table;
}

std::vector<std::string> report_heading(const Report& report, const Options& options, int width) {
  if (report.results.empty()) return {};
  return scenario_heading(report.scenario, report.shown(), report.problems, options, width);
}

std::vector<std::string> report_notes(const Report& report, Units units) {
  std::vector<std::string> notes = {fit_sentence(report, units) + "  " + valid_sentence(report)};
  if (const auto pairs = pairs_text(report.valid); !pairs.empty())
    notes.push_back("Valid with expert parallelism: " + pairs + ".");
  note_wrong_sizes(notes, report);
  if (const auto knee = knee_sentence(report); !knee.empty()) notes.push_back(knee);
  if (const auto times = time_note(report); !times.empty()) notes.push_back(times);
  return notes;
}

}  // namespace tpsim::cli
