#include <cmath>
#include <cstdio>

#include "sim/network/collective_model.h"

namespace tpsim {
namespace {

std::string formatted(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

std::string number(double x) { return formatted("%.4g", x); }

std::string name_of(const CollectiveBranch& b) {
  const std::string protocol = to_string(b.protocol);
  return std::string(to_string(b.algorithm)) + (protocol.empty() ? "" : " " + protocol);
}

// The branch with all its terms but one taken away.
CollectiveBranch only(const CollectiveBranch& b, double CollectiveBranch::*term) {
  CollectiveBranch part;
  part.algorithm = b.algorithm;
  part.sharing = b.sharing;
  part.*term = b.*term;
  return part;
}

std::vector<std::string> terms_of(const CollectiveModel& m, const CollectiveBranch& b, const CollectiveShape& s) {
  using B = CollectiveBranch;
  const std::string shared = b.sharing > 0 ? ", shared by the ranks" : "";
  const struct {
    double B::*term;
    std::string text;
  } terms[] = {{&B::base, name_of(b) + ": start"},
               {&B::hop, "steps of " + number(b.hop) + " us"},
               {&B::wire, "bytes on the wire at " + number(b.wire / 1e3) + " GB/s" + shared},
               {&B::local, "a rank's own part at " + number(b.local / 1e3) + " GB/s"},
               {&B::ramp, "filling the pipeline, " + number(b.ramp) + " sqrt(kB)"}};
  std::vector<std::string> lines;
  for (const auto& [term, text] : terms) {
    const double us = branch_us(only(b, term), m.op, s.bytes, s.ranks);
    if (us > 0) lines.push_back(formatted("%10.2f us  ", us) + text);
  }
  return lines;
}

const CollectiveModel* model_used(const CollectiveShape& s, const CollectiveNetwork& network, double us) {
  for (const CollectiveModel& m : network.models)
    if (m.op == s.op && std::abs(corrected_us(m, s.bytes, s.ranks) - us) <= 1e-9 * us) return &m;
  return nullptr;
}

}  // namespace

std::vector<std::string> explain_collective(const CollectiveShape& shape, const CollectiveNetwork& network) {
  const CollectiveEstimate e = collective_time(shape, network);
  std::vector<std::string> lines{std::string(to_string(shape.op)) + " of " + formatted("%.0f", shape.bytes) +
                                 " bytes over " + std::to_string(shape.ranks) + " ranks, " + algorithm_name(e) + ": " +
                                 number(e.time.us) + " us"};
  const CollectiveModel* m = e.hierarchical ? nullptr : model_used(shape, network, e.time.us);
  if (e.hierarchical)
    lines.push_back("             inside the hosts, then over adapters at " + number(network.between.wire / 1e3) +
                    " GB/s each with " + number(network.between.hop) + " us a step");
  if (m != nullptr) {
    const ModelTime physics = physics_time(*m, shape.bytes, shape.ranks);
    const auto terms = terms_of(*m, *physics.branch, shape);
    lines.insert(lines.end(), terms.begin(), terms.end());
    if (m->copy > 0) lines.push_back(formatted("%10.2f us  ", shape.bytes / m->copy) + "copying the input");
    if (m->floor > 0) lines.push_back(formatted("%10.2f us  ", m->floor) + "at least, to launch it");
    if (!m->residual.empty())
      lines.push_back(formatted("%10.3f x   ", e.time.us / physics.us) + "what measurements near it say");
    lines.push_back("             from " + m->origin);
  }
  lines.push_back(formatted("%10.0f %%   ", 100 * std::expm1(e.time.band)) + "band, " + to_string(e.time.source));
  return lines;
}

}  // namespace tpsim
