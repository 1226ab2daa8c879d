// A measured run beside the prediction: the validation of `tpsim validate`, errors by module, times call by call, and
// a calibration from the run's own times.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/stored_run.h"
#include "cli/table.h"
#include "core/validation.h"
#include "gui/model/document.h"
#include "sim/measured/calibrate.h"

namespace tpsim::gui {

struct HeldRun {
  cli::StoredRun run;
  std::string hardware, profile;  // what was predicted for
  Validation validation;
  cli::Table table;                                         // that of tpsim validate, all rows
  std::map<std::string, double> errors, collective_errors;  // by module pattern: predicted / measured - 1, all phases
};

// Errors: model or plan of the run are not found or are others, hardware or profile cannot be used.
Result<HeldRun> hold_against(const cli::StoredRun& run, const std::string& hardware, const std::string& profile);

// "decode: predicted 16.05 ms, measured 16.9 ms, -5.0 % (band +-25 %)"
std::vector<std::string> verdict_lines(const Validation& validation);

// The document about the run's own model, plan, size and loads; hardware and profile as it was held against.
Document document_of(const Document& document, const HeldRun& held);
// True where the document asks what the run measured: model, plan, size.
bool is_about(const Document& document, const cli::StoredRun& run);

const PassMeasurement* pass_of(const cli::StoredRun& run, const std::string& phase);

// A profile from the run's products and collectives, for tpsim's --profile. Errors: too few rows for a fit.
Result<CalibrationFit> calibration_from(const cli::StoredRun& run, const std::string& hardware);

}  // namespace tpsim::gui
