#include "core/repair_search.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/lint_facts.h"

namespace tpsim {
namespace {

int kind_cost(const Repair& repair) {
  int cost = 0;
  for (const PlanEdit& edit : repair.edits) cost += static_cast<int>(edit.kind);
  return cost;
}

std::vector<PatchOperation> joined_patch(const std::vector<PlanEdit>& edits) {
  std::vector<PatchOperation> patch;
  for (const PlanEdit& edit : edits) patch.insert(patch.end(), edit.patch.begin(), edit.patch.end());
  return patch;
}

int rank_of(Verdict verdict) { return verdict == Verdict::right ? 2 : verdict == Verdict::wrong ? 1 : 0; }

}  // namespace

int most_runs(const Plan& plan) {
  constexpr std::size_t most = 250, least = 24, rule_runs = 12'000;
  return static_cast<int>(std::clamp(rule_runs / std::max<std::size_t>(plan.rules.size(), 1), least, most));
}

bool is_cheaper(const Repair& a, const Repair& b) {
  return std::make_tuple(a.edits.size(), a.weight_bytes, a.communication_bytes, kind_cost(a)) <
         std::make_tuple(b.edits.size(), b.weight_bytes, b.communication_bytes, kind_cost(b));
}

Fix to_fix(const Repair& repair) {
  Fix fix;
  fix.patch = joined_patch(repair.edits);
  // Rules that get the same strategy, or go, are named together.
  std::vector<std::pair<std::string, std::vector<std::string>>> parts;
  for (const PlanEdit& edit : repair.edits) {
    if (edit.kind == PlanEdit::Kind::rename || edit.patch.size() != 1) {
      parts.push_back({edit.title, {}});
      continue;
    }
    const PatchOperation& op = edit.patch.front();
    const std::string how = edit.kind == PlanEdit::Kind::remove
                                ? "remove"
                                : (edit.kind == PlanEdit::Kind::add ? "add " : "set ") + op.value;
    const auto known = std::find_if(parts.begin(), parts.end(), [&](const auto& p) { return p.first == how; });
    (known == parts.end() ? parts.emplace_back(how, std::vector<std::string>{}) : *known)
        .second.push_back(short_name(op.key));
  }
  for (const auto& [how, names] : parts) {
    if (!fix.title.empty()) fix.title += "; ";
    if (names.empty())
      fix.title += how;
    else if (how == "remove")
      fix.title += "leave " + listed(names) + " out of the plan";
    else
      fix.title += (how.starts_with("add") ? "add " : "change ") + listed(names) +
                   (how.starts_with("add") ? ": " : " to ") + how.substr(4);
  }
  return fix;
}

RepairVerifier::RepairVerifier(const Model& model, const AnalysisRequest& request, PlanChoice start)
    : model_(model), request_(request), start_(std::move(start)), most_runs_(most_runs(start_.plan)) {
  request_.workload.batch = 2;
  request_.workload.tokens = 12;
  request_.workload.past = 0;
  request_.workload.all_logits = true;
}

const RepairVerifier::Outcome* RepairVerifier::run(const std::vector<PlanEdit>& edits) {
  request_.plan = start_;
  request_.plan.plan = apply_patch(start_.plan, joined_patch(edits));
  const std::string key = to_json(request_.plan.plan);
  if (const auto known = known_.find(key); known != known_.end()) return &known->second;
  if (exhausted()) return nullptr;
  ++runs_;
  Outcome outcome;
  if (const auto analysis = analyze(model_, request_)) {
    outcome.verdict = analysis->verdict;
    outcome.sound_operations = analysis->sound_operations;
    if (!analysis->memory.empty())
      outcome.weight_bytes = analysis->memory[static_cast<std::size_t>(heaviest_rank(*analysis))].weights;
    for (const Step& step : analysis->steps)
      for (const CollectiveEvent& event : analysis->traces[static_cast<std::size_t>(step.trace)].forward)
        outcome.communication_bytes += event.payload_bytes;
    for (const Diagnostic& d : analysis->diagnostics) outcome.refusals += d.severity == Severity::error ? 1 : 0;
  }
  return &known_.emplace(key, outcome).first->second;
}

std::optional<Repair> RepairVerifier::check(const std::vector<PlanEdit>& edits) {
  const Outcome* outcome = run(edits);
  if (outcome == nullptr || outcome->verdict != Verdict::right) return std::nullopt;
  return Repair{edits, outcome->weight_bytes, outcome->communication_bytes};
}

std::pair<int, std::int64_t> RepairVerifier::progress(const std::vector<PlanEdit>& edits) {
  const Outcome* outcome = run(edits);
  if (outcome == nullptr) return {-1, 0};
  const std::int64_t fewer = -static_cast<std::int64_t>(outcome->refusals);
  return {rank_of(outcome->verdict), outcome->sound_operations > 0 ? outcome->sound_operations : fewer};
}

namespace {

// Two edits can need each other and the repair neither: a head's rule and its tied table's.
Repair without_pairs(RepairVerifier& verifier, Repair repair) {
  for (std::size_t i = repair.edits.size(); i-- > 1 && !verifier.exhausted();)
    for (std::size_t j = i; j-- > 0 && i < repair.edits.size() && repair.edits.size() > 2 && !verifier.exhausted();) {
      std::vector<PlanEdit> fewer = repair.edits;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(j));
      if (auto smaller = verifier.check(fewer)) repair = std::move(*smaller);
    }
  return repair;
}

std::string block_of(const PlanEdit& edit) {
  const std::string& key = edit.patch.front().key;
  return key.substr(0, std::min(key.size(), key.rfind('.')));
}

// All edits of one block at once: alone they need each other.
Repair without_blocks(RepairVerifier& verifier, Repair repair) {
  std::set<std::string> blocks;
  for (const PlanEdit& edit : repair.edits) blocks.insert(block_of(edit));
  for (const std::string& block : blocks) {
    if (verifier.exhausted()) break;
    std::vector<PlanEdit> fewer = repair.edits;
    std::erase_if(fewer, [&](const PlanEdit& edit) { return block_of(edit) == block; });
    if (fewer.empty() || fewer.size() == repair.edits.size()) continue;
    if (auto smaller = verifier.check(fewer)) repair = std::move(*smaller);
  }
  return repair;
}

}  // namespace

Repair reduced(RepairVerifier& verifier, Repair repair) {
  repair = without_blocks(verifier, std::move(repair));
  for (std::size_t i = repair.edits.size(); i-- > 0 && repair.edits.size() > 1 && !verifier.exhausted();) {
    std::vector<PlanEdit> fewer = repair.edits;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (auto smaller = verifier.check(fewer)) repair = std::move(*smaller);
  }
  return without_pairs(verifier, std::move(repair));
}

}  // namespace tpsim
