// Fits what tpsim ships from measured rows, and says how far fits are from rows they have not seen.
//   tpsim_refit fit ROWS_FOLDER SOURCE_FOLDER [FAMILY...]   rewrites sim/calibration/*/*.json and sim/stacks/*.json
//   tpsim_refit table ROWS_FOLDER FILE.md                   writes the fidelity table
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "sim/kernels/shipped_attention.h"
#include "sim/kernels/shipped_fit.h"
#include "sim/measured/e2e_fidelity.h"
#include "sim/measured/e2e_model.h"
#include "sim/measured/stack_fit.h"
#include "sim/network/shipped_collectives.h"

namespace tpsim {
namespace {

namespace fs = std::filesystem;
using Families = Result<std::vector<ShippedFamily>>;

Result<Hardware> data_sheet(const std::string& gpu) {
  const auto name = hardware_name_of(gpu);
  if (!name) return name.error();
  return load_hardware(*name);
}

Result<void> write_text(const fs::path& path, const std::string& text) {
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out) return input_error("cannot be written", path.string());
  std::printf("%s\n", path.c_str());
  return {};
}

Result<MeasuredTable> rows_of(const fs::path& folder, const std::string& family) {
  return read_measured((folder / (family + ".csv")).string());
}

// Two tables, or the error of the first that cannot be read.
template <class Fit>
Families with_two(const fs::path& folder, const char* first, const char* second, const Fit& fit) {
  const auto a = rows_of(folder, first);
  if (!a) return a.error();
  const auto b = rows_of(folder, second);
  if (!b) return b.error();
  return fit(*a, *b);
}
template <class Fit>
Families with_one(const fs::path& folder, const char* name, const Fit& fit) {
  const auto table = rows_of(folder, name);
  if (!table) return table.error();
  return fit(*table);
}

constexpr const char* kFamilies[] = {"gemm", "elementwise", "attention", "mla", "moe", "collectives"};

Families fit_family(const std::string& family, const fs::path& rows) {
  if (family == "gemm")
    return with_one(rows, "gemm", [](const MeasuredTable& t) { return fit_shipped_gemm(t, data_sheet); });
  if (family == "elementwise")
    return with_one(rows, "elementwise", [](const MeasuredTable& t) { return fit_shipped_elementwise(t, data_sheet); });
  if (family == "attention")
    return with_two(rows, "attention_prefill", "attention_decode", [](const MeasuredTable& a, const MeasuredTable& b) {
      return fit_shipped_attention(a, b, data_sheet);
    });
  if (family == "mla")
    return with_one(rows, "mla", [](const MeasuredTable& t) { return fit_shipped_mla(t, data_sheet); });
  if (family == "moe")
    return with_one(rows, "moe", [](const MeasuredTable& t) { return fit_shipped_moe(t, data_sheet); });
  if (family == "collectives")
    return with_two(rows, "collective", "moe_alltoall", [](const MeasuredTable& a, const MeasuredTable& b) {
      return fit_shipped_collectives(a, b, data_sheet);
    });
  return input_error("no family \"" + family + "\": gemm, elementwise, attention, mla, moe, collectives, stacks");
}

Result<std::vector<E2eRow>> runs_in(const fs::path& folder) {
  const auto table = rows_of(folder, "e2e");
  if (!table) return table.error();
  const E2eReader reader(*table);
  std::vector<E2eRow> runs;
  for (const MeasuredRow& line : table->rows)
    if (auto row = reader.read(line)) runs.push_back(std::move(*row));
  return runs;
}

Result<void> refit_stacks(const fs::path& rows, const fs::path& root) {
  const auto runs = runs_in(rows);
  if (!runs) return runs.error();
  const auto files = read_stack_files();
  if (!files) return files.error();
  for (const StackFile& file : fit_stacks(stack_rows(*runs, *files), *files))
    if (auto written = write_text(root / "sim/stacks" / (file.name + ".json"), to_json(file)); !written) return written;
  return {};
}

Result<void> refit(const std::string& family, const fs::path& rows, const fs::path& root) {
  if (family == "stacks") return refit_stacks(rows, root);
  const auto fitted = fit_family(family, rows);
  if (!fitted) return fitted.error();
  for (const ShippedFamily& f : *fitted) {
    const fs::path path = root / "sim/calibration" / f.calibration / (f.family + ".json");
    if (auto written = write_text(path, calibration_text(f)); !written) return written;
  }
  return {};
}

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f", share * 100);
  return text;
}

std::string table_line(const FidelityLine& line) {
  return "| " + line.family + " | " + line.gpu + " | " + line.key + " | " + std::to_string(line.model.n) + " | " +
         percent(line.model.median) + " | " + percent(line.model.p90) + " | " + percent(line.model.mape) + " | " +
         percent(line.model.bias) + " | " + percent(line.covered) + " | " + percent(line.roofline.median) + " | " +
         percent(line.derated.median) + " |\n";
}

constexpr const char* kHead =
    "# Fidelity: how far predictions are from rows that the fit has not seen\n\n"
    "Errors are |predicted / measured - 1| in percent, bias is the median with its sign. Operators: whole groups of "
    "the "
    "published\ntables (widths, head counts, batches, rank counts, models) are left out in turn and predicted by a fit "
    "on "
    "the rest.\nRoofline: the longer of flops and bytes at the data sheet's rates; derated: 70 % of compute, 80 % of "
    "bandwidth, + 3.6 us\n(medians). Written by `cmake --build BUILD --target fidelity-table`; do not edit.\n\n";
constexpr const char* kColumns =
    "| family | GPU | of | n | median | p90 | MAPE | bias | in band | roofline | derated |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";

Result<void> write_table(const fs::path& rows, const fs::path& file) {
  std::string text = std::string(kHead) + "## Operators\n\n" + kColumns;
  for (const std::string family : kFamilies) {
    const auto fitted = fit_family(family, rows);
    if (!fitted) return fitted.error();
    for (const ShippedFamily& f : *fitted)
      for (const FidelityLine& line : f.fidelity) text += table_line(line);
  }
  const auto runs = runs_in(rows);
  if (!runs) return runs.error();
  const auto files = read_stack_files();
  if (!files) return files.error();
  return write_text(file, text + "\n" + e2e_fidelity(*runs, *files));
}

Result<void> run(const std::vector<std::string>& a) {
  if (a.size() == 3 && a[0] == "table") return write_table(a[1], a[2]);
  if (a.size() < 3 || a[0] != "fit") return usage_error("tpsim_refit fit ROWS SOURCE [FAMILY...] | table ROWS FILE.md");
  std::vector<std::string> families(a.begin() + 3, a.end());
  if (families.empty()) {
    families.assign(std::begin(kFamilies), std::end(kFamilies));
    families.emplace_back("stacks");
  }
  for (const std::string& family : families)
    if (auto done = refit(family, a[1], a[2]); !done) return done;
  return {};
}

}  // namespace
}  // namespace tpsim

int main(int argc, char** argv) {
  const auto done = tpsim::run({argv + 1, argv + argc});
  if (done) return 0;
  std::fprintf(stderr, "%s %s\n", done.error().where.c_str(), done.error().message.c_str());
  return tpsim::exit_code(done.error().kind);
}
