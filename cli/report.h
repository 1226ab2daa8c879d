// The answer of `tpsim report`: one result per TP size, and what they have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/document.h"
#include "cli/problems.h"
#include "cli/scenario.h"
#include "cli/size_result.h"
#include "core/valid_sizes.h"

namespace tpsim::cli {

struct LayerGroup {
  std::int64_t count = 1;
  std::string signature;  // class, and what it is made of
};

struct Report {
  Scenario scenario;
  Baseline baseline;
  std::vector<SizeResult> results;  // ascending TP
  ValidSizes valid;                 // up to valid_limit
  int valid_limit = 1;
  std::vector<Problem> problems;
  std::vector<LayerGroup> layers;

  std::vector<int> sizes() const;
  const Analysis& shown() const;           // the one that speaks for the plan: at a size that uses it, if there is one
  const SizeResult* smallest_fit() const;  // right and fitting; null if none is
};

Result<Report> build_report(Scenario scenario, const TpChoice& choice);
// One size, held against a baseline that is known already. `valid` stays empty.
Result<Report> build_report(Scenario scenario, int tp, const Baseline& baseline);

// The sizes of --tp, or the powers of two up to --gpus (8 without it).
TpChoice sizes_or_default(const Options& options);

Table report_table(const Report& report, Units units);
std::vector<std::string> report_heading(const Report& report, const Options& options, int width);
std::vector<std::string> report_notes(const Report& report, Units units);
void write_report(JsonWriter& json, const Report& report, const Details& details);

// Members of the document's head that several documents share.
void write_inputs(JsonWriter& json, const Scenario& scenario, const Analysis& analysis);
void write_workload(JsonWriter& json, const Scenario& scenario);
// Members of a model's object: type, class, counts and sizes.
void write_model_figures(JsonWriter& json, const Model& model, std::int64_t parameters);
void write_model(JsonWriter& json, const Scenario& scenario, std::int64_t parameters,
                 const std::vector<LayerGroup>& layers);
void write_assumptions(JsonWriter& json, const std::vector<Assumption>& assumptions);
std::vector<LayerGroup> layer_groups(const Model& model);

// Lines that name model, plan, hardware and workload.
std::vector<std::string> scenario_heading(const Scenario& scenario, const Analysis& analysis,
                                          const std::vector<Problem>& problems, const Options& options, int width);

}  // namespace tpsim::cli
