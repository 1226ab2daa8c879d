#include "cli/trace_document.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "cli/chrome_trace.h"
#include "cli/collective_rows.h"
#include "cli/formulas.h"
#include "cli/text.h"
#include "core/version.h"
#include "sim/kernel_time.h"

namespace tpsim::cli {
namespace {

enum ThreadIndex { kParts = 0, kComputation = 1, kCommunication = 2, kThreads = 3 };

// Numbers of threads differ between processes, too: viewers that know only threads keep them apart.
TracePlace place_of(int process, int thread) { return {process, process * 10 + thread}; }

double percent_of(double band) { return 100 * (std::exp(band) - 1); }

// Members that both kinds of predicted calls have. `us` is the call's share of what `estimate` is of.
void write_estimate(JsonWriter& json, double us, const Estimate& estimate) {
  json.member("time_us", us, 4);
  json.member("low_us", us * std::exp(-estimate.band), 4);
  json.member("high_us", us * std::exp(estimate.band), 4);
  json.member("band_percent", percent_of(estimate.band), 2);
  json.member("source", to_string(estimate.source));
  json.member("bound", to_string(estimate.bound));
}

void write_timing_members(JsonWriter& json, const Timing& timing) {
  json.member("median_us", microseconds(timing.median), 4);
  json.member("p10_us", microseconds(timing.p10), 4);
  json.member("p90_us", microseconds(timing.p90), 4);
  json.member("cv", timing.cv, 4);
  json.member("n", timing.n);
}

std::string on_one_line(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    if (!text.empty()) text += ';';
    std::istringstream words(line);
    for (std::string word; words >> word;) text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

// What is known of one pass's calls beside their place in time.
class PassFacts {
public:
  PassFacts(const TracedRun& run, const TracedPass& pass, KernelTimes& times)
      : run_(run), pass_(pass), times_(times), groups_(call_groups(pass.analysis)) {
    for (const OperationTime& o : pass.time.operations) operations_[{o.trace, o.index}] = &o;
    for (const CollectiveTime& c : pass.time.collectives) collectives_[{c.trace, c.index}] = &c;
    if (!pass.measured) return;
    for (const MeasuredCalls& row : pass.measured->calls) {
      const auto it = std::find(groups_.groups.begin(), groups_.groups.end(), row.calls);
      if (it != groups_.groups.end()) measured_[it - groups_.groups.begin()] = &row;
    }
  }

  const OperationTime& operation(const Span& span) const { return *operations_.at(key(span)); }
  const CollectiveTime& collective(const Span& span) const { return *collectives_.at(key(span)); }
  const Operation& what(const Span& span) const { return trace(span).operations[static_cast<std::size_t>(span.index)]; }
  const CollectiveEvent& event(const Span& span) const {
    return trace(span).forward[static_cast<std::size_t>(span.index)];
  }

  void write_shape(JsonWriter& json, const Span& span) const {
    if (span.kind == SpanKind::collective) {
      const CollectiveEvent& e = event(span);
      json.member("shape", to_string(e.input_shape));
      json.member("dtype", to_string(e.dtype));
      json.member("ranks", e.group);
      json.member("payload_bytes", e.payload_bytes);
      json.member("wire_bytes_per_rank", e.wire_bytes_per_rank);
      if (e.data_dependent) json.member("data_dependent", true);
      return;
    }
    const Operation& o = what(span);
    if (const std::string shape = shape_text(o); !shape.empty()) json.member("shape", shape);
    json.member("flops", o.flops, 0);
    json.member("bytes", o.weight_bytes + o.input_bytes + o.output_bytes);
  }

  void write_predicted(JsonWriter& json, const Span& span) {
    if (span.kind == SpanKind::collective) {
      const CollectiveTime& c = collective(span);
      json.member("algorithm", c.algorithm);
      json.member("algbw", c.algbw, 0);
      json.member("busbw", c.busbw, 0);
      write_estimate(json, microseconds(c.time), c.estimate);
    } else {
      const OperationTime& o = operation(span);
      json.member("kernel", to_string(o.call.kind));
      json.member("kernel_us", o.kernel.us, 4);
      write_estimate(json, microseconds(o.time), o.kernel);
    }
    json.member("formula", formula(span));
  }

  void write_measured(JsonWriter& json, const Span& span) const {
    const auto it = measured_.find(group(span));
    if (it == measured_.end()) return;
    write_timing_members(json, it->second->each);
    const double predicted = predicted_us(span), median = microseconds(it->second->each.median);
    json.member("predicted_us", predicted, 4);
    if (median > 0) json.member("error_percent", 100 * (predicted / median - 1), 2);
  }

private:
  using Key = std::pair<int, int>;
  Key key(const Span& span) const {
    return {pass_.analysis.steps[static_cast<std::size_t>(span.step)].trace, span.index};
  }
  const Trace& trace(const Span& span) const {
    return pass_.analysis.traces[static_cast<std::size_t>(key(span).first)];
  }
  std::ptrdiff_t group(const Span& span) const {
    const auto& places = span.kind == SpanKind::collective ? groups_.of_collective : groups_.of_operation;
    return places[static_cast<std::size_t>(span.step)][static_cast<std::size_t>(span.index)];
  }
  double predicted_us(const Span& span) const {
    return microseconds(span.kind == SpanKind::collective ? collective(span).time : operation(span).time);
  }

  std::string formula_of(const Span& span) {
    if (span.kind == SpanKind::collective) {
      const CollectiveEvent& e = event(span);
      return on_one_line(
          collective_formula(e.op, e.payload_bytes, e.group, run_.stack, run_.hardware, times_.network()));
    }
    const OperationTime& o = operation(span);
    std::string text = times_.explain(o.call);
    const double share = o.kernel.us > 0 ? microseconds(o.time) / o.kernel.us : 1;
    constexpr double whole = 5e-4;
    if (share < 1 - whole) text += "; x " + fixed(share, 3) + ", this operation's share of the kernel";
    if (share > 1 + whole) text += "; and kernels like it, x " + fixed(share, 3);
    return text;
  }

  const std::string& formula(const Span& span) {
    auto [it, fresh] = formulas_.try_emplace({key(span), span.kind == SpanKind::collective});
    if (fresh) it->second = formula_of(span);
    return it->second;
  }

  const TracedRun& run_;
  const TracedPass& pass_;
  KernelTimes& times_;
  CallGroups groups_;
  std::map<Key, const OperationTime*> operations_;
  std::map<Key, const CollectiveTime*> collectives_;
  std::map<std::ptrdiff_t, const MeasuredCalls*> measured_;
  std::map<std::pair<Key, bool>, std::string> formulas_;
};

class TraceWriter {
public:
  TraceWriter(JsonWriter& json, const TracedRun& run)
      : json_(json), trace_(json), run_(run), times_(run.hardware), ranks_(run.passes.front().analysis.ranks()) {}

  void run() {
    const bool measured =
        std::any_of(run_.passes.begin(), run_.passes.end(), [](const TracedPass& p) { return p.measured.has_value(); });
    for (int rank = 0; rank < ranks_; ++rank)
      name_process(rank + 1, "rank " + std::to_string(rank) + (measured ? " (predicted)" : ""));
    if (measured) name_process(ranks_ + 1, "measured (medians, slowest of " + plural(ranks_, "rank") + ")");
    for (const TracedPass& pass : run_.passes) add(pass);
  }

private:
  void name_process(int process, const std::string& name) {
    constexpr const char* names[kThreads] = {"model", "computation", "communication"};
    trace_.name_process(process, name);
    for (int t = 0; t < kThreads; ++t) trace_.name_thread(place_of(process, t), names[t]);
  }

  void add(const TracedPass& pass) {
    PassFacts facts(run_, pass, times_);
    const Timeline predicted = predicted_timeline(pass.analysis, pass.time);
    for (int rank = 0; rank < ranks_; ++rank) add_rank(pass, facts, predicted, rank);
    flows_ += static_cast<int>(predicted.tracks[kCommunicationTrack].spans.size());
    double end = predicted.total;
    if (pass.measured) {
      const Timeline measured = measured_timeline(pass.analysis, *pass.measured);
      add_measured(pass, facts, measured);
      end = std::max(end, measured.total);
    }
    start_ += end;
  }

  void add_rank(const TracedPass& pass, PassFacts& facts, const Timeline& timeline, int rank) {
    const int process = rank + 1;
    add_segments(pass, timeline, process, [&](JsonWriter& json) { write_pass(json, pass); });
    for (std::size_t t = 0; t < timeline.tracks.size(); ++t)
      for (const Span& span : timeline.tracks[t].spans)
        slice(timeline, span, process, t, [&](JsonWriter& json) {
          if (span.step < 0) return;
          facts.write_shape(json, span);
          facts.write_predicted(json, span);
        });
    add_flows(timeline, rank);
  }

  void add_measured(const TracedPass& pass, const PassFacts& facts, const Timeline& timeline) {
    const int process = ranks_ + 1;
    add_segments(pass, timeline, process, [&](JsonWriter& json) {
      write_timing_members(json, pass.measured->total);
      json.member("predicted_us", microseconds(pass.time.total), 4);
    });
    for (std::size_t t = 0; t < timeline.tracks.size(); ++t)
      for (const Span& span : timeline.tracks[t].spans)
        slice(timeline, span, process, t, [&](JsonWriter& json) {
          if (span.step < 0) return;
          facts.write_shape(json, span);
          facts.write_measured(json, span);
        });
  }

  void add_segments(const TracedPass& pass, const Timeline& timeline, int process,
                    const ChromeTrace::Arguments& arguments) {
    trace_.slice(place_of(process, kParts), pass.name, "pass", start_, start_ + timeline.total, arguments);
    for (const Span& span : timeline.segments)
      trace_.slice(place_of(process, kParts), timeline.text(span), "part", start_ + span.begin, start_ + span.end,
                   [](JsonWriter&) {});
  }

  void slice(const Timeline& timeline, const Span& span, int process, std::size_t track,
             const ChromeTrace::Arguments& arguments) {
    const int thread = track == kCommunicationTrack ? kCommunication : kComputation;
    trace_.slice(place_of(process, thread), timeline.text(span), to_string(span.kind), start_ + span.begin,
                 start_ + span.end, [&](JsonWriter& json) {
                   if (!timeline.module(span).empty()) json.member("module", timeline.module(span));
                   arguments(json);
                 });
  }

  // One arrow per collective, through all ranks: every rank writes its part of it.
  void add_flows(const Timeline& timeline, int rank) {
    if (ranks_ < 2) return;
    using Step = ChromeTrace::FlowStep;
    const Step step = rank == 0 ? Step::first : rank + 1 == ranks_ ? Step::last : Step::next;
    int number = flows_;
    for (const Span& span : timeline.tracks[kCommunicationTrack].spans)
      trace_.flow(place_of(rank + 1, kCommunication), timeline.text(span), ++number, step,
                  start_ + (span.begin + span.end) / 2);
  }

  static void write_pass(JsonWriter& json, const TracedPass& pass) {
    const Workload& w = pass.analysis.workload;
    json.member("batch", w.batch);
    json.member("tokens", w.tokens);
    json.member("past", w.past);
    json.member("total_us", microseconds(pass.time.total), 4);
    json.member("computation_us", microseconds(pass.time.compute), 4);
    json.member("communication_us", microseconds(pass.time.communication), 4);
    json.member("host_us", microseconds(pass.time.host), 4);
    json.member("low_us", microseconds(pass.time.low), 4);
    json.member("high_us", microseconds(pass.time.high), 4);
    json.member("source", to_string(pass.time.source));
  }

  JsonWriter& json_;
  ChromeTrace trace_;
  const TracedRun& run_;
  KernelTimes times_;
  int ranks_;
  double start_ = 0;
  int flows_ = 0;  // of earlier passes
};

void write_head(JsonWriter& json, const TracedRun& run) {
  json.member("schema", "tpsim.trace/1");
  json.member("displayTimeUnit", "ms");
  json.key("otherData");
  json.begin_object();
  json.member("tool", std::string("tpsim ") + kVersion);
  json.member("model", run.model);
  json.member("plan", run.plan);
  json.member("tp", run.tp);
  json.member("hardware", run.hardware.name);
  json.member("stack", run.stack.name);
  json.end_object();
}

Cell us_cell(double us) { return cell(us, 3, fixed(us, 2)); }

void add_row(Table& table, const TracedPass& pass, const PassFacts& facts, const Timeline& timeline, const Span& span,
             const std::string& track) {
  const bool collective = span.kind == SpanKind::collective;
  const double us = span.end - span.begin;
  Row row;
  row.cells = {cell(pass.name),           cell(track),
               us_cell(span.begin),       us_cell(us),
               cell(timeline.text(span)), cell(timeline.module(span))};
  if (span.step < 0) {
    for (int i = 0; i < 4; ++i) row.cells.push_back(no_value());
  } else {
    const Estimate& e = collective ? facts.collective(span).estimate : facts.operation(span).kernel;
    const std::string shape = collective ? to_string(facts.event(span).input_shape) : shape_text(facts.what(span));
    row.cells.push_back(shape.empty() ? no_value() : cell(shape));
    row.cells.push_back(cell(std::string(to_string(e.bound))));
    row.cells.push_back(cell(std::string(to_string(e.source))));
    row.cells.push_back(cell(percent_of(e.band), 2, fixed(percent_of(e.band), 0)));
  }
  table.rows.push_back(std::move(row));
}

}  // namespace

void write_trace(JsonWriter& json, const TracedRun& run) {
  json.begin_object();
  write_head(json, run);
  json.key("traceEvents");
  json.begin_array();
  TraceWriter(json, run).run();
  json.end_array();
  json.end_object();
}

Table trace_table(const TracedRun& run) {
  Table table;
  table.columns = {{"phase", "phase", false, 80},    {"track", "track", false},
                   {"start_us", "start, us"},        {"time_us", "time, us"},
                   {"name", "what", false},          {"module", "module", false},
                   {"shape", "shape", false, 100},   {"bound", "limited by", false, 110},
                   {"source", "source", false, 130}, {"band_percent", "band, %", true, 120}};
  KernelTimes times(run.hardware);
  for (const TracedPass& pass : run.passes) {
    const PassFacts facts(run, pass, times);
    const Timeline timeline = predicted_timeline(pass.analysis, pass.time);
    std::vector<std::pair<const Span*, const Track*>> spans;
    for (const Track& track : timeline.tracks)
      for (const Span& span : track.spans) spans.emplace_back(&span, &track);
    std::stable_sort(spans.begin(), spans.end(),
                     [](const auto& a, const auto& b) { return a.first->begin < b.first->begin; });
    for (const auto& [span, track] : spans) add_row(table, pass, facts, timeline, *span, track->name);
  }
  return table;
}

}  // namespace tpsim::cli
