// Files that other tools have written, read, summed up and held against predictions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/page.h"
#include "core/analysis.h"
#include "core/collective_sweep.h"
#include "sim/predict.h"
#include "traces/kineto.h"
#include "traces/nccl_log.h"

namespace tpsim::cli {

struct ImportedFiles {
  std::vector<KinetoTrace> traces;
  std::vector<CollectiveSweep> sweeps;
  std::vector<NcclLog> logs;
  Table files;                     // what each was taken for
  std::vector<std::string> notes;  // what was left out and why
};
// Each file by its content; one may hold both a log and tables. Errors: a file that is none of them.
Result<ImportedFiles> import_files(const std::vector<std::string>& paths);

// What the files are held against.
struct ImportBasis {
  std::string name;                  // "Llama-3.1-70B at TP 8 on h100-sxm", "" = nothing
  std::optional<Analysis> analysis;  // of a pass of the model: gives operations their modules
};

// `predictor`: null leaves predictions out.
Page import_page(const ImportedFiles& files, const ImportBasis& basis, Predictor* predictor);

}  // namespace tpsim::cli
