// Fitted constants of one machine: sim/calibration/SET/FAMILY.json, or one file with all families
// (`tpsim calibrate -o PROFILE.json`).
//   { "schema": "tpsim.calibration/1", "calibration": "h100-sxm", "hardware": "h100-sxm", "gemm": {...}, ... }
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sim/hardware.h"
#include "sim/kernels/attention.h"
#include "sim/kernels/elementwise.h"
#include "sim/kernels/gemm.h"
#include "sim/kernels/moe.h"
#include "sim/network/collectives.h"
#include "sim/stack.h"

namespace tpsim {

struct Calibration {
  std::string name;      // "h100-sxm"
  std::string hardware;  // whose rows they were fitted on: name of a hardware profile, "" = not said
  std::string origin;    // "built-in" or the file
  std::optional<GemmCalibration> gemm;
  std::optional<ElementwiseCalibration> elementwise;
  std::optional<AttentionCalibration> attention, mla;
  std::optional<MoeCalibration> moe;
  std::optional<CollectiveCalibration> collectives;
  // Of a profile that was measured as a whole (`tpsim calibrate --here`).
  std::shared_ptr<const Hardware> machine;
  std::string machine_text;  // its JSON
  std::optional<Stack> stack;
  std::string provenance;  // JSON object
};

// A built-in set; the same object for every call. Errors: unknown (with the sets there are), a faulty file.
Result<std::shared_ptr<const Calibration>> load_calibration(const std::string& set);
std::vector<std::string> calibration_names();  // sorted

// A file with all families. Errors: not of the form, a family that is not known, a member that is impossible.
Result<Calibration> read_calibration(std::string_view text, const std::string& file);
std::string to_json(const Calibration& calibration);

// An error where the hardware names a set that cannot be used.
Result<void> check_calibration(const Hardware& hardware);
// What holds for that hardware: its own profile, else its built-in set; nullptr without one.
std::shared_ptr<const Calibration> calibration_of(const Hardware& hardware);

}  // namespace tpsim
