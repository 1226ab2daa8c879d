// One published number of a whole run, as a row of measured/e2e.csv.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "sim/measured/table.h"

namespace tpsim {

struct E2eRow {
  std::string id, group, source, gpu, framework, model, dtype, metric, unit, grade, notes;
  std::map<std::string, std::string> model_params;  // "h" -> "4096"
  int gpus = 1, nodes = 1;
  int tp = 1, pp = 1, dp = 1, ep = 1, cp = 1;
  std::optional<std::int64_t> batch;  // none: "saturated", or not known
  std::int64_t micro_batch = 0;
  std::int64_t input_len = 0, output_len = 0;
  std::optional<double> value;
};

// Columns may be missing: then the default above, or empty, holds. Errors: a number that is none.
class E2eReader {
public:
  explicit E2eReader(const MeasuredTable& table);
  Result<E2eRow> read(const MeasuredRow& row) const;

private:
  MeasuredColumn id_, group_, source_, gpu_, gpus_, nodes_, framework_, model_, model_params_, dtype_, tp_, pp_, dp_,
      ep_, cp_, batch_, micro_batch_, input_len_, output_len_, metric_, value_, unit_, grade_, notes_;
};

// The number after `name=` in the notes: "valid_tokens=290" -> 290.
std::optional<double> note_number(const E2eRow& row, std::string_view name);

}  // namespace tpsim
