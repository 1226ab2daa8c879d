// tpsim's analysis of a recorded run beside the recording.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "tests/equivalence/recording.h"

namespace tpsim {

struct Agreement {
  std::map<std::string, std::pair<int, int>> score;  // "forward" -> {equal, compared}
  std::vector<std::string> differences;              // one line each
  std::int64_t without_numel = 0;  // events whose size depends on routing: compared by operation, module and order

  void note(const std::string& what, const std::string& where, bool equal, const std::string& difference);
};
std::string summary(const Agreement& agreement);

// The recording's model for its dialect; errors where the type is not described.
Result<Model> build_recorded_model(const RecordedCase& recording);
void check_runs(const RecordedCase& recording, const Model& model, Agreement& agreement);
// Parameter names and shapes, and the names on disk.
void check_parameters(const RecordedCase& recording, const Model& model, Agreement& agreement);

}  // namespace tpsim
