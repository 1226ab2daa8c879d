#include "cli/timeline.h"

#include <algorithm>
#include <tuple>

#include "core/module_path.h"

namespace tpsim::cli {
namespace {

SpanKind kind_of(OperationKind kind) {
  switch (kind) {
    case OperationKind::gemm: return SpanKind::gemm;
    case OperationKind::grouped_gemm:
    case OperationKind::routing: return SpanKind::experts;
    case OperationKind::attention: return SpanKind::attention;
    case OperationKind::norm:
    case OperationKind::rope:
    case OperationKind::elementwise:
    case OperationKind::softmax:
    case OperationKind::embedding:
    case OperationKind::copy: return SpanKind::small;
  }
  return SpanKind::other;
}

using Times = std::vector<std::vector<double>>;  // us; [step][index]

// What stands at the end of a pass, beside its calls.
struct Rest {
  std::string name;
  double us = 0;
};

class Player {
public:
  Player(const Analysis& analysis, const Times& operations, const Times& collectives)
      : analysis_(analysis), operations_(operations), collectives_(collectives), texts_(out_.texts) {}

  Timeline run(const Rest& rest) {
    out_.tracks = {{"comp", {}}, {"comm", {}}};
    out_.ranks = analysis_.ranks();
    for (int s = 0; s < static_cast<int>(analysis_.steps.size()); ++s) play(s);
    if (rest.us > 0)
      put(kComputationTrack, {now_, now_ + rest.us, texts_.add(rest.name), texts_.add(""), SpanKind::host, -1, -1});
    out_.total = now_;
    return std::move(out_);
  }

private:
  void play(int s) {
    const Step& step = analysis_.steps[static_cast<std::size_t>(s)];
    const Trace& trace = analysis_.traces[static_cast<std::size_t>(step.trace)];
    const double begin = now_;
    std::size_t event = 0;
    for (std::size_t i = 0; i <= trace.operations.size(); ++i) {
      for (; event < trace.forward.size() && trace.forward_after[event] <= static_cast<int>(i); ++event) {
        const CollectiveEvent& e = trace.forward[event];
        put(kCommunicationTrack, span(s, event, to_string(e.op), e.module, SpanKind::collective, collectives_));
      }
      if (i == trace.operations.size()) break;
      const Operation& o = trace.operations[i];
      const Span computed = span(s, i, o.name, o.module, kind_of(o.kind), operations_);
      if (computed.end > computed.begin) put(kComputationTrack, computed);
    }
    const int name = texts_.add(step.prefix.empty() ? analysis_.class_name : step.prefix);
    if (now_ > begin) out_.segments.push_back({begin, now_, name, name, SpanKind::other, s, -1});
  }

  Span span(int step, std::size_t index, const std::string& name, const std::string& module, SpanKind kind,
            const Times& times) {
    const auto s = static_cast<std::size_t>(step);
    const std::string path = full_path(analysis_.steps[s].prefix, module);
    return {now_, now_ + times[s][index], texts_.add(name), texts_.add(path), kind, step, static_cast<int>(index)};
  }

  void put(std::size_t track, Span span) {
    now_ = span.end;
    out_.tracks[track].spans.push_back(span);
  }

  const Analysis& analysis_;
  const Times &operations_, &collectives_;
  Timeline out_;
  SpanTexts texts_;
  double now_ = 0;
};

// Times of a trace's entries, on every step that runs it.
template <class Entry, class List>
Times by_step(const Analysis& analysis, const std::vector<Entry>& entries, List Trace::*list) {
  Times by_trace(analysis.traces.size());
  for (std::size_t t = 0; t < by_trace.size(); ++t) by_trace[t].resize((analysis.traces[t].*list).size());
  for (const Entry& e : entries)
    by_trace[static_cast<std::size_t>(e.trace)][static_cast<std::size_t>(e.index)] = microseconds(e.time);
  Times times;
  for (const Step& step : analysis.steps) times.push_back(by_trace[static_cast<std::size_t>(step.trace)]);
  return times;
}

// Medians by what is called.
class Medians {
public:
  explicit Medians(const PassMeasurement& pass) {
    for (const MeasuredCalls& row : pass.calls) us_.emplace(key(row.calls), microseconds(row.each.median));
  }

  Times of(const std::vector<std::vector<int>>& places, const CallGroups& groups) {
    Times times;
    for (const auto& step : places) {
      auto& row = times.emplace_back();
      for (const int group : step) {
        const auto it = us_.find(key(groups.groups[static_cast<std::size_t>(group)]));
        row.push_back(it == us_.end() ? 0 : it->second);
        sum_ += row.back();
      }
    }
    return times;
  }

  double sum() const { return sum_; }  // us of all calls met

private:
  using Key = std::tuple<std::string, std::string, std::string, std::int64_t>;
  static Key key(const CallGroup& g) { return {g.module, g.name, g.shape, g.bytes}; }

  std::map<Key, double> us_;
  double sum_ = 0;
};

}  // namespace

const char* to_string(SpanKind kind) {
  switch (kind) {
    case SpanKind::gemm: return "gemm";
    case SpanKind::experts: return "experts";
    case SpanKind::attention: return "attention";
    case SpanKind::small: return "small";
    case SpanKind::collective: return "collective";
    case SpanKind::host: return "host";
    case SpanKind::other: break;
  }
  return "other";
}

int SpanTexts::add(const std::string& text) {
  const auto [at, is_new] = known_.emplace(text, static_cast<int>(out_.size()));
  if (is_new) out_.push_back(text);
  return at->second;
}

std::size_t Timeline::events() const {
  std::size_t n = 0;
  for (const Track& track : tracks) n += track.spans.size();
  return n * static_cast<std::size_t>(ranks);
}

Timeline predicted_timeline(const Analysis& analysis, const Prediction& time) {
  const Times operations = by_step(analysis, time.operations, &Trace::operations);
  const Times collectives = by_step(analysis, time.collectives, &Trace::forward);
  return Player(analysis, operations, collectives).run({"host", microseconds(time.host)});
}

Timeline measured_timeline(const Analysis& analysis, const PassMeasurement& pass) {
  const CallGroups groups = call_groups(analysis);
  Medians medians(pass);
  const Times operations = medians.of(groups.of_operation, groups);
  const Times collectives = medians.of(groups.of_collective, groups);
  const double rest = microseconds(pass.total.median) - medians.sum();
  return Player(analysis, operations, collectives).run({"between calls", std::max(rest, 0.0)});
}

}  // namespace tpsim::cli
