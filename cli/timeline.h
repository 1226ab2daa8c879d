// One pass as spans on two tracks, in the order in which they run: predicted, or as measured. Traces and the visualizer
// show this value.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/measurement.h"
#include "sim/predict.h"

namespace tpsim::cli {

enum class SpanKind { gemm, experts, attention, small, collective, host, other };
const char* to_string(SpanKind kind);

struct Span {
  double begin = 0, end = 0;  // us
  int text = 0;               // what runs: index into Timeline::texts
  int module = 0;             // where: the same
  SpanKind kind = SpanKind::other;
  // Analysis::steps[step]; there operations[index] of its trace, or forward[index] of a collective. -1: of neither.
  int step = -1, index = -1;
};

struct Track {
  std::string name;
  std::vector<Span> spans;  // ascending, not overlapping
};

struct Timeline {
  std::vector<Track> tracks;   // of a pass: computation, communication; every rank runs the same
  std::vector<Span> segments;  // of a pass: its steps, which the spans lie in
  std::vector<std::string> texts;
  double total = 0;  // us
  int ranks = 1;

  std::size_t events() const;  // on all ranks
  const std::string& text(const Span& span) const { return texts[static_cast<std::size_t>(span.text)]; }
  const std::string& module(const Span& span) const { return texts[static_cast<std::size_t>(span.module)]; }
};
inline constexpr std::size_t kComputationTrack = 0, kCommunicationTrack = 1;

// Texts of a timeline, each once.
class SpanTexts {
public:
  explicit SpanTexts(std::vector<std::string>& out) : out_(out) {}
  int add(const std::string& text);

private:
  std::vector<std::string>& out_;
  std::map<std::string, int> known_;
};

// Its end is the prediction's total.
Timeline predicted_timeline(const Analysis& analysis, const Prediction& time);

// Every call at its median; what the calls leave of the pass's median total stands at the end as "between calls".
// Calls that the measurement lacks take no time.
Timeline measured_timeline(const Analysis& analysis, const PassMeasurement& pass);

}  // namespace tpsim::cli
