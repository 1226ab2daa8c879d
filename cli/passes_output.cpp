#include "cli/passes_output.h"

#include <cmath>

#include "cli/text.h"

namespace tpsim::cli {
namespace {

std::string bracketed(const SizeResult& result, const std::string& text) {
  return result.memory.fits ? text : "(" + text + ")";
}

// "1.17 s" under one unit: milliseconds.
Cell milliseconds_cell(const SizeResult& result, Seconds s) {
  const double ms = milliseconds(s);
  return cell(ms, 3, bracketed(result, fixed(ms, ms < 100 ? 2 : 0)));
}

Row generation_row(const SizeResult& result) {
  Row row;
  row.cells.push_back(cell(std::int64_t{result.tp}));
  if (!result.generation) {
    for (int i = 0; i < 7; ++i) row.cells.push_back(no_value());
    return row;
  }
  const Generation& g = *result.generation;
  const double s = g.total.total.count();
  row.cells.push_back(milliseconds_cell(result, g.first_token));
  row.cells.push_back(g.per_token.count() > 0 ? milliseconds_cell(result, g.per_token) : no_value());
  row.cells.push_back(cell(s, 3, bracketed(result, fixed(s, 2))));
  row.cells.push_back(cell(g.total.low.count(), 3, fixed(g.total.low.count(), 2)));
  row.cells.push_back(cell(g.total.high.count(), 3, fixed(g.total.high.count(), 2)));
  row.cells.push_back(cell(g.tokens_per_s, 3, bracketed(result, fixed(g.tokens_per_s, g.tokens_per_s < 100 ? 1 : 0))));
  row.cells.push_back(cell(g.speedup, 4, fixed(g.speedup, 2)));
  return row;
}

NamedTable generation_table(const Report& report) {
  NamedTable named;
  const Scenario& s = report.scenario;
  named.title = "Generation of " + plural(s.generate, "token") + " after " + plural(s.prompt, "prompt token") +
                (s.batch == 1 ? "" : ", " + plural(s.batch, "sequence") + " at a time");
  named.table.columns = {{"tp", "TP"},
                         {"first_token_ms", "first", true, 0, "ms per token"},
                         {"per_token_ms", "further", true, 0, "ms per token"},
                         {"total_s", "total", true, 0, "all tokens, s"},
                         {"low_s", "from", true, 0, "90 % within"},
                         {"high_s", "to", true, 0, "90 % within"},
                         {"tokens_per_s", "tok/s"},
                         {"speedup", "speed-up"}};
  for (const SizeResult& result : report.results) named.table.rows.push_back(generation_row(result));
  return named;
}

// The first and the last chunk, and what all come to.
Row chunks_row(const Scenario& s, const SizeResult& result, Units units) {
  Row row;
  row.cells.push_back(cell(std::int64_t{result.tp}));
  Predictor predictor(s.hardware, {s.stack, {}});
  const ChunkedPrompt chunks = s.chunks();
  const auto at = [&](std::int64_t pass) {
    return predict_chunk(predictor, result.prefill->analysis, chunks, pass).total;
  };
  row.cells.push_back(milliseconds_cell(result, at(0)));
  row.cells.push_back(milliseconds_cell(result, at(chunks.passes() - 1)));
  row.cells.push_back(milliseconds_cell(result, result.prefill->time.total));
  row.cells.push_back(milliseconds_cell(result, result.prefill->time.low));
  row.cells.push_back(milliseconds_cell(result, result.prefill->time.high));
  row.cells.push_back(cell(result.memory.activations, bytes_number(result.memory.activations, units)));
  return row;
}

NamedTable chunks_table(const Report& report, Units units) {
  NamedTable named;
  named.title = "Prefill in " + chunks_text(report.scenario) + "; every chunk: --json --detail chunks";
  named.table.columns = {{"tp", "TP"},
                         {"first_ms", "first", true, 0, "ms per chunk"},
                         {"last_ms", "last", true, 0, "ms per chunk"},
                         {"total_ms", "total", true, 0, "all chunks, ms"},
                         {"low_ms", "from", true, 0, "90 % within"},
                         {"high_ms", "to", true, 0, "90 % within"},
                         {"activation_bytes", std::string(bytes_unit(units)), true, 0, "peak activations"}};
  for (const SizeResult& result : report.results) {
    if (result.prefill) named.table.rows.push_back(chunks_row(report.scenario, result, units));
  }
  return named;
}

}  // namespace

std::string chunks_text(const Scenario& s) {
  const ChunkedPrompt chunks = s.chunks();
  const std::int64_t rest = chunks.tokens % chunks.chunk;
  std::string text = plural(chunks.passes() - (rest > 0 ? 1 : 0), "chunk") + " of " + plural(chunks.chunk, "token");
  return rest > 0 ? text + " and one of " + std::to_string(rest) : text;
}

std::string generation_text(const Scenario& s, const Generation& g) {
  std::string text = "generation of " + plural(s.generate, "token") + " " + time_text(g.total.total.count()) +
                     ": the first after " + time_text(g.first_token.count());
  if (g.per_token.count() > 0) text += ", then " + time_text(g.per_token.count()) + " each";
  return text + ", " + fixed(g.tokens_per_s, g.tokens_per_s < 100 ? 1 : 0) + " tok/s";
}

void add_generation_columns(Table& table) {
  for (const char* field : {"generation_us", "generation_low_us", "generation_high_us", "first_token_us",
                            "per_token_us", "generation_tokens_per_s", "generation_speedup"})
    table.columns.push_back({field, "", true, kOnlyForPrograms});
}

void add_generation(Row& row, const SizeResult& result) {
  if (!result.generation) {
    for (int i = 0; i < 7; ++i) row.cells.push_back(no_value());
    return;
  }
  const Generation& g = *result.generation;
  for (const Seconds s : {g.total.total, g.total.low, g.total.high, g.first_token})
    row.cells.push_back(cell(microseconds(s), 3, ""));
  row.cells.push_back(g.per_token.count() > 0 ? cell(microseconds(g.per_token), 3, "") : no_value());
  row.cells.push_back(cell(g.tokens_per_s, 3, ""));
  row.cells.push_back(cell(g.speedup, 4, ""));
}

std::vector<NamedTable> passes_tables(const Report& report, Units units) {
  std::vector<NamedTable> tables;
  const Scenario& s = report.scenario;
  if (s.chunks().passes() > 1 && s.phase != Phase::decode) tables.push_back(chunks_table(report, units));
  if (s.generates()) tables.push_back(generation_table(report));
  return tables;
}

void write_passes(JsonWriter& json, const Scenario& s, const SizeResult& result) {
  if (s.chunks().passes() > 1 && result.prefill) {
    json.key("chunks");
    json.begin_object();
    json.member("tokens", s.chunks().chunk);
    json.member("count", s.chunks().passes());
    json.end_object();
  }
  if (!result.generation) return;
  const Generation& g = *result.generation;
  json.key("generation");
  json.begin_object();
  json.member("tokens", s.generate);
  json.member("total_us", microseconds(g.total.total), 3);
  json.member("low_us", microseconds(g.total.low), 3);
  json.member("high_us", microseconds(g.total.high), 3);
  json.member("first_token_us", microseconds(g.first_token), 3);
  if (g.per_token.count() > 0) json.member("per_token_us", microseconds(g.per_token), 3);
  json.member("tokens_per_s", g.tokens_per_s, 3);
  json.member("speedup", g.speedup, 4);
  json.member("source", to_string(g.total.source));
  json.end_object();
}

void write_chunks(JsonWriter& json, const std::vector<ChunkResult>& chunks) {
  json.begin_array();
  for (const ChunkResult& chunk : chunks) {
    json.begin_object();
    json.member("tokens", chunk.tokens);
    json.member("cached_tokens", chunk.cached);
    json.member("time_us", microseconds(chunk.time.total), 3);
    json.member("low_us", microseconds(chunk.time.low), 3);
    json.member("high_us", microseconds(chunk.time.high), 3);
    json.member("activation_bytes", chunk.activation_bytes);
    json.member("kv_bytes", chunk.kv_bytes);
    json.end_object();
  }
  json.end_array();
}

}  // namespace tpsim::cli
