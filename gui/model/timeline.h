// One phase as spans on two tracks, in the order in which they run, and what of them can be seen at a zoom.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/size_result.h"
#include "core/result.h"

namespace tpsim::gui {

enum class SpanKind { gemm, experts, attention, small, collective, host, other };

struct Span {
  double begin = 0, end = 0;  // us
  int text = 0;               // what runs: index into Timeline::texts
  int module = 0;             // where: the same
  SpanKind kind = SpanKind::other;
};

struct Track {
  std::string name;
  std::vector<Span> spans;  // ascending, not overlapping
};

struct Timeline {
  std::vector<Track> tracks;  // predicted: computation, communication; every rank runs the same
  std::vector<std::string> texts;
  double total = 0;  // us
  int ranks = 1;

  std::size_t events() const;  // on all ranks
};
Timeline predicted_timeline(const cli::PhaseResult& phase);

// Complete events ("ph": "X") of a Chrome or Perfetto trace, or of the PyTorch profiler; one track per thread, times
// from the first event on. Events inside another of their thread are left out. Errors: not JSON, no such events.
Result<Timeline> read_trace(std::string_view text, const std::string& file);

// Spans of a track within [begin, end] us. Neighbours that would be narrower than a pixel are one, with their count.
struct VisibleSpan {
  double begin = 0, end = 0;
  int first = 0, count = 1;
};
std::vector<VisibleSpan> visible_spans(const Track& track, double begin, double end, double us_per_pixel);

// What lies in a window.
struct WindowSum {
  std::string text;
  std::size_t count = 0;
  double sum = 0, least = 0, most = 0;
};
std::vector<WindowSum> sum_window(const Timeline& timeline, double begin, double end);

}  // namespace tpsim::gui
