#include "sim/measured/e2e_row.h"

#include <charconv>

namespace tpsim {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// "h=4096;L=32;window=128 on every other layer"
std::map<std::string, std::string> parse_params(std::string_view text) {
  std::map<std::string, std::string> params;
  while (!text.empty()) {
    const auto end = std::min(text.find(';'), text.size());
    const std::string_view item = text.substr(0, end);
    const auto sign = item.find('=');
    if (sign != std::string_view::npos) params.emplace(trimmed(item.substr(0, sign)), trimmed(item.substr(sign + 1)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return params;
}

Result<int> small_count(const MeasuredColumn& column, const MeasuredRow& row, int absent) {
  constexpr std::int64_t kMost = 1 << 20;
  if (column.text(row).empty()) return absent;
  const auto value = column.count(row);
  if (!value) return value.error();
  if (*value < 1 || *value > kMost) return column.error(row, std::to_string(*value) + " is not between 1 and 2^20");
  return static_cast<int>(*value);
}

Result<std::int64_t> length(const MeasuredColumn& column, const MeasuredRow& row) {
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  if (column.text(row).empty()) return std::int64_t{0};
  auto value = column.count(row);
  if (value && *value > kMost) return column.error(row, std::to_string(*value) + " is more than 2^32");
  return value;
}

}  // namespace

E2eReader::E2eReader(const MeasuredTable& t)
    : id_(t, "id"),
      group_(t, "group"),
      source_(t, "source"),
      gpu_(t, "gpu"),
      gpus_(t, "gpus"),
      nodes_(t, "nodes"),
      framework_(t, "framework"),
      model_(t, "model"),
      model_params_(t, "model_params"),
      dtype_(t, "dtype"),
      tp_(t, "tp"),
      pp_(t, "pp"),
      dp_(t, "dp"),
      ep_(t, "ep"),
      cp_(t, "cp"),
      batch_(t, "batch"),
      micro_batch_(t, "micro_batch"),
      input_len_(t, "input_len"),
      output_len_(t, "output_len"),
      metric_(t, "metric"),
      value_(t, "value"),
      unit_(t, "unit"),
      grade_(t, "grade"),
      notes_(t, "notes") {}

Result<E2eRow> E2eReader::read(const MeasuredRow& row) const {
  E2eRow r;
  const std::pair<std::string E2eRow::*, const MeasuredColumn*> texts[] = {
      {&E2eRow::id, &id_},       {&E2eRow::group, &group_},         {&E2eRow::source, &source_},
      {&E2eRow::gpu, &gpu_},     {&E2eRow::framework, &framework_}, {&E2eRow::model, &model_},
      {&E2eRow::dtype, &dtype_}, {&E2eRow::metric, &metric_},       {&E2eRow::unit, &unit_},
      {&E2eRow::grade, &grade_}, {&E2eRow::notes, &notes_}};
  for (const auto& [member, column] : texts) r.*member = std::string(column->text(row));
  r.model_params = parse_params(model_params_.text(row));
  const std::pair<int E2eRow::*, const MeasuredColumn*> counts[] = {
      {&E2eRow::gpus, &gpus_}, {&E2eRow::nodes, &nodes_}, {&E2eRow::tp, &tp_}, {&E2eRow::pp, &pp_},
      {&E2eRow::dp, &dp_},     {&E2eRow::ep, &ep_},       {&E2eRow::cp, &cp_}};
  for (const auto& [member, column] : counts) {
    const auto value = small_count(*column, row, 1);
    if (!value) return value.error();
    r.*member = *value;
  }
  const std::pair<std::int64_t E2eRow::*, const MeasuredColumn*> lengths[] = {
      {&E2eRow::micro_batch, &micro_batch_}, {&E2eRow::input_len, &input_len_}, {&E2eRow::output_len, &output_len_}};
  for (const auto& [member, column] : lengths) {
    const auto value = length(*column, row);
    if (!value) return value.error();
    r.*member = *value;
  }
  if (const auto batch = batch_.count(row); batch && *batch > 0) r.batch = *batch;
  if (const auto value = value_.number(row)) r.value = *value;
  return r;
}

std::optional<double> note_number(const E2eRow& row, std::string_view name) {
  const std::string key = std::string(name) + "=";
  const auto at = row.notes.find(key);
  if (at == std::string::npos) return std::nullopt;
  double value = 0;
  const char* const begin = row.notes.data() + at + key.size();
  if (std::from_chars(begin, row.notes.data() + row.notes.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace tpsim
