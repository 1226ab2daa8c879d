#include "cli/stored_run.h"

#include <cmath>

#include "cli/sha256.h"
#include "core/json.h"
#include "core/text_file.h"
#include "sim/fit/object_reader.h"

namespace tpsim::cli {
namespace {

constexpr std::string_view kSchema = "tpsim.run/1";
constexpr std::size_t kMostBytes = 64u << 20;
constexpr double kMostMicroseconds = 1e12;
constexpr double kMostCount = 9007199254740992.0;

class Reader {
public:
  explicit Reader(StoredRun& run) : run_(run) {}

  void read(const Value& document) {
    ObjectReader top(document, "run");
    const std::string dialect = top.text("dialect"), dtype = top.text("dtype");
    run_.tp = static_cast<int>(top.number("tp", 1, kMaxRanks));
    run_.ep = static_cast<int>(top.number("ep", 1, kMaxRanks));
    if (const auto known = parse_dialect(dialect))
      run_.dialect = *known;
    else
      top.fail("\"dialect\" is " + dialect.substr(0, 40) + ", which this tpsim does not know");
    if (const auto known = parse_dtype(dtype))
      run_.dtype = *known;
    else
      top.fail("\"dtype\" is " + dtype.substr(0, 40) + ", which this tpsim does not know");
    if (const Value* numeric = top.member("numeric")) read_numeric(*numeric);
    if (const Value* measurement = top.member("measurement")) read_measurement(*measurement);
    keep(top);
  }

  const std::optional<Error>& error() const { return error_; }

private:
  void keep(const ObjectReader& reader) {
    if (!error_) error_ = reader.error();
  }

  static std::int64_t whole(ObjectReader& reader, const char* name) {
    const double value = reader.number(name, 0, kMostCount);
    if (value != std::floor(value)) reader.fail("\"" + std::string(name) + "\" is not a whole number");
    return static_cast<std::int64_t>(value);
  }

  // "" for null.
  static std::string text_or_null(ObjectReader& reader, const char* name) {
    const Value* value = reader.member(name);
    return value == nullptr || value->is_null() ? std::string() : reader.text(name);
  }

  template <class Each>
  void each(ObjectReader& reader, const char* name, const Each& read) {
    const Value* value = reader.member(name);
    const auto* list = value == nullptr ? nullptr : std::get_if<ValueList>(&value->data);
    if (value != nullptr && list == nullptr) reader.fail("\"" + std::string(name) + "\": expected a list");
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) read((*list)[i], i);
  }

  void read_numeric(const Value& value) {
    ObjectReader numeric(value, "numeric");
    run_.numeric.verdict = numeric.text("verdict");
    run_.numeric.events_as_analysed = numeric.flag("events_as_analysed");
    run_.numeric.band = numeric.number("band", 0, 1e300);
    const Value* error = numeric.member("sharded_vs_unsharded");
    if (error != nullptr && !error->is_null()) {
      ObjectReader sizes(*error, "numeric.sharded_vs_unsharded");
      for (auto [name, target] : {std::pair{"max_abs", &run_.numeric.max_abs}, {"max_rel", &run_.numeric.max_rel}}) {
        const Value* size = sizes.member(name);
        if (size != nullptr && !size->is_null()) *target = sizes.number(name, 0, 1e300);
      }
      keep(sizes);
    }
    keep(numeric);
  }

  void read_measurement(const Value& value) {
    ObjectReader measurement(value, "measurement");
    if (const Value* inputs = measurement.member("inputs")) read_inputs(*inputs);
    if (const Value* provenance = measurement.member("provenance")) {
      ObjectReader reader(*provenance, "measurement.provenance");
      run_.measurement.warmup = static_cast<int>(reader.number("warmup", 0, 1e9));
      run_.measurement.iterations = static_cast<int>(reader.number("iterations", 1, 1e9));
      keep(reader);
    }
    each(measurement, "passes", [&](const Value& pass, std::size_t i) {
      run_.measurement.passes.push_back(pass_in(pass, "measurement.passes[" + std::to_string(i) + "]"));
    });
    if (run_.measurement.passes.empty()) measurement.fail("\"passes\" is empty");
    keep(measurement);
  }

  void read_inputs(const Value& value) {
    ObjectReader inputs(value, "measurement.inputs");
    run_.model = inputs.text("model");
    run_.model_sha256 = inputs.text("model_sha256");
    run_.plan = inputs.text("plan");
    run_.plan_sha256 = text_or_null(inputs, "plan_sha256");
    run_.base_plan = inputs.flag("base_plan");
    run_.ep_plan = text_or_null(inputs, "ep_plan");
    run_.strategy_file = text_or_null(inputs, "strategy_file");
    each(inputs, "set", [&](const Value& item, std::size_t) {
      if (const auto* text = std::get_if<std::string>(&item.data))
        run_.set.push_back(*text);
      else
        inputs.fail("\"set\": expected texts");
    });
    keep(inputs);
  }

  Timing timing_in(ObjectReader& parent, const char* name, const std::string& where) {
    Timing timing;
    const Value* value = parent.member(name);
    if (value == nullptr) return timing;
    ObjectReader reader(*value, where + "." + name);
    timing.n = whole(reader, "n");
    timing.median = Seconds(reader.number("median_us", 0, kMostMicroseconds) * 1e-6);
    timing.p10 = Seconds(reader.number("p10_us", 0, kMostMicroseconds) * 1e-6);
    timing.p90 = Seconds(reader.number("p90_us", 0, kMostMicroseconds) * 1e-6);
    timing.cv = reader.number("cv", 0, 1e9);
    if (timing.p10 > timing.median || timing.median > timing.p90) reader.fail("p10, median and p90 are not in order");
    keep(reader);
    return timing;
  }

  PassMeasurement pass_in(const Value& value, const std::string& where) {
    PassMeasurement pass;
    ObjectReader reader(value, where);
    pass.phase = reader.text("phase");
    pass.batch = whole(reader, "batch");
    pass.tokens = whole(reader, "tokens");
    pass.past = whole(reader, "past");
    if (pass.batch < 1 || pass.tokens < 1 || (pass.phase != "prefill" && pass.phase != "decode") ||
        (pass.phase == "decode") != (pass.past > 0))
      reader.fail("phase, batch, tokens and past are not those of a pass");
    pass.total = timing_in(reader, "total", where);
    pass.other = timing_in(reader, "other", where);
    pass.skew = timing_in(reader, "skew", where);
    each(reader, "calls", [&](const Value& call, std::size_t i) {
      pass.calls.push_back(calls_in(call, where + ".calls[" + std::to_string(i) + "]"));
    });
    keep(reader);
    return pass;
  }

  MeasuredCalls calls_in(const Value& value, const std::string& where) {
    MeasuredCalls row;
    ObjectReader reader(value, where);
    row.calls.module = reader.text("module");
    row.calls.name = reader.text("name");
    row.calls.shape = reader.text("shape");
    row.calls.collective = reader.flag("collective");
    row.calls.bytes = whole(reader, "bytes");
    row.calls.count = whole(reader, "count");
    row.each = timing_in(reader, "each", where);
    keep(reader);
    return row;
  }

  StoredRun& run_;
  std::optional<Error> error_;
};

Error of_another(const StoredRun& run, const std::string& what, const std::string& fix) {
  Error error = input_error("the result is of another " + what, run.file);
  error.fixes = {fix};
  return error;
}

Result<void> check_schema(const Value& document, const std::string& file) {
  const auto* object = std::get_if<ValueObject>(&document.data);
  const Value* schema = object == nullptr ? nullptr : find(*object, "schema");
  const auto* name = schema == nullptr ? nullptr : std::get_if<std::string>(&schema->data);
  if (name == nullptr) return input_error("not the result of a run: it has no \"schema\"", file);
  Error error = input_error("", file);
  error.fixes = {"tpsim run -m MODEL --tp N --iters 20 -o run.json"};
  if (*name != kSchema)
    error.message = "schema \"" + name->substr(0, 40) + "\" is not \"" + std::string(kSchema) + "\"";
  else if (find(*object, "measurement") == nullptr)
    error.message = "the run was not measured";
  else
    return {};
  return error;
}

}  // namespace

Result<StoredRun> read_stored_run(const std::string& path) {
  const auto text = read_text_file(path, kMostBytes);
  if (!text) return text.error();
  const auto json = parse_json(*text, path);
  if (!json) return json.error();
  if (auto known = check_schema(*json, path); !known) return known.error();
  StoredRun run;
  run.file = path;
  Reader reader(run);
  reader.read(*json);
  if (!reader.error()) return run;
  Error error = *reader.error();
  error.where = path;
  return error;
}

Result<Options> options_of(const StoredRun& run, const Options& given) {
  Options options = given;
  const bool other_tp = given.tp && (given.tp->valid || given.tp->sizes != std::vector<int>{run.tp});
  if (other_tp) return usage_error("--tp: the result is of TP " + std::to_string(run.tp));
  if (given.dtype && *given.dtype != run.dtype)
    return usage_error(std::string("--dtype: the result is of ") + to_string(run.dtype));
  if (!options.model) options.model = run.model;
  if (options.set.empty()) options.set = run.set;
  if (!options.plan) {
    options.plan = run.plan;
    options.base_plan = run.base_plan;
  }
  if (!options.ep_plan && !run.ep_plan.empty()) options.ep_plan = run.ep_plan;
  if (!options.strategy_file && !run.strategy_file.empty()) options.strategy_file = run.strategy_file;
  options.tp = TpChoice{false, {run.tp}};
  options.ep = run.ep;
  options.dtype = run.dtype;
  options.dialect = run.dialect;
  return options;
}

Result<void> check_same_inputs(const StoredRun& run, const RunSetup& setup) {
  if (sha256_hex(setup.model.source.text) != run.model_sha256)
    return of_another(
        run, "model: the configuration of \"" + run.model + "\" differs from that of " + setup.model.source.origin,
        "-m with the configuration that was run");
  const std::string plan = setup.plan.file.empty() ? std::string() : sha256_hex(setup.plan.text);
  if (plan != run.plan_sha256)
    return of_another(run, "plan: \"" + run.plan + "\" had another text", "-p with the plan that was run");
  return {};
}

}  // namespace tpsim::cli
