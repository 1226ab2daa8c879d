// The large parts of report documents.
#pragma once

#include "cli/json_writer.h"
#include "cli/size_result.h"

namespace tpsim::cli {

void write_shards(JsonWriter& json, const Model& model, const Analysis& analysis);
void write_events(JsonWriter& json, const std::vector<CollectiveEvent>& events);
void write_train(JsonWriter& json, const Analysis& analysis);
void write_comm(JsonWriter& json, const SizeResult& result);
void write_ops(JsonWriter& json, const SizeResult& result);

}  // namespace tpsim::cli
