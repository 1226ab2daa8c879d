#include "cli/passes_output.h"
#include "cli/report.h"
#include "cli/report_details.h"
#include "cli/sha256.h"
#include "cli/valid_text.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

void write_memory(JsonWriter& json, const SizeResult& result) {
  const MemoryFit& m = result.memory;
  const int heaviest = heaviest_rank(result.forward);
  json.begin_object();
  json.member("capacity_bytes", m.capacity);
  json.member("total_bytes", m.total);
  json.member("weights_bytes", m.weights);
  const auto rank = static_cast<std::size_t>(heaviest);
  json.member("weights_replicated_bytes", rank < result.ranks.size() ? result.ranks[rank].weights_replicated : 0);
  json.member("kv_bytes", m.kv_cache);
  json.member("activation_bytes", m.activations);
  json.member("communication_bytes", m.communication);
  json.member("runtime_bytes", m.runtime);
  json.member("heaviest_rank", heaviest);
  json.key("per_rank");
  json.begin_array();
  for (const RankMemory& rank_memory : result.ranks) {
    json.begin_object();
    json.member("weights_bytes", rank_memory.weights);
    json.member("kv_bytes", rank_memory.kv_cache);
    json.member("activation_bytes", rank_memory.activations);
    json.end_object();
  }
  json.end_array();
  json.member("max_kv_tokens", m.max_kv_tokens);
  json.end_object();
}

void write_prefill(JsonWriter& json, const PhaseResult& p) {
  json.member("prefill_us", microseconds(p.time.total), 3);
  json.member("prefill_low_us", microseconds(p.time.low), 3);
  json.member("prefill_high_us", microseconds(p.time.high), 3);
  json.member("prefill_comm_share", p.comm_share, 4);
  json.member("prefill_speedup", p.speedup, 4);
  json.member("prefill_efficiency", p.efficiency, 4);
}

// Names without a phase are those of the decode step.
void write_decode(JsonWriter& json, const Scenario& scenario, const PhaseResult& d) {
  json.member("decode_us", microseconds(d.time.total), 3);
  json.member("tokens_per_s", tokens_per_second(scenario, d), 3);
  json.member("comm_share", d.comm_share, 4);
  json.member("speedup", d.speedup, 4);
  json.member("efficiency", d.efficiency, 4);
  json.member("low_us", microseconds(d.time.low), 3);
  json.member("high_us", microseconds(d.time.high), 3);
}

void write_time(JsonWriter& json, const Scenario& scenario, const SizeResult& result) {
  if (!result.prefill && !result.decode) return json.null();
  json.begin_object();
  if (result.prefill) write_prefill(json, *result.prefill);
  if (result.decode) write_decode(json, scenario, *result.decode);
  write_passes(json, scenario, result);
  json.member("source", to_string((result.decode ? result.decode : result.prefill)->time.source));
  json.end_object();
}

void write_large_parts(JsonWriter& json, const Model& model, const SizeResult& result, const Details& details) {
  if (details.chunks && !result.chunks.empty()) {
    json.key("chunks");
    write_chunks(json, result.chunks);
  }
  if (details.ops) {
    json.key("ops");
    write_ops(json, result);
  }
  if (details.shards) {
    json.key("shards");
    write_shards(json, model, result.forward);
  }
  if (!details.events) return;
  json.key("events");
  write_events(json, events(result.forward));
  json.key("train");
  write_train(json, result.forward);
}

void write_result(JsonWriter& json, const Report& report, const SizeResult& result, const Details& details) {
  json.begin_object();
  json.member("tp", result.tp);
  json.member("ep", report.scenario.ep);
  json.member("valid", result.right());
  json.member("verdict", to_string(result.forward.verdict));
  json.array("verdict_reasons", result.forward.verdict_reasons);
  json.member("fits", result.memory.fits);
  json.key("memory");
  write_memory(json, result);
  json.key("time");
  write_time(json, report.scenario, result);
  json.key("comm");
  write_comm(json, result);
  write_large_parts(json, report.scenario.model(), result, details);
  json.end_object();
}

}  // namespace

void write_inputs(JsonWriter& json, const Scenario& s, const Analysis& analysis) {
  json.key("inputs");
  json.begin_object();
  json.key("model");
  json.begin_object();
  json.member("id", s.input.source.id);
  json.member("source", s.input.source.origin);
  json.member("sha256", sha256_hex(s.input.source.text));
  json.end_object();
  json.key("plan");
  json.begin_object();
  json.member("id", analysis.plan_name);
  json.member("source", analysis.plan_source);
  json.member("dialect", to_string(s.dialect));
  if (!s.plan.file.empty()) json.member("sha256", sha256_hex(s.plan.text));
  json.end_object();
  json.key("hardware");
  json.begin_object();
  json.member("name", s.hardware.name);
  json.member("title", s.hardware.title);
  json.member("source", s.hardware.origin);
  json.member("memory_bytes", s.hardware.memory.value);
  json.member("devices_per_node", s.hardware.devices_per_node);
  json.end_object();
  json.end_object();
}

void write_workload(JsonWriter& json, const Scenario& s) {
  json.key("workload");
  json.begin_object();
  json.member("phase", to_string(s.phase));
  json.member("batch", s.batch);
  json.member("prompt_tokens", s.prompt);
  json.member("context_tokens", s.context);
  if (s.generate > 0) json.member("generated_tokens", s.generate);
  if (s.chunk > 0) json.member("chunk_tokens", s.chunk);
  json.member("weight_dtype", to_string(s.weights));
  json.member("kv_dtype", to_string(s.kv_cache));
  json.end_object();
}

void write_model_figures(JsonWriter& json, const Model& m, std::int64_t parameters) {
  json.member("model_type", m.model_type);
  json.member("class", m.class_name);
  json.member("params", parameters);
  json.member("layers", m.layers);
  json.member("hidden", m.hidden_size);
  json.member("q_heads", m.query_heads);
  json.member("kv_heads", m.kv_heads);
  json.member("head_dim", m.head_dim);
  json.member("vocabulary", m.vocab_size);
  json.member("experts", m.experts);
}

void write_model(JsonWriter& json, const Scenario& s, std::int64_t parameters, const std::vector<LayerGroup>& layers) {
  json.key("model");
  json.begin_object();
  write_model_figures(json, s.model(), parameters);
  json.key("layer_groups");
  json.begin_array();
  for (const LayerGroup& group : layers) {
    json.begin_object();
    json.member("count", group.count);
    json.member("signature", group.signature);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_assumptions(JsonWriter& json, const std::vector<Assumption>& assumptions) {
  json.key("assumptions");
  json.begin_array();
  for (const Assumption& assumption : assumptions) {
    json.begin_object();
    json.member("name", assumption.name);
    json.member("value", assumption.value);
    json.member("set_by", assumption.set_by);
    json.end_object();
  }
  json.end_array();
}

void write_report(JsonWriter& json, const Report& report, const Details& details) {
  const Analysis& any = report.shown();
  json.begin_object();
  json.member("schema", "tpsim.report/1");
  json.key("tool");
  json.begin_object();
  json.member("name", "tpsim");
  json.member("version", kVersion);
  json.end_object();
  write_inputs(json, report.scenario, any);
  write_workload(json, report.scenario);
  write_model(json, report.scenario, any.parameter_count, report.layers);
  write_valid_sizes(json, report.valid);
  write_assumptions(json, report.scenario.assumptions);
  json.key("results");
  json.begin_array();
  for (const SizeResult& result : report.results) write_result(json, report, result, details);
  json.end_array();
  json.key("problems");
  write_problems(json, report.problems);
  json.key("provenance");
  json.null();
  json.end_object();
}

}  // namespace tpsim::cli
