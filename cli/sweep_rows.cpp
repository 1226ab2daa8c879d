#include "cli/sweep_rows.h"

#include "cli/messages.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kMemoryCells = 9, kPrefillCells = 5, kDecodeCells = 7, kGenerationCells = 7;

std::string plan_name(const Scenario& s) {
  switch (s.plan.choice.kind) {
    case PlanKind::automatic: return "auto";
    case PlanKind::none: return "none";
    case PlanKind::manual: break;
  }
  return s.plan.file.empty() ? s.plan.choice.plan.name : s.plan.file;
}

Cell number(double value, int decimals) { return {Decimal{value, decimals}, "", Style::plain}; }

void add_nothing(Row& row, std::size_t cells) { row.cells.resize(row.cells.size() + cells, Cell{}); }

void add_memory(Row& row, const MemoryFit& m) {
  row.cells.push_back({m.fits, "", Style::plain});
  for (const std::int64_t bytes :
       {m.weights, m.kv_cache, m.activations, m.communication, m.runtime, m.total, m.capacity})
    row.cells.push_back({bytes, "", Style::plain});
  row.cells.push_back({m.capacity - m.total, "", Style::plain});
}

void add_prefill(Row& row, const std::optional<SweepTime>& t) {
  if (!t) return add_nothing(row, kPrefillCells);
  row.cells.push_back(number(microseconds(t->time), 3));
  row.cells.push_back(number(microseconds(t->low), 3));
  row.cells.push_back(number(microseconds(t->high), 3));
  row.cells.push_back(number(t->speedup, 4));
  row.cells.push_back(number(t->comm_share, 4));
}

void add_decode(Row& row, const std::optional<SweepTime>& t, std::int64_t batch) {
  if (!t) return add_nothing(row, kDecodeCells);
  const double seconds = t->time.count();
  row.cells.push_back(number(microseconds(t->time), 3));
  row.cells.push_back(number(microseconds(t->low), 3));
  row.cells.push_back(number(microseconds(t->high), 3));
  row.cells.push_back(number(seconds > 0 ? static_cast<double>(batch) / seconds : 0, 3));
  row.cells.push_back(number(t->speedup, 4));
  row.cells.push_back(number(t->comm_share, 4));
  row.cells.push_back({std::string(to_string(t->source)), "", Style::plain});
}

void add_generation(Row& row, const std::optional<SweepGeneration>& g) {
  if (!g) return add_nothing(row, kGenerationCells);
  for (const Seconds s : {g->time, g->low, g->high, g->first_token}) row.cells.push_back(number(microseconds(s), 3));
  row.cells.push_back(g->per_token.count() > 0 ? number(microseconds(g->per_token), 3) : Cell{});
  row.cells.push_back(number(g->tokens_per_s, 3));
  row.cells.push_back(number(g->speedup, 4));
}

}  // namespace

Table sweep_table() {
  Table table;
  for (const char* field : {"model",
                            "plan",
                            "dialect",
                            "hw",
                            "stack",
                            "dtype",
                            "kv_dtype",
                            "tp",
                            "ep",
                            "devices",
                            "batch",
                            "prompt",
                            "ctx",
                            "gen",
                            "chunk",
                            "verdict",
                            "reason",
                            "fits",
                            "weights_bytes",
                            "kv_bytes",
                            "activation_bytes",
                            "communication_bytes",
                            "runtime_bytes",
                            "total_bytes",
                            "capacity_bytes",
                            "spare_bytes",
                            "prefill_us",
                            "prefill_low_us",
                            "prefill_high_us",
                            "prefill_speedup",
                            "prefill_comm_share",
                            "decode_us",
                            "low_us",
                            "high_us",
                            "tokens_per_s",
                            "speedup",
                            "comm_share",
                            "source",
                            "generation_us",
                            "generation_low_us",
                            "generation_high_us",
                            "first_token_us",
                            "per_token_us",
                            "generation_tokens_per_s",
                            "generation_speedup"})
    table.columns.push_back({field, field});
  return table;
}

Row sweep_row(const Scenario& s, int tp, const SweepResult& r) {
  const auto text = [](std::string value) { return Cell{std::move(value), "", Style::plain}; };
  const auto whole = [](std::int64_t value) { return Cell{value, "", Style::plain}; };
  const auto asked = [&](std::int64_t value) { return value > 0 ? whole(value) : Cell{}; };
  Row row;
  row.cells.reserve(45);
  row.cells = {text(s.input.source.id),
               text(plan_name(s)),
               text(to_string(s.dialect)),
               text(s.hardware.name),
               text(s.stack.name),
               text(to_string(s.weights)),
               text(to_string(s.kv_cache)),
               whole(tp),
               whole(s.ep),
               whole(r.devices),
               whole(r.lengths.batch),
               whole(r.lengths.prompt),
               whole(r.lengths.context),
               asked(r.lengths.generate),
               asked(r.lengths.chunk),
               text(to_string(r.verdict)),
               text(r.reason)};
  if (r.memory.total > 0)
    add_memory(row, r.memory);
  else
    add_nothing(row, kMemoryCells);
  add_prefill(row, r.prefill);
  add_decode(row, r.decode, r.lengths.batch);
  add_generation(row, r.generation);
  return row;
}

}  // namespace tpsim::cli
