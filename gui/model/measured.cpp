#include "gui/model/measured.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/text.h"
#include "cli/validating.h"

namespace tpsim::gui {
namespace {

namespace fs = std::filesystem;

// Files of a run are named from where it ran; else they may lie where its result lies.
std::string beside_result(const std::string& name, const std::string& result) {
  std::error_code failed;
  const bool is_file = name.ends_with(".json") || name.ends_with(".py") || name.find('/') != std::string::npos;
  if (!is_file || fs::exists(name, failed)) return name;
  const fs::path beside = fs::path(result).parent_path() / fs::path(name).filename();
  return fs::exists(beside, failed) ? beside.string() : name;
}

struct Sums {
  double predicted = 0, measured = 0;
};

std::map<std::string, double> errors_of(const Validation& validation, bool collective) {
  std::map<std::string, Sums> sums;
  for (const PassValidation& pass : validation.passes)
    for (const ComparedCalls& row : pass.calls) {
      if (row.calls.collective != collective) continue;
      Sums& sum = sums[row.calls.module];
      sum.predicted += row.predicted.count() * static_cast<double>(row.calls.count);
      sum.measured += row.measured.median.count() * static_cast<double>(row.calls.count);
    }
  std::map<std::string, double> errors;
  for (const auto& [module, sum] : sums)
    if (sum.measured > 0) errors[module] = sum.predicted / sum.measured - 1;
  return errors;
}

// Rows of the products that a run timed, as `tpsim calibrate` reads them.
std::string product_rows(const cli::StoredRun& run, std::size_t& n) {
  std::string csv = "dtype,m,n,k,time_us\n";
  for (const PassMeasurement& pass : run.measurement.passes)
    for (const MeasuredCalls& m : pass.calls) {
      std::string shape = m.calls.shape;
      if (m.calls.name != "linear" || std::count(shape.begin(), shape.end(), 'x') != 2) continue;
      std::replace(shape.begin(), shape.end(), 'x', ',');
      csv += std::string(to_string(run.dtype)) + "," + shape + "," + cli::fixed(microseconds(m.each.median), 3) + "\n";
      ++n;
    }
  return csv;
}

}  // namespace

Result<HeldRun> hold_against(const cli::StoredRun& run, const std::string& hardware, const std::string& profile) {
  cli::Options given;
  given.model = beside_result(run.model, run.file);
  if (!run.plan_sha256.empty()) {
    given.plan = beside_result(run.plan, run.file);
    given.base_plan = run.base_plan;
  }
  given.hardware = hardware;
  if (!profile.empty()) given.profile = profile;
  const auto options = cli::options_of(run, given);
  if (!options) return options.error();
  cli::Validated v;
  if (auto taken = cli::take_stored(run, *options, v); !taken) return taken.error();
  if (auto compared = cli::predict_and_compare(*options, v); !compared) return compared.error();
  HeldRun held{run, v.hardware, profile, std::move(v.validation), {}, {}, {}};
  held.run.model = *given.model;
  if (given.plan) held.run.plan = *given.plan;
  held.table = cli::validation_table(held.validation, true);
  held.errors = errors_of(held.validation, false);
  held.collective_errors = errors_of(held.validation, true);
  return held;
}

std::vector<std::string> verdict_lines(const Validation& validation) {
  std::vector<std::string> lines;
  for (const PassValidation& pass : validation.passes) {
    const ComparedCalls& t = pass.total;
    lines.push_back(pass.phase + ": predicted " + cli::time_text(t.predicted.count()) + ", measured " +
                    cli::time_text(t.measured.median.count()) + ", " + (t.error >= 0 ? "+" : "-") +
                    cli::fixed(std::abs(t.error) * 100, 1) + " % (band +-" + cli::fixed(std::expm1(t.band) * 100, 0) +
                    " %" + (t.within ? ", within" : ", outside") + ")");
  }
  return lines;
}

Document document_of(const Document& document, const HeldRun& held) {
  Document d = document;
  const cli::StoredRun& run = held.run;
  d.model = run.model;
  d.set = run.set;
  PlanEntry plan{run.plan, run.plan, {}, run.base_plan};
  d.plans = {std::move(plan)};
  d.edited = d.baseline = 0;
  d.baseline_tp.reset();
  d.baseline_hardware.clear();
  d.hardware = held.hardware;
  d.profile = held.profile;
  d.hardware_set.clear();
  d.tp = run.tp;
  d.ep = run.ep;
  d.dialect = run.dialect;
  d.dtype = d.kv_dtype = run.dtype;
  for (const PassMeasurement& pass : run.measurement.passes) {
    d.batch = pass.batch;
    if (pass.phase == "prefill") d.prompt = pass.tokens;
    if (pass.phase == "decode") d.context = pass.past + pass.tokens;
  }
  if (d.prompt && !pass_of(run, "decode")) d.context = d.prompt;
  return d;
}

bool is_about(const Document& d, const cli::StoredRun& run) {
  return d.model == run.model && d.tp == run.tp && d.ep == run.ep && d.plan_a().text.empty() &&
         d.plan_a().source == run.plan;
}

const PassMeasurement* pass_of(const cli::StoredRun& run, const std::string& phase) {
  for (const PassMeasurement& pass : run.measurement.passes)
    if (pass.phase == phase) return &pass;
  return nullptr;
}

Result<CalibrationFit> calibration_from(const cli::StoredRun& run, const std::string& hardware) {
  std::size_t n = 0;
  const std::string csv = product_rows(run, n);
  constexpr std::size_t least = 2;
  if (n < least) return input_error("the run timed too few products for a fit", run.file);
  const auto table = parse_measured(csv, run.file);
  if (!table) return table.error();
  const auto loaded = load_hardware(hardware);
  if (!loaded) return loaded.error();
  const std::vector<MeasuredTable> tables = {*table};
  return calibrate(tables, {}, *loaded);
}

}  // namespace tpsim::gui
