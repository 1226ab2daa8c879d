#include "cli/report_details.h"

#include <string>

#include "cli/collective_rows.h"
#include "core/model.h"

namespace tpsim::cli {
namespace {

void write_rank(JsonWriter& json, const ShardSpec& spec, int rank) {
  const RankShard& shard = spec.ranks[static_cast<std::size_t>(rank)];
  const int dim = cut_dim(spec.placement);
  std::vector<std::int64_t> offset(static_cast<std::size_t>(spec.shape.rank()), 0);
  if (dim >= 0 && !shard.ranges.empty()) offset[static_cast<std::size_t>(dim)] = shard.ranges.front().begin;
  json.begin_object();
  json.member("rank", rank);
  json.array("offset", offset);
  json.array("shape", shard.shape);
  json.member("bytes", shard.bytes);
  if (shard.ranges.size() > 1) {
    json.key("ranges");
    json.begin_array();
    for (const Range& range : shard.ranges) {
      json.begin_array();
      json.value(range.begin);
      json.value(range.end);
      json.end_array();
    }
    json.end_array();
  }
  json.end_object();
}

void write_parameter(JsonWriter& json, const Model& model, const Analysis& analysis, const ShardSpec& spec,
                     const std::string& name) {
  json.begin_object();
  json.member("param", name);
  json.array("checkpoint_names", checkpoint_names(model, name));
  json.member("rule",
              spec.rule < 0 ? std::string_view() : analysis.rules[static_cast<std::size_t>(spec.rule)].rule.key);
  json.member("strategy", spec.strategy);
  json.array("full_shape", spec.shape);
  json.member("dtype", to_string(spec.dtype));
  json.member("placement", to_string(spec.placement));
  json.key("ranks");
  json.begin_array();
  for (int rank = 0; rank < static_cast<int>(spec.ranks.size()); ++rank) write_rank(json, spec, rank);
  json.end_array();
  json.end_object();
}

void write_collective(JsonWriter& json, std::string_view phase, const CollectiveRow& row) {
  json.begin_object();
  json.member("phase", phase);
  json.member("op", to_string(row.op));
  json.member("after", row.module);
  json.member("group", row.group);
  json.array("input_shape", row.input_shape);
  json.member("payload_bytes", row.payload_bytes);
  json.member("wire_bytes_per_rank", row.wire_bytes_per_rank);
  json.member("count", row.count);
  json.member("algorithm", row.algorithm);
  json.member("time_us", microseconds(row.time), 3);
  json.member("algbw", row.algbw, 0);
  json.member("busbw", row.busbw, 0);
  json.end_object();
}

void write_operation(JsonWriter& json, std::string_view phase, const OperationRow& row, const Prediction& time) {
  json.begin_object();
  json.member("phase", phase);
  json.member("module", row.module);
  json.member("op", row.name);
  json.member("kind", to_string(row.kind));
  json.member("shape", row.shape);
  json.member("count", row.count);
  json.member("flops", row.flops, 0);
  json.member("bytes", row.bytes);
  json.member("time_us", microseconds(row.time), 3);
  json.member("bound", to_string(row.bound));
  json.member("source", to_string(time.source));
  json.end_object();
}

}  // namespace

void write_shards(JsonWriter& json, const Model& model, const Analysis& analysis) {
  json.begin_array();
  for (const ShardSpec& spec : analysis.shards)
    for (const auto& name : names(spec)) write_parameter(json, model, analysis, spec, name);
  json.end_array();
}

void write_events(JsonWriter& json, const std::vector<CollectiveEvent>& events) {
  json.begin_array();
  for (const CollectiveEvent& event : events) {
    json.begin_object();
    json.member("op", to_string(event.op));
    json.member("module", event.module);
    json.array("input_shape", event.input_shape);
    json.member("numel", event.numel);
    json.member("dtype", to_string(event.dtype));
    json.member("group", event.group);
    json.member("payload_bytes", event.payload_bytes);
    json.member("wire_bytes_per_rank", event.wire_bytes_per_rank);
    if (event.data_dependent) json.member("data_dependent", true);
    json.end_object();
  }
  json.end_array();
}

void write_train(JsonWriter& json, const Analysis& analysis) {
  json.begin_object();
  json.key("forward");
  write_events(json, events(analysis, EventList::train_forward));
  json.key("backward");
  write_events(json, events(analysis, EventList::backward));
  json.end_object();
}

void write_comm(JsonWriter& json, const SizeResult& result) {
  json.begin_array();
  for (const auto* phase : {&result.prefill, &result.decode}) {
    if (!*phase) continue;
    const std::string_view name = phase == &result.prefill ? "prefill" : "decode";
    for (const auto& row : collective_rows((*phase)->analysis, (*phase)->time)) write_collective(json, name, row);
  }
  json.end_array();
}

void write_ops(JsonWriter& json, const SizeResult& result) {
  json.begin_array();
  for (const auto* phase : {&result.prefill, &result.decode}) {
    if (!*phase) continue;
    const std::string_view name = phase == &result.prefill ? "prefill" : "decode";
    for (const auto& row : operation_rows((*phase)->analysis, (*phase)->time)) {
      write_operation(json, name, row, (*phase)->time);
    }
  }
  json.end_array();
}

}  // namespace tpsim::cli
