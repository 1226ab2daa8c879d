// What of a timeline can be seen at a zoom, and traces of profilers as timelines.
#pragma once

#include <string>
#include <vector>

#include "cli/size_result.h"
#include "cli/timeline.h"
#include "core/result.h"

namespace tpsim::gui {

using cli::Span;
using cli::SpanKind;
using cli::Timeline;
using cli::Track;

inline Timeline predicted_timeline(const cli::PhaseResult& phase) {
  return cli::predicted_timeline(phase.analysis, phase.time);
}

// Complete events ("ph": "X") of a Chrome or Perfetto trace, or of the PyTorch profiler; one track per thread, times
// from the first event on. Events inside another of their thread are left out. Errors: not JSON, no such events.
Result<Timeline> read_trace(std::string_view text, const std::string& file);

// Spans of a track within [begin, end] us. Neighbours that would be narrower than a pixel are one, with their count.
struct VisibleSpan {
  double begin = 0, end = 0;
  int first = 0, count = 1;
};
std::vector<VisibleSpan> visible_spans(const Track& track, double begin, double end, double us_per_pixel);

// Share of the window in which the track is busy.
double busy_share(const Track& track, double begin, double end);
// The same call in another timeline of the same pass; null where it has none.
const Span* counterpart(const Timeline& other, std::size_t track, const Span& span);

// What lies in a window.
struct WindowSum {
  std::string text;
  std::size_t count = 0;
  double sum = 0, least = 0, most = 0;
};
std::vector<WindowSum> sum_window(const Timeline& timeline, double begin, double end);

}  // namespace tpsim::gui
