// Prompts in chunks and generated tokens, as tables and JSON.
#pragma once

#include <vector>

#include "cli/document.h"
#include "cli/json_writer.h"
#include "cli/report.h"

namespace tpsim::cli {

// Columns of the report's table for programs, and their cells.
void add_generation_columns(Table& table);
void add_generation(Row& row, const SizeResult& result);

// For people, beside the report's own table; only of what the scenario asks for.
std::vector<NamedTable> passes_tables(const Report& report, Units units);

// Members "chunks" and "generation" of a size's times.
void write_passes(JsonWriter& json, const Scenario& scenario, const SizeResult& result);
// Every chunk.
void write_chunks(JsonWriter& json, const std::vector<ChunkResult>& chunks);

// "generation of 512 tokens 9.1 s: the first after 1.17 s, 17.2 ms each, 451 tok/s"
std::string generation_text(const Scenario& scenario, const Generation& generation);
// "4 chunks of 512 tokens"
std::string chunks_text(const Scenario& scenario);

}  // namespace tpsim::cli
