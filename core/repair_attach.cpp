// Repairs as fixes of diagnostics.
#include <algorithm>

#include "core/repair.h"

namespace tpsim {
namespace {

constexpr int kLargestSize = 16;

bool is_about_sizes(const Diagnostic& d) { return d.code == "TP102" || d.code == "TP103" || d.code == "TP109" || d.code == "TP122"; }

std::string listed_sizes(const std::vector<int>& sizes) {
  std::string out;
  for (const int n : sizes) out += (out.empty() ? "" : " ") + std::to_string(n);
  return out;
}

// The nearest sizes that work, as flags.
void add_sizes(const Model& model, const AnalysisRequest& request, Diagnostic& d) {
  const std::vector<int> valid = valid_tp_sizes(model, request, kLargestSize);
  std::string flags;
  for (const int n : valid)
    if (n > 1 && n != request.parallelism.tp) flags += (flags.empty() ? "--tp " : " or --tp ") + std::to_string(n);
  d.details.push_back("TP sizes up to " + std::to_string(kLargestSize) + " that work with this plan: " + listed_sizes(valid));
  if (!flags.empty()) d.fixes.push_back({flags, {}});
}

// An edit of a further error is kept where that error is gone after it and no other has come.
bool mends(const Model& model, const AnalysisRequest& request, const Analysis& before, const Diagnostic& d, const Fix& fix) {
  AnalysisRequest after = request;
  after.plan = editable_plan(model, request);
  after.plan.plan = apply_patch(after.plan.plan, fix.patch);
  const auto analysis = analyze(model, after);
  if (!analysis) return false;
  const auto errors = [](const Analysis& a) {
    return std::count_if(a.diagnostics.begin(), a.diagnostics.end(), [](const Diagnostic& x) { return x.severity == Severity::error; });
  };
  const bool gone = std::none_of(analysis->diagnostics.begin(), analysis->diagnostics.end(), [&](const Diagnostic& x) {
    return x.severity == Severity::error && x.code == d.code && x.where == d.where;
  });
  return gone && errors(*analysis) <= errors(before);
}

void attach_to_errors(const Model& model, const AnalysisRequest& request, Analysis& a) {
  const auto first = std::find_if(a.diagnostics.begin(), a.diagnostics.end(), [](const Diagnostic& d) { return d.severity == Severity::error; });
  if (first == a.diagnostics.end()) return;
  for (auto d = first + 1; d != a.diagnostics.end() && d->severity == Severity::error; ++d)
    std::erase_if(d->fixes, [&](const Fix& fix) { return !fix.patch.empty() && !mends(model, request, a, *d, fix); });
  std::vector<Fix> fixes = find_repairs(model, request, a);
  std::vector<Fix> others;
  for (Fix& fix : first->fixes)
    if (fix.patch.empty()) others.push_back(std::move(fix));
  const bool unrepaired = fixes.empty();
  first->fixes = std::move(fixes);
  first->fixes.insert(first->fixes.end(), others.begin(), others.end());
  if (is_about_sizes(*first) || unrepaired) add_sizes(model, request, *first);
}

}  // namespace

void attach_repairs(const Model& model, const AnalysisRequest& request, Analysis& analysis) {
  if (analysis.verdict == Verdict::wrong || analysis.verdict == Verdict::error) attach_to_errors(model, request, analysis);
}

}  // namespace tpsim
