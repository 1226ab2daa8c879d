// `--fail-if 'decode>+5%'`: a limit on how a figure may change.
#pragma once

#include <string>
#include <string_view>

#include "core/comparison.h"
#include "core/result.h"

namespace tpsim::cli {

struct FailIf {
  std::string text, figure;
  bool above = true;     // '>', else '<'
  bool relative = true;  // "+5%" of the change, else the figure itself
  double limit = 0;      // 0.05; bytes, or us for times ("12ms")
};
// FIGURE, > or <, then "+5%" (change) or an absolute value: bytes, "80GiB", "12ms", a count.
Result<FailIf> parse_fail_if(std::string_view text);
// Error: no such figure.
Result<bool> holds(const FailIf& condition, const Comparison& comparison);

}  // namespace tpsim::cli
