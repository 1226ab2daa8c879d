// The configurations of public models that tpsim carries: plans/<model_type>/configs.json.
//   { "meta-llama/Llama-2-7b-hf": { "source": "...", "aliases": ["llama-2-7b"], "config": { "model_type": "llama", ...
//   } } }
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/value.h"

namespace tpsim {

struct KnownModel {
  std::string id;                    // "meta-llama/Llama-2-7b-hf"
  std::string source;                // where the figures were read
  std::vector<std::string> aliases;  // further names, with or without an organisation
  Value config;                      // as in config.json, only what differs from the class's defaults
  std::string data;                  // the data file
};

// One file. Errors: not of the form above.
Result<std::vector<KnownModel>> parse_known_models(std::string_view text, const std::string& file);

// All files, sorted by id. Errors: those of a file, and an id that stands in two files.
Result<std::vector<KnownModel>> read_known_models();

// By id or alias, with or without the organisation, letter case aside; or by the start of exactly one name, cut at a
// '-'. Errors name the candidates or the nearest ids.
Result<KnownModel> find_known_model(std::string_view name);

}  // namespace tpsim
