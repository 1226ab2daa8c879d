#include "gui/model/timeline.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "core/json.h"

namespace tpsim::gui {
namespace {

std::optional<double> number(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* i = std::get_if<std::int64_t>(&value->data)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value->data); d != nullptr && std::isfinite(*d)) return *d;
  return std::nullopt;
}

std::string text_of(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  if (value == nullptr) return {};
  const auto* s = std::get_if<std::string>(&value->data);
  return s ? *s : to_json(*value);
}

SpanKind kind_of_name(const std::string& name, const std::string& category) {
  if (name.find("nccl") != std::string::npos || name.find("all_reduce") != std::string::npos)
    return SpanKind::collective;
  if (name.find("gemm") != std::string::npos || name.find("linear") != std::string::npos) return SpanKind::gemm;
  if (name.find("flash") != std::string::npos || name.find("attention") != std::string::npos)
    return SpanKind::attention;
  return category == "kernel" ? SpanKind::small : SpanKind::other;
}

void drop_nested(Track& track) {
  std::stable_sort(track.spans.begin(), track.spans.end(), [](const Span& a, const Span& b) {
    return a.begin < b.begin || (a.begin == b.begin && a.end > b.end);
  });
  double reached = -1;
  std::erase_if(track.spans, [&](const Span& s) {
    if (s.begin < reached) return true;
    reached = s.end;
    return false;
  });
}

}  // namespace

Result<Timeline> read_trace(std::string_view text, const std::string& file) {
  const auto value = parse_json(text, file);
  if (!value) return value.error();
  const auto* object = std::get_if<ValueObject>(&value->data);
  const Value* member = object ? find(*object, "traceEvents") : nullptr;
  const auto* events = std::get_if<ValueList>(member ? &member->data : &value->data);
  if (events == nullptr) return input_error("not a trace: no list \"traceEvents\"", file);
  Timeline timeline;
  cli::SpanTexts texts(timeline.texts);
  std::map<std::string, Track> tracks;
  double first = 0;
  bool any = false;
  for (const Value& item : *events) {
    const auto* e = std::get_if<ValueObject>(&item.data);
    if (e == nullptr || text_of(*e, "ph") != "X") continue;
    const auto begin = number(*e, "ts"), length = number(*e, "dur");
    if (!begin || !length || *length < 0) continue;
    const std::string thread = text_of(*e, "pid") + " " + text_of(*e, "tid"), name = text_of(*e, "name");
    first = any ? std::min(first, *begin) : *begin;
    any = true;
    tracks[thread].spans.push_back({*begin, *begin + *length, texts.add(name), texts.add(text_of(*e, "cat")),
                                    kind_of_name(name, text_of(*e, "cat")), -1, -1});
  }
  if (!any) return input_error("the trace has no complete events (\"ph\": \"X\" with \"ts\" and \"dur\")", file);
  for (auto& [name, track] : tracks) {
    track.name = name;
    drop_nested(track);
    for (Span& span : track.spans) {
      span.begin -= first;
      span.end -= first;
      timeline.total = std::max(timeline.total, span.end);
    }
    timeline.tracks.push_back(std::move(track));
  }
  return timeline;
}

std::vector<VisibleSpan> visible_spans(const Track& track, double begin, double end, double us_per_pixel) {
  std::vector<VisibleSpan> out;
  const auto ends_before = [](const Span& s, double t) { return s.end <= t; };
  auto it = std::lower_bound(track.spans.begin(), track.spans.end(), begin, ends_before);
  while (it != track.spans.end() && it->begin < end) {
    VisibleSpan span{it->begin, it->end, static_cast<int>(it - track.spans.begin()), 1};
    ++it;
    if (span.end - span.begin < us_per_pixel) {
      const auto behind = std::lower_bound(it, track.spans.end(), span.begin + us_per_pixel, ends_before);
      span.count += static_cast<int>(behind - it);
      if (behind != it) span.end = (behind - 1)->end;
      it = behind;
    }
    out.push_back(span);
  }
  return out;
}

double busy_share(const Track& track, double begin, double end) {
  if (end <= begin) return 0;
  const auto ends_before = [](const Span& s, double t) { return s.end <= t; };
  double busy = 0;
  for (auto it = std::lower_bound(track.spans.begin(), track.spans.end(), begin, ends_before);
       it != track.spans.end() && it->begin < end; ++it)
    busy += std::min(it->end, end) - std::max(it->begin, begin);
  return busy / (end - begin);
}

const Span* counterpart(const Timeline& other, std::size_t track, const Span& span) {
  if (span.step < 0 || track >= other.tracks.size()) return nullptr;
  const auto& spans = other.tracks[track].spans;
  const auto before = [](const Span& a, const Span& b) {
    if (a.step != b.step) return static_cast<unsigned>(a.step) < static_cast<unsigned>(b.step);
    return a.index < b.index;
  };
  const auto at = std::lower_bound(spans.begin(), spans.end(), span, before);
  return at != spans.end() && at->step == span.step && at->index == span.index ? &*at : nullptr;
}

std::vector<WindowSum> sum_window(const Timeline& timeline, double begin, double end) {
  std::map<int, WindowSum> sums;
  for (const Track& track : timeline.tracks)
    for (const Span& s : track.spans) {
      if (s.end <= begin || s.begin >= end) continue;
      const double us = s.end - s.begin;
      WindowSum& sum = sums[s.text];
      sum.text = timeline.texts[static_cast<std::size_t>(s.text)];
      sum.least = sum.count == 0 ? us : std::min(sum.least, us);
      sum.most = std::max(sum.most, us);
      sum.sum += us;
      ++sum.count;
    }
  std::vector<WindowSum> list;
  for (auto& [text, sum] : sums) list.push_back(std::move(sum));
  std::stable_sort(list.begin(), list.end(), [](const WindowSum& a, const WindowSum& b) { return a.sum > b.sum; });
  return list;
}

}  // namespace tpsim::gui
