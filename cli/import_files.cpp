#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/inputs.h"
#include "cli/text.h"
#include "cli/trace_import.h"
#include "traces/gzip.h"
#include "traces/kineto_busy.h"
#include "traces/nccl_tests.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kHead = 4u << 20;
constexpr std::uintmax_t kMostTableBytes = 256u << 20;

// The beginning, to tell what a file is.
Result<std::string> head_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed)) return input_error("is a folder", path);
  if (!in) return input_error("does not exist or cannot be read", path);
  std::string head(kHead, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  return head;
}

void add_file(ImportedFiles& files, const std::string& path, const std::string& kind, std::string found) {
  Row row;
  row.cells = {Cell{path, std::filesystem::path(path).filename().string()}, cell(kind), cell(std::move(found))};
  files.files.rows.push_back(std::move(row));
}

void add_notes(ImportedFiles& files, const std::vector<std::string>& notes) {
  files.notes.insert(files.notes.end(), notes.begin(), notes.end());
}

std::string found_in(const KinetoTrace& trace) {
  std::string text = plural(static_cast<std::int64_t>(trace.events.size()), "event");
  if (trace.rank >= 0) text += ", rank " + std::to_string(trace.rank);
  if (trace.world_size > 0) text += " of " + std::to_string(trace.world_size);
  if (const auto module = repeated_module(trace); module.count > 0)
    text += ", " + std::to_string(module.count) + " x " + module.name;
  if (!has_kernels(trace)) text += ", no kernels: times are of host operations";
  return text;
}

Result<void> add_trace(ImportedFiles& files, const std::string& path) {
  auto trace = read_kineto(path);
  if (!trace) return trace.error();
  add_file(files, path, "PyTorch profiler", found_in(*trace));
  add_notes(files, trace->notes);
  files.traces.push_back(std::move(*trace));
  return {};
}

std::string found_in(const NcclLog& log) {
  return grouped(log.recognised) + " of " + grouped(log.nccl_lines) + " NCCL lines recognised, " +
         grouped(log.lines - log.nccl_lines) + " of other programs";
}

std::string found_in(const std::vector<CollectiveSweep>& sweeps) {
  std::int64_t rows = 0;
  for (const CollectiveSweep& sweep : sweeps) rows += static_cast<std::int64_t>(sweep.rows.size());
  return plural(static_cast<std::int64_t>(sweeps.size()), "table") + ", " + plural(rows, "row");
}

Result<void> add_log(ImportedFiles& files, const std::string& path) {
  auto log = read_nccl_log(path);
  if (!log) return log.error();
  add_file(files, path, "NCCL log", found_in(*log));
  for (const std::string& note : log->notes) files.notes.push_back(path + ": " + note);
  files.logs.push_back(std::move(*log));
  return {};
}

// `optional`: a log need not hold tables.
Result<void> add_tables(ImportedFiles& files, const std::string& path, bool optional) {
  std::error_code failed;
  if (std::filesystem::file_size(path, failed) > kMostTableBytes && !failed && optional) {
    files.notes.push_back(path + ": too large to look for tables of nccl-tests in it");
    return {};
  }
  const auto text = read_input(path);
  if (!text) return text.error();
  auto output = parse_nccl_tests(*text, path);
  if (!output && optional) return {};
  if (!output) {
    Error error = input_error("is no trace of the PyTorch profiler, no log of NCCL and no output of nccl-tests", path);
    error.details = {"as output of nccl-tests: " + output.error().message};
    return error;
  }
  add_file(files, path, "nccl-tests", found_in(output->sweeps));
  add_notes(files, output->notes);
  for (auto& sweep : output->sweeps) files.sweeps.push_back(std::move(sweep));
  return {};
}

Result<void> add(ImportedFiles& files, const std::string& path) {
  const auto head = head_of(path);
  if (!head) return head.error();
  if (is_gzip(*head) || looks_like_kineto(*head)) return add_trace(files, path);
  if (!looks_like_nccl_log(*head)) return add_tables(files, path, false);
  if (auto added = add_log(files, path); !added) return added;
  return add_tables(files, path, true);
}

}  // namespace

Result<ImportedFiles> import_files(const std::vector<std::string>& paths) {
  ImportedFiles files;
  files.files.columns = {{"file", "file", false}, {"kind", "taken for", false}, {"found", "found", false, 0, "", true}};
  for (const std::string& path : paths)
    if (auto added = add(files, path); !added) return added.error();
  std::stable_sort(files.traces.begin(), files.traces.end(),
                   [](const KinetoTrace& a, const KinetoTrace& b) { return a.rank < b.rank; });
  return files;
}

}  // namespace tpsim::cli
