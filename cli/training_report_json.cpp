#include "cli/messages.h"
#include "cli/report.h"
#include "cli/training_report.h"
#include "cli/valid_text.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

void write_setup(JsonWriter& json, const TrainingReport& report) {
  const TrainingSetup& s = report.setup;
  json.key("training");
  json.begin_object();
  json.member("micro_batches", s.micro_batches);
  json.member("tokens_per_step", report.tokens_per_step());
  json.member("recompute", to_string(s.saved.recompute));
  json.member("sequence_parallel", report.sequence_parallel);
  json.member("parallel_loss", report.parallel_loss);
  json.member("data_parallel", s.data_parallel);
  json.member("pipeline", s.pipeline);
  json.member("virtual_stages", s.virtual_stages);
  json.member("zero", static_cast<int>(s.zero));
  json.member("gradient_dtype", to_string(s.gradients));
  json.member("optimizer_dtype", to_string(s.optimizer));
  json.end_object();
}

void write_memory(JsonWriter& json, const TrainingResult& r) {
  const TrainingFit& m = r.memory;
  json.key("memory");
  json.begin_object();
  json.member("capacity_bytes", m.capacity);
  json.member("total_bytes", m.total);
  json.member("stage", r.stage);
  json.member("weights_bytes", m.parts.weights);
  json.member("gradient_bytes", m.parts.gradients);
  json.member("optimizer_bytes", m.parts.optimizer);
  json.member("activation_bytes", m.parts.activations);
  json.member("logits_bytes", m.parts.logits);
  json.member("layer_workspace_bytes", m.parts.layer);
  json.member("gathered_bytes", m.parts.gathered);
  json.member("allocated_bytes", m.parts.total());
  json.member("allocator_bytes", m.allocator);
  json.member("runtime_bytes", m.runtime);
  json.end_object();
}

void write_stages(JsonWriter& json, const TrainingPrediction& p) {
  json.key("stages");
  json.begin_array();
  for (const StageTime& stage : p.stages) {
    json.begin_object();
    json.member("forward_us", microseconds(stage.forward), 3);
    json.member("backward_us", microseconds(stage.backward), 3);
    json.member("communication_us", microseconds(stage.communication), 3);
    json.member("send_us", microseconds(stage.send), 3);
    json.member("kernels", stage.kernels);
    json.end_object();
  }
  json.end_array();
}

void write_time(JsonWriter& json, const TrainingResult& r, std::int64_t tokens) {
  json.key("time");
  if (!r.time) return json.null();
  const TrainingPrediction& p = *r.time;
  json.begin_object();
  json.member("step_us", microseconds(p.step), 3);
  json.member("low_us", microseconds(p.low), 3);
  json.member("high_us", microseconds(p.high), 3);
  json.member("tokens_per_s", r.tokens_per_s, 3);
  json.member("tokens_per_s_per_device", r.tokens_per_s / r.devices, 3);
  json.member("tokens", tokens);
  json.member("mfu", r.mfu, 4);
  json.member("comm_share", r.comm_share, 4);
  json.member("speedup", r.speedup, 4);
  json.member("efficiency", r.efficiency, 4);
  json.member("layer_forward_us", microseconds(p.layer_forward), 3);
  json.member("layer_backward_us", microseconds(p.layer_backward), 3);
  json.member("bubble_us", microseconds(p.bubble), 3);
  json.member("gradient_reduction_us", microseconds(p.gradients), 3);
  json.member("optimizer_us", microseconds(p.optimizer), 3);
  json.member("source", to_string(p.source));
  write_stages(json, p);
  json.end_object();
}

void write_result(JsonWriter& json, const TrainingReport& report, const TrainingResult& r) {
  json.begin_object();
  json.member("tp", r.tp);
  json.member("ep", report.scenario.ep);
  json.member("devices", r.devices);
  json.member("valid", r.right());
  json.member("verdict", to_string(r.forward.verdict));
  json.array("verdict_reasons", r.forward.verdict_reasons);
  json.member("fits", r.memory.fits);
  write_memory(json, r);
  write_time(json, r, report.tokens_per_step());
  json.end_object();
}

}  // namespace

void write_training(JsonWriter& json, const TrainingReport& report) {
  json.begin_object();
  json.member("schema", "tpsim.training/1");
  json.key("tool");
  json.begin_object();
  json.member("name", "tpsim");
  json.member("version", kVersion);
  json.end_object();
  write_inputs(json, report.scenario, report.shown());
  write_workload(json, report.scenario);
  write_setup(json, report);
  write_model(json, report.scenario, report.shown().parameter_count, layer_groups(report.scenario.model()));
  write_valid_sizes(json, report.valid);
  write_assumptions(json, report.scenario.assumptions);
  json.key("results");
  json.begin_array();
  for (const TrainingResult& result : report.results) write_result(json, report, result);
  json.end_array();
  json.key("problems");
  write_problems(json, report.problems);
  json.end_object();
}

}  // namespace tpsim::cli
