// The search behind core/repair.h: edits, what they cost, and whether they work.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/analyze.h"

namespace tpsim {

// One change of a plan as a person would count it: a rule set, removed, or all rules with one flaw renamed.
struct PlanEdit {
  enum class Kind { rename, set, add, remove, vary } kind = Kind::set;
  std::vector<PatchOperation> patch;
  std::string title;
};

struct Repair {
  std::vector<PlanEdit> edits;
  std::int64_t weight_bytes = 0;         // heaviest rank
  std::int64_t communication_bytes = 0;  // of one forward pass
};
bool is_cheaper(const Repair& a, const Repair& b);
Fix to_fix(const Repair& repair);

// How many analyses a search may make: their time grows with the plan's rules.
int most_runs(const Plan& plan);

// Runs the analyses, never more than a bounded number.
class RepairVerifier {
public:
  RepairVerifier(const Model& model, const AnalysisRequest& request, PlanChoice start);

  // The repair if the verdict is right after these edits.
  std::optional<Repair> check(const std::vector<PlanEdit>& edits);
  // How far a run gets with them: verdict first, then operations that were sound.
  std::pair<int, std::int64_t> progress(const std::vector<PlanEdit>& edits);
  bool exhausted() const { return runs_ >= most_runs_; }
  int runs_left() const { return most_runs_ - runs_; }
  int runs() const { return runs_; }
  const Plan& plan() const { return start_.plan; }

private:
  struct Outcome {
    Verdict verdict = Verdict::error;
    std::int64_t sound_operations = 0, weight_bytes = 0, communication_bytes = 0;
    std::size_t refusals = 0;
  };
  const Outcome* run(const std::vector<PlanEdit>& edits);

  const Model& model_;
  AnalysisRequest request_;
  PlanChoice start_;
  int most_runs_, runs_ = 0;
  std::map<std::string, Outcome> known_;  // by the edited plan
};

// Leaves out every edit that is not needed, the least important first; `edits` as a whole must work.
Repair reduced(RepairVerifier& verifier, Repair repair);

}  // namespace tpsim
