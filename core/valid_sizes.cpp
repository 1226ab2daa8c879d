#include "core/valid_sizes.h"

#include <algorithm>

namespace tpsim {
namespace {

AnalysisRequest small(AnalysisRequest request, int tp, int ep) {
  request.workload = Workload{};
  request.workload.batch = 2;
  request.workload.tokens = 12;
  request.parallelism.tp = tp;
  request.parallelism.ep = ep;
  return request;
}

bool is_right(const Model& model, const AnalysisRequest& request, int tp, int ep) {
  const auto analysis = analyze(model, small(request, tp, ep));
  return analysis && analysis->verdict == Verdict::right;
}

bool has_mesh(const Dialect& dialect, int tp, int ep) { return dialect.below(5, 20) ? ep == tp : ep % tp == 0; }

std::vector<std::pair<int, int>> expert_pairs(const Model& model, const AnalysisRequest& request, int limit) {
  std::vector<std::pair<int, int>> pairs;
  if (model.experts == 0 || request.dialect.below(4, 54)) return pairs;
  for (int tp = 1; tp <= limit; ++tp)
    for (int ep = std::max(tp, 2); ep <= limit; ++ep)
      if (model.experts % ep == 0 && has_mesh(request.dialect, tp, ep) && is_right(model, request, tp, ep))
        pairs.emplace_back(tp, ep);
  return pairs;
}

std::optional<SizeLimit> limit_at(const Model& model, const AnalysisRequest& request, int tp) {
  const auto analysis = analyze(model, small(request, tp, request.parallelism.ep > 1 ? tp : 1));
  if (!analysis || analysis->verdict == Verdict::right || analysis->verdict == Verdict::unknown) return std::nullopt;
  for (const Diagnostic& d : analysis->diagnostics)
    if (d.severity == Severity::error) return SizeLimit{tp, d.code, d.message};
  return std::nullopt;
}

}  // namespace

ValidSizes valid_sizes(const Model& model, const AnalysisRequest& request, int limit) {
  ValidSizes sizes;
  if (!model.has_forward) return sizes;
  sizes.tp = valid_tp_sizes(model, request, limit);
  sizes.tp_ep = expert_pairs(model, request, limit);
  const int next = sizes.tp.empty() ? 2 : 2 * sizes.tp.back();
  if (next <= kMaxRanks) sizes.limit = limit_at(model, request, next);
  return sizes;
}

}  // namespace tpsim
