#include "sim/measured/evaluate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <tuple>

#include "sim/stack.h"

namespace tpsim {
namespace {

Error unknown_form(const MeasuredTable& table) {
  Error error = input_error("the columns are those of no known kind of measurement", table.file);
  error.details = {
      "known: gemm (m, n, k, time_us), attention (n_q, n_kv, kv_len, head_dim, time_us), mla, moe, "
      "collective (op, bytes, ranks, time_us), elementwise, moe_alltoall, e2e (framework, metric, value)"};
  return error;
}

bool counts(const EvaluatedRow& row) { return row.grade != "C"; }

using GroupKey = std::tuple<std::string, std::string, std::string, std::string>;

struct Group {
  std::vector<double> predicted, measured;
  std::size_t covered = 0, not_predicted = 0;

  void add(const EvaluatedRow& row) {
    if (!row.predicted || !row.measured || !(*row.measured > 0)) {
      ++not_predicted;
      return;
    }
    predicted.push_back(*row.predicted);
    measured.push_back(*row.measured);
    covered += std::abs(std::log(*row.measured / *row.predicted)) <= row.band ? 1u : 0u;
  }
};

EvaluationLine line_of(const GroupKey& key, const Group& group) {
  EvaluationLine line;
  std::tie(line.family, line.metric, line.gpu, line.key) = key;
  line.errors = summarise(group.predicted, group.measured);
  const double n = static_cast<double>(group.predicted.size());
  line.covered = n > 0 ? static_cast<double>(group.covered) / n : 0;
  line.not_predicted = group.not_predicted;
  return line;
}

// What rows must share to be compared over TP sizes.
std::string pair_key(const E2eRow& r) {
  std::string key = r.source + "|" + r.gpu + "|" + r.framework + "|" + r.model + "|" + r.dtype + "|" + r.metric;
  for (const auto& [name, value] : r.model_params) key += "|" + name + "=" + value;
  for (const std::int64_t number :
       {static_cast<std::int64_t>(r.pp), static_cast<std::int64_t>(r.dp), static_cast<std::int64_t>(r.ep),
        r.batch.value_or(-1), r.micro_batch, r.input_len, r.output_len})
    key += "|" + std::to_string(number);
  return key;
}

std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr;
  return std::string(text, end);
}

void drop_column(MeasuredTable& table, std::string_view name) {
  const auto it = std::find(table.columns.begin(), table.columns.end(), name);
  if (it == table.columns.end()) return;
  const auto index = it - table.columns.begin();
  table.columns.erase(it);
  for (MeasuredRow& row : table.rows) row.cells.erase(row.cells.begin() + index);
}

}  // namespace

EvaluatedRow Evaluator::evaluate_e2e(const E2eReader& reader, const MeasuredRow& row) {
  EvaluatedRow result;
  auto read = reader.read(row);
  if (!read) {
    result.reason = read.error().message;
    return result;
  }
  result.gpu = read->gpu;
  result.key = read->model;
  result.metric = metric_kind(*read);
  result.grade = read->grade;
  result.measured = read->value;
  const auto estimate = e2e_.predict(*read);
  result.e2e = std::move(*read);
  if (!estimate) {
    result.reason = estimate.error().message;
    return result;
  }
  result.predicted = estimate->value;
  result.band = estimate->band;
  result.source = estimate->source;
  return result;
}

Result<std::vector<EvaluatedRow>> Evaluator::evaluate(const MeasuredTable& table) {
  const auto family = table_family(table);
  if (!family) return unknown_form(table);
  std::vector<EvaluatedRow> rows;
  rows.reserve(table.rows.size());
  const E2eReader reader(table);
  const MeasuredColumn gpu(table, "gpu"), time(table, "time_us");
  for (const MeasuredRow& row : table.rows) {
    if (*family == RowFamily::e2e) {
      rows.push_back(evaluate_e2e(reader, row));
      continue;
    }
    EvaluatedRow result;
    result.family = *family;
    result.gpu = gpu.text(row);
    if (const auto us = time.positive(row)) result.measured = *us;
    const auto estimate = operators_.predict(table, *family, row);
    if (estimate) {
      result.key = estimate->key;
      result.predicted = estimate->estimate.us;
      result.band = estimate->estimate.band;
      result.source = estimate->estimate.source;
    } else {
      result.reason = estimate.error().message;
    }
    rows.push_back(std::move(result));
  }
  return rows;
}

void Evaluator::use_profile(const Hardware& profile) {
  operators_.use_profile(profile);
  e2e_.use_hardware(profile.name, profile);
}

std::vector<EvaluationLine> summarise(const std::vector<EvaluatedRow>& rows) {
  std::map<GroupKey, Group> groups, totals;
  for (const EvaluatedRow& row : rows) {
    if (!counts(row)) continue;
    groups[{to_string(row.family), row.metric, row.gpu, row.key}].add(row);
    totals[{to_string(row.family), row.metric, "all", ""}].add(row);
  }
  std::vector<EvaluationLine> lines;
  for (const auto& [key, group] : groups) lines.push_back(line_of(key, group));
  for (const auto& [key, group] : totals) lines.push_back(line_of(key, group));
  return lines;
}

std::vector<SpeedUp> speed_ups(const std::vector<EvaluatedRow>& rows) {
  std::map<std::string, std::map<int, const EvaluatedRow*>> sizes;
  for (const EvaluatedRow& row : rows) {
    const bool usable = row.e2e && counts(row) && row.predicted && row.measured && *row.measured > 0;
    if (usable) sizes[pair_key(*row.e2e)].emplace(row.e2e->tp, &row);
  }
  std::vector<SpeedUp> all;
  for (const auto& [key, by_tp] : sizes) {
    const auto& [from, base] = *by_tp.begin();
    for (const auto& [tp, row] : by_tp) {
      if (tp == from) continue;
      SpeedUp s{row->gpu,
                row->key,
                row->metric,
                from,
                tp,
                *base->measured / *row->measured,
                *base->predicted / *row->predicted,
                ratio_band(base->band, row->band)};
      if (is_rate(*row->e2e)) {
        s.measured = 1 / s.measured;
        s.predicted = 1 / s.predicted;
      }
      all.push_back(std::move(s));
    }
  }
  return all;
}

MeasuredTable with_predictions(const MeasuredTable& table, const std::vector<EvaluatedRow>& rows) {
  const bool e2e = table_family(table) == RowFamily::e2e;
  const char* const column = e2e ? "predicted" : "predicted_us";
  MeasuredTable result = table;
  for (const char* name : {column, "reason"}) drop_column(result, name);
  result.columns.insert(result.columns.end(), {column, "reason"});
  for (std::size_t i = 0; i < result.rows.size() && i < rows.size(); ++i) {
    result.rows[i].cells.push_back(rows[i].predicted ? number_text(*rows[i].predicted) : "");
    result.rows[i].cells.push_back(rows[i].reason);
  }
  return result;
}

}  // namespace tpsim
