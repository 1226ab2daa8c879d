#include <cmath>

#include "core/json.h"
#include "traces/nccl_tests_draft.h"

namespace tpsim {
namespace {

const Value* member(const Value* value, std::string_view key) {
  const auto* object = value == nullptr ? nullptr : std::get_if<ValueObject>(&value->data);
  return object == nullptr ? nullptr : find(*object, key);
}

// Also "nan" and "-1", which nccl-tests writes as text; none for everything else.
std::optional<double> number_of(const Value* value) {
  if (value == nullptr) return std::nullopt;
  if (const auto* i = std::get_if<std::int64_t>(&value->data)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value->data)) return *d;
  if (const auto* s = std::get_if<std::string>(&value->data)) {
    char* end = nullptr;
    const double parsed = std::strtod(s->c_str(), &end);
    if (end != s->c_str()) return parsed;
  }
  return std::nullopt;
}

// A count between 0 and 1e15; other numbers are 0 or the nearest end.
std::int64_t count_of(const Value* value) {
  const double x = number_of(value).value_or(0);
  return x > 0 ? static_cast<std::int64_t>(std::min(x, 1e15)) : 0;
}

std::string text_of(const Value* value) {
  const auto* s = value == nullptr ? nullptr : std::get_if<std::string>(&value->data);
  return s == nullptr ? std::string() : *s;
}

const ValueList* list_of(const Value* value) {
  return value == nullptr ? nullptr : std::get_if<ValueList>(&value->data);
}

bool read_times(const Value* group, SweepRow& row) {
  auto time = number_of(member(group, "time"));
  if (!time) time = number_of(member(group, "cpu_time"));
  if (!time || !std::isfinite(*time) || *time < 0) return false;
  row.us = *time;
  row.algbw = number_of(member(group, "alg_bw")).value_or(0);
  row.busbw = number_of(member(group, "bus_bw")).value_or(0);
  row.wrong = count_of(member(group, "nwrong"));
  return true;
}

void read_devices(const Value* config, SweepDraft& draft) {
  const ValueList* devices = list_of(member(config, "devices"));
  if (devices == nullptr) return;
  for (const Value& device : *devices) {
    const double rank = number_of(member(&device, "rank")).value_or(-1);
    if (rank >= 0 && rank < 1 << 20) draft.listed_ranks = std::max(draft.listed_ranks, static_cast<int>(rank) + 1);
    if (const std::string host = text_of(member(&device, "hostname")); !host.empty()) draft.hosts.insert(host);
    draft.sweep.device = text_of(member(&device, "device_info"));
  }
}

std::string version_text(const Value* value) {
  const double code = number_of(value).value_or(0);
  if (code < 2000 || code > 1e6) return {};
  const int v = static_cast<int>(code), minor = v >= 10000 ? 10000 : 1000;
  return std::to_string(v / minor) + "." + std::to_string(v % minor / 100) + "." + std::to_string(v % 100);
}

// One document of nccl-tests' -J: {"args", "config": {"devices"}, "results": [{"size", "out_of_place": {"time"}}]}.
Result<void> read_run(const Value& run, const std::string& file, NcclTestsOutput& output) {
  const ValueList* results = list_of(member(&run, "results"));
  if (results == nullptr) return input_error("no \"results\" list: not the JSON output of nccl-tests", file);
  SweepDraft draft;
  draft.sweep.line = 1;
  draft.sweep.library = version_text(member(&run, "nccl_version"));
  if (const ValueList* args = list_of(member(&run, "args")); args != nullptr && !args->empty())
    draft.program = program_in(text_of(&args->front()));
  read_devices(member(&run, "config"), draft);
  for (const Value& result : *results) {
    SweepRow row;
    const double size = number_of(member(&result, "size")).value_or(-1);
    const double count = number_of(member(&result, "count")).value_or(0);
    if (!(size >= 0 && size < 1e18 && count >= 0 && count < 1e18)) continue;
    if (!read_times(member(&result, "out_of_place"), row) && !read_times(member(&result, "in_place"), row)) continue;
    row.line = 1;
    row.bytes = static_cast<std::int64_t>(size);
    draft.type = text_of(member(&result, "type"));
    draft.redop = text_of(member(&result, "redop"));
    if (const auto root = number_of(member(&result, "root"))) draft.root = *root >= 0 ? 0 : -1;
    draft.sweep.rows.push_back(row);
    draft.counts.push_back(static_cast<std::int64_t>(count));
  }
  draft.sweep.out_of_bounds = count_of(member(member(&run, "out_of_bounds"), "count"));
  if (draft.sweep.rows.empty()) return input_error("\"results\" holds no row with a size and a time", file);
  auto sweep = finish(std::move(draft), file, output.notes);
  if (!sweep) return sweep.error();
  if (*sweep) output.sweeps.push_back(std::move(**sweep));
  return {};
}

}  // namespace

Result<NcclTestsOutput> parse_nccl_json(std::string_view text, const std::string& file) {
  auto document = parse_json(text, file);
  if (!document) return document.error();
  NcclTestsOutput output;
  if (const ValueList* runs = list_of(&*document)) {
    for (const Value& run : *runs)
      if (auto ok = read_run(run, file, output); !ok) return ok.error();
    return output;
  }
  if (auto ok = read_run(*document, file, output); !ok) return ok.error();
  return output;
}

}  // namespace tpsim
