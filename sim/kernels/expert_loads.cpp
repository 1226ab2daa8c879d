// How tokens spread over the experts of a rank.
#include <algorithm>
#include <cmath>

#include "sim/kernels/moe.h"

namespace tpsim {
namespace {

// Quantiles of shares drawn from x^-1.2 between two ends; 1 / (1 - 1.2) = -5.
struct PowerLaw {
  double low = 1, width = 0;  // x^-0.2 at the lower end, and how far it falls to the upper one

  PowerLaw(double tokens, double experts, double topk) {
    const bool many = tokens * topk > experts;
    const double from = many ? 1 : 0.01, to = many ? std::max(1.01, 0.8 * tokens) : 2;
    low = std::pow(from, -0.2);
    width = low - std::pow(to, -0.2);
  }
  double at(double u) const {
    const double v = 1 / (low - width * u);
    return v * v * v * v * v;
  }
  // Standard deviation over mean.
  double variation() const {
    const double high = low - width;
    const double mean = (std::pow(high, -4) - std::pow(low, -4)) / (4 * width);
    const double square = (std::pow(high, -9) - std::pow(low, -9)) / (9 * width);
    return std::sqrt(std::max(0.0, square / (mean * mean) - 1));
  }
};

// Expected largest of n standard normal draws, within 6 % up to 64.
double largest_normal(double n) { return n <= 1 ? 0 : 0.564 * std::pow(std::log2(n), 0.82); }

// Scales loads to their sum. What is above `most` goes to the others, in a few rounds.
void scale_to(ExpertLoads& loads, double most) {
  const std::span<double> all(loads.load.data(), static_cast<std::size_t>(loads.groups));
  const double target = loads.pairs / loads.per_group;
  double full = 0, rest = 0;
  for (double load : all) rest += load;
  for (int round = 0; round < 5; ++round) {
    const double factor = rest > 0 ? std::max(0.0, target - full) / rest : 1;
    full = rest = 0;
    for (double& load : all) {
      load = round > 0 && load >= most ? most : std::min(most, load * factor);
      (load >= most ? full : rest) += load;
    }
  }
}

}  // namespace

const char* to_string(Routing routing) {
  switch (routing) {
    case Routing::balanced: return "balanced";
    case Routing::random: return "random";
    case Routing::power_law: return "power_law_1.2";
  }
  return "";
}

double expert_imbalance(double tokens, double experts, double topk, double ranks, Routing routing) {
  if (!(ranks > 1) || !(experts > 0) || !(tokens > 0) || !(topk > 0)) return 1;
  const double pairs = tokens * topk / ranks, held = experts / ranks;
  double excess = 0;
  if (routing == Routing::random) excess = std::sqrt((1 - 1 / ranks) / pairs);
  if (routing == Routing::power_law) {
    const double spread = PowerLaw(tokens, experts, topk).variation() / std::sqrt(held);
    excess = spread * std::sqrt(1 - 1 / ranks) * std::min(1.6, 1 + 0.5 * spread * spread);
  }
  const double most = ranks * std::min(1.0, held / topk);
  const double factor = std::min(std::max(1.0, most), 1 + excess * largest_normal(ranks));
  return std::min(ranks, std::max(factor, 1 / pairs));
}

double ExpertLoads::tiles(double rows) const {
  double sum = 0;
  for (int i = 0; i < groups; ++i) {
    const double l = load[static_cast<std::size_t>(i)];
    sum += l < 1 ? l : std::ceil(l / rows - 1e-9);
  }
  return sum * per_group;
}

ExpertLoads expert_loads(const MoeShape& s) {
  ExpertLoads loads;
  const double share = s.local_experts / s.experts;
  loads.pairs = std::min(s.tokens * s.topk, s.tokens * s.topk * share * s.imbalance);
  loads.groups = static_cast<int>(std::clamp(s.local_experts, 1.0, static_cast<double>(ExpertLoads::kMost)));
  loads.per_group = s.local_experts / loads.groups;
  const double mean = loads.pairs / s.local_experts;
  const PowerLaw law(s.tokens, s.experts, s.topk);
  for (int i = 0; i < loads.groups; ++i) {
    double& load = loads.load[static_cast<std::size_t>(i)];
    const double u = (i + 0.5) / loads.groups;
    switch (s.routing) {
      case Routing::balanced: load = mean; break;
      // Quantiles of a normal, by a logistic one of the same width.
      case Routing::random: load = std::max(0.0, mean + std::sqrt(mean) * 0.5513 * std::log(u / (1 - u))); break;
      case Routing::power_law: load = law.at(u); break;
    }
  }
  if (s.routing != Routing::balanced) scale_to(loads, s.tokens);
  for (int i = 0; i < loads.groups; ++i) {
    const double load = loads.load[static_cast<std::size_t>(i)];
    const double used = s.routing == Routing::random ? -std::expm1(-mean) : std::min(1.0, load);
    loads.active += used * loads.per_group;
  }
  loads.active = std::max(loads.active, std::min(1.0, loads.pairs));
  return loads;
}

}  // namespace tpsim
