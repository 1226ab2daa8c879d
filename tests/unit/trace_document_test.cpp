#include "cli/trace_document.h"

#include <algorithm>
#include <map>

#include "core/analyze.h"
#include "core/json.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"
#include "traces/gzip.h"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Model llama() { return tiny_model("llama"); }

Hardware h100() {
  auto hardware = load_hardware("h100-sxm");
  REQUIRE(hardware);
  return std::move(*hardware);
}

TracedPass pass_of(const Model& model, const char* name, std::int64_t tokens, std::int64_t past) {
  AnalysisRequest request;
  request.parallelism.tp = 4;
  request.workload = {2, tokens, past, false, DType::bf16, DType::bf16, DType::bf16};
  auto analysis = analyze(model, request);
  REQUIRE(analysis);
  Predictor predictor(h100());
  Prediction time = predictor.predict(*analysis);
  return {name, std::move(*analysis), std::move(time), {}};
}

TracedRun run_of(const Model& model) {
  return {"llama",
          "auto",
          4,
          h100(),
          *stack_named("forward", "h100-sxm"),
          {pass_of(model, "prefill", 128, 0), pass_of(model, "decode", 1, 255)}};
}

// Medians of half the predicted times, so that the rest of the pass is known.
PassMeasurement measurement_of(const TracedPass& pass, double total_us) {
  PassMeasurement m;
  const CallGroups groups = call_groups(pass.analysis);
  m.phase = pass.name;
  for (const CallGroup& group : groups.groups) {
    MeasuredCalls row;
    row.calls = group;
    row.each.n = 5;
    row.each.median = row.each.p10 = row.each.p90 = Seconds(1e-6);
    m.calls.push_back(row);
  }
  m.total.median = Seconds(total_us * 1e-6);
  return m;
}

struct Slice {
  double begin = 0, end = 0;
  std::string name;
};

double number_at(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  REQUIRE(value != nullptr);
  if (const auto* whole = std::get_if<std::int64_t>(&value->data)) return static_cast<double>(*whole);
  return std::get<double>(value->data);
}

std::string text_at(const ValueObject& object, std::string_view key) {
  const Value* value = find(object, key);
  return value == nullptr ? std::string() : std::get<std::string>(value->data);
}

struct ReadBack {
  std::map<std::pair<double, double>, std::vector<Slice>> threads;      // by process and thread
  std::map<double, std::vector<std::pair<std::string, double>>> flows;  // phase and process, by number
};

ReadBack read_back(const TracedRun& run) {
  std::string text;
  JsonWriter json(text, 2);
  write_trace(json, run);
  const auto document = parse_json(text, "trace");
  REQUIRE(document);
  ReadBack read;
  for (const Value& item : std::get<ValueList>(find(std::get<ValueObject>(document->data), "traceEvents")->data)) {
    const auto& event = std::get<ValueObject>(item.data);
    const std::string phase = text_at(event, "ph");
    const double process = number_at(event, "pid");
    if (phase == "X") {
      const double begin = number_at(event, "ts");
      read.threads[{process, number_at(event, "tid")}].push_back(
          {begin, begin + number_at(event, "dur"), text_at(event, "name")});
    } else if (phase != "M") {
      read.flows[number_at(event, "id")].emplace_back(phase, process);
    }
  }
  return read;
}

constexpr double kNanosecond = 1e-3, kExact = kNanosecond / 4;

void check_nesting(const std::vector<Slice>& slices) {
  std::vector<double> open;  // ends
  for (const Slice& slice : slices) {
    while (!open.empty() && open.back() <= slice.begin + kExact) open.pop_back();
    if (!open.empty()) CHECK(slice.end <= open.back() + kExact);
    open.push_back(slice.end);
  }
}

double sum_of(const std::vector<Slice>& slices) {
  double sum = 0;
  for (const Slice& slice : slices) sum += slice.end - slice.begin;
  return sum;
}

}  // namespace

TEST_CASE("trace: slices nest, calls never overlap, and their sums are the prediction's", "[trace]") {
  const Model model = llama();
  const TracedRun run = run_of(model);
  const ReadBack read = read_back(run);
  REQUIRE(read.threads.size() == 4 * 3);
  double compute = 0, communication = 0, total = 0;
  for (const TracedPass& pass : run.passes) {
    compute += microseconds(pass.time.compute + pass.time.host);
    communication += microseconds(pass.time.communication);
    total += microseconds(pass.time.total);
  }
  for (const auto& [place, slices] : read.threads) {
    CAPTURE(place.first, place.second);
    check_nesting(slices);
    const int thread = static_cast<int>(place.second) % 10;
    const double rounding = kNanosecond * static_cast<double>(slices.size());
    if (thread == 1) CHECK(sum_of(slices) == Approx(compute).margin(rounding));
    if (thread == 2) CHECK(sum_of(slices) == Approx(communication).margin(rounding));
    if (thread == 0) CHECK(slices.back().end == Approx(total).margin(2 * kNanosecond));
  }
}

TEST_CASE("trace: computation and communication of a rank do not run at the same time", "[trace]") {
  const ReadBack read = read_back(run_of(llama()));
  std::vector<Slice> calls = read.threads.at({1, 11});
  const auto& others = read.threads.at({1, 12});
  calls.insert(calls.end(), others.begin(), others.end());
  std::sort(calls.begin(), calls.end(),
            [](const Slice& a, const Slice& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  for (std::size_t i = 1; i < calls.size(); ++i) REQUIRE(calls[i].begin >= calls[i - 1].end - kExact);
}

TEST_CASE("trace: an arrow joins each collective over all ranks", "[trace]") {
  const TracedRun run = run_of(llama());
  const ReadBack read = read_back(run);
  std::size_t collectives = 0;
  for (const TracedPass& pass : run.passes) collectives += events(pass.analysis).size();
  CHECK(read.flows.size() == collectives);
  using Ends = std::vector<std::pair<std::string, double>>;
  for (const auto& [number, ends] : read.flows) REQUIRE(ends == Ends{{"s", 1}, {"t", 2}, {"t", 3}, {"f", 4}});
}

TEST_CASE("trace: a measured run stands beside, its rest at the end", "[trace]") {
  const Model model = llama();
  TracedRun run = run_of(model);
  run.passes.resize(1);
  constexpr double total = 1e6;
  run.passes.front().measured = measurement_of(run.passes.front(), total);
  const ReadBack read = read_back(run);
  REQUIRE(read.threads.size() == 5 * 3);
  const auto& computed = read.threads.at({5, 51});
  CHECK(computed.back().name == "between calls");
  CHECK(computed.back().end == Approx(total).margin(kNanosecond));
  CHECK(sum_of(computed) + sum_of(read.threads.at({5, 52})) == Approx(total).margin(1));
}

TEST_CASE("trace: packed text unpacks to itself", "[trace]") {
  if (!gzip("x")) {
    WARN("no zlib in this build");
    return;
  }
  std::string text;
  for (int i = 0; i < 400'000; ++i) text += std::to_string(i * 7919 % 10007);
  for (const std::string& one : {std::string(), std::string("a"), text}) {
    const auto packed = gzip(one);
    REQUIRE(packed);
    const auto back = gunzip(*packed, "memory", 1u << 30);
    REQUIRE(back);
    CHECK(*back == one);
  }
}
