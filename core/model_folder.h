// What a folder on disk holds of a model: used by model_source.cpp only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace tpsim {

struct ModelFolder {
  std::string path;                     // after a cache folder is resolved to its snapshot
  std::string name;                     // for headers
  bool has_config = false;              // config.json
  std::string index;                    // path of *.safetensors.index.json, "" if none
  std::vector<std::string> checkpoint;  // without an index: paths of the *.safetensors files that make up the model
  std::vector<std::string> others;      // names of further entries, sorted
};

// Errors: not readable, too many entries, a cache folder without a snapshot.
Result<ModelFolder> inspect_folder(const std::string& path);

// The name of the model that a path belongs to: "Llama-3.1-8B" for hub/models--meta-llama--Llama-3.1-8B/snapshots/abc,
// else the last part of the path.
std::string model_name(const std::string& path);

// Says what an unusable folder holds instead, and what would help.
Error no_model_in(const ModelFolder& folder);

}  // namespace tpsim
