// Fits what tpsim ships from measured rows: `tpsim_refit ROWS_FOLDER SOURCE_FOLDER [FAMILY...]` rewrites
// SOURCE_FOLDER/sim/calibration/*/*.json and SOURCE_FOLDER/sim/stacks/*.json.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "sim/kernels/shipped_attention.h"
#include "sim/kernels/shipped_fit.h"
#include "sim/measured/e2e_model.h"
#include "sim/measured/stack_fit.h"
#include "sim/network/shipped_collectives.h"

namespace tpsim {
namespace {

namespace fs = std::filesystem;

Result<Hardware> data_sheet(const std::string& gpu) {
  const auto name = hardware_name_of(gpu);
  if (!name) return name.error();
  return load_hardware(*name);
}

Result<void> write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out) return input_error("cannot be written", path.string());
  std::printf("%s\n", path.c_str());
  return {};
}

Result<void> write_families(const Result<std::vector<ShippedFamily>>& families, const fs::path& root) {
  if (!families) return families.error();
  for (const ShippedFamily& f : *families) {
    const fs::path path = root / "sim/calibration" / f.calibration / (f.family + ".json");
    if (auto written = write_text(path, calibration_text(f)); !written) return written;
  }
  return {};
}

Result<void> refit_stacks(const fs::path& rows, const fs::path& root) {
  const auto table = read_measured((rows / "e2e.csv").string());
  if (!table) return table.error();
  const E2eReader reader(*table);
  std::vector<E2eRow> runs;
  for (const MeasuredRow& line : table->rows)
    if (auto row = reader.read(line)) runs.push_back(std::move(*row));
  const auto files = read_stack_files();
  if (!files) return files.error();
  for (const StackFile& file : fit_stacks(stack_rows(runs, *files), *files))
    if (auto written = write_text(root / "sim/stacks" / (file.name + ".json"), to_json(file)); !written) return written;
  return {};
}

Result<void> refit(const std::string& family, const fs::path& rows, const fs::path& root) {
  if (family == "stacks") return refit_stacks(rows, root);
  const auto table = read_measured((rows / (family + ".csv")).string());
  if (!table) return table.error();
  if (family == "gemm") return write_families(fit_shipped_gemm(*table, data_sheet), root);
  if (family == "elementwise") return write_families(fit_shipped_elementwise(*table, data_sheet), root);
  if (family == "collective") {
    const auto exchanges = read_measured((rows / "moe_alltoall.csv").string());
    if (!exchanges) return exchanges.error();
    return write_families(fit_shipped_collectives(*table, *exchanges, data_sheet), root);
  }
  return input_error("no family \"" + family + "\": gemm, elementwise, collective, stacks");
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: tpsim_refit ROWS_FOLDER SOURCE_FOLDER [FAMILY...]\n");
    return 2;
  }
  std::vector<std::string> families(arguments.begin() + 2, arguments.end());
  if (families.empty()) families = {"gemm", "elementwise", "collective", "stacks"};
  for (const std::string& family : families) {
    const auto done = refit(family, arguments[0], arguments[1]);
    if (done) continue;
    std::fprintf(stderr, "%s %s\n", done.error().where.c_str(), done.error().message.c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace tpsim

int main(int argc, char** argv) { return tpsim::run({argv + 1, argv + argc}); }
