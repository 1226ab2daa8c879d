// The model, plan and element types that a measured run stands for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/analysis.h"
#include "core/analyze.h"
#include "core/model.h"
#include "sim/hardware.h"
#include "sim/kernel_list.h"
#include "sim/measured/e2e_row.h"

namespace tpsim {

struct E2eModel {
  Model model;
  Dialect dialect;
  PlanChoice plan;
  std::int64_t layers = 0;
  bool has_head = true;
  // Small all-reduces that the serving stack adds to what the described model communicates.
  double extra_all_reduces = 0;  // per layer
  std::int64_t extra_bytes = 0;  // per token
};

// Models by their parameters, and one Analysis for each of them and TP size; both are made when first asked for.
class E2eModels {
public:
  // Errors: parameters missing or impossible, a model type that is not described.
  Result<const E2eModel*> model_of(const E2eRow& row);
  // Of 64 sequences with one new token each after a long context; Load says what a pass really works on.
  Result<const Analysis*> analysis_of(const E2eRow& row);

private:
  std::map<std::string, std::unique_ptr<Result<E2eModel>>> models_;
  std::map<std::pair<std::string, int>, std::unique_ptr<Result<Analysis>>> analyses_;
};

// "fp8 (w,a,kv)", "mxfp4 experts, bf16 rest", "int8w", ... Errors: a type that is not known.
Result<Precision> precision_of(const E2eRow& row);

// The hardware profile of a GPU's name in measured rows ("H100-SXM5-80GB"). Errors: no such profile.
Result<std::string> hardware_name_of(std::string_view gpu);

}  // namespace tpsim
