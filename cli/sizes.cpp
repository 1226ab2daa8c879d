#include "cli/sizes.h"

#include <string>

namespace tpsim::cli {

Result<int> single_tp(const Options& options) {
  if (!options.tp) return kDefaultTp;
  if (!options.tp->valid && options.tp->sizes.size() == 1) return options.tp->sizes.front();
  Error error = usage_error("this command looks at one TP size at a time");
  error.fixes = {"--tp " + std::to_string(options.tp->sizes.empty() ? kDefaultTp : options.tp->sizes.back())};
  return error;
}

}  // namespace tpsim::cli
