// Lanes of spans over time: drawing and the mouse.
#pragma once

#include <string>
#include <vector>

#include "gui/view/ui.h"

namespace tpsim::gui {

inline constexpr float kLaneHeight = 24, kLaneNames = 84, kLaneShares = 84;

struct Lane {
  std::string name;
  const Timeline* timeline = nullptr;
  const Track* track = nullptr;
  const Timeline* other = nullptr;  // the other side: measured beside predicted
  PickedSpan place;                 // its `span` is not used
  int rank = 0;
  bool joins_ranks = false;  // collectives: flow lines go to the next lane of the kind
};

// "all_reduce after model.layers.3.mlp.down_proj\n4.15 us predicted at 1.20 ms, measured ..."
std::string span_text(const Lane& lane, const Span& span);

// Strategy colour and pattern of a kind of span.
std::size_t color_of(SpanKind kind);

class TimeCanvas {
public:
  TimeCanvas(App& app, Ui& ui, ImVec2 low, float width, double total);

  void axis(float height);
  void lane(const Lane& lane, float y);
  // Lines that join each collective of `from` with the same one of `to`.
  void flows(const Lane& from, float y_from, float y_to);
  void interact(ImVec2 low, ImVec2 size);

private:
  float x(double us) const;
  float plot() const;
  double us_at(float px_x) const;
  void span(const Lane& lane, const VisibleSpan& visible, float y, float height);
  void describe(const Lane& lane, const VisibleSpan& visible) const;
  void pick(const Lane& lane, const VisibleSpan& visible);
  void marks(ImVec2 low, ImVec2 size) const;
  void ruler(ImVec2 low, ImVec2 size, double at, Rgb color, const std::string& label) const;

  App& app_;
  Ui& ui_;
  ImVec2 low_;
  float width_;
  TimeWindow& window_;
  ImDrawList* list_;
};

}  // namespace tpsim::gui
