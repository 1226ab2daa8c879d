// Valid sizes as text and as members of a JSON document.
#pragma once

#include <string>
#include <vector>

#include "cli/json_writer.h"
#include "core/valid_sizes.h"

namespace tpsim::cli {

// "1 2 4 8 (TP 16: 8 key/value heads cannot be split over 16 ranks)", "none up to 16"
std::string sizes_text(const ValidSizes& sizes, int up_to);
// "with ep 2: tp 1 2; with ep 4: tp 1 2 4", "" without experts
std::string pairs_text(const ValidSizes& sizes);
// "valid_tp", "valid_tp_limit", "valid_tp_ep"
void write_valid_sizes(JsonWriter& json, const ValidSizes& sizes);

}  // namespace tpsim::cli
