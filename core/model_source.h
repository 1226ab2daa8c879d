// What `-m` names: a built-in configuration, a config.json, a model folder, a Hugging Face cache folder, a checkpoint,
// stdin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "core/safetensors.h"

namespace tpsim {

struct ModelSource {
  std::string id;                        // short name for headers: "Llama-3.1-70B", the folder's or file's name
  std::string origin;                    // "built-in config", the path read, "standard input"
  std::string text;                      // the config text as read
  std::optional<Config> config;          // none where only a checkpoint was given and no config.json lies beside it
  std::optional<Checkpoint> checkpoint;  // headers found in the folder (or given), if any
};

struct ModelSourceOptions {
  std::vector<std::string> set;  // --set key=value
  SafetensorsLimits limits;
};

// `argument`: ID | config.json | DIR | *.safetensors | *.safetensors.index.json | "-". An id is matched without regard
// to case, with or without its organisation ("llama-3.1-70b"); an ambiguous or unknown one names the nearest. Never
// uses the network. Hugging Face cache folders (models--org--name with refs/ and snapshots/) resolve to the snapshot of
// refs/main.
Result<ModelSource> open_model(std::string_view argument, const ModelSourceOptions& options = {});

// The text of a config that comes from no file; `name` stands for it in headers and errors.
Result<ModelSource> model_of_text(std::string text, const std::string& name, const ModelSourceOptions& options = {});

struct KnownConfig {
  std::string id;  // "meta-llama/Llama-3.1-70B"
  std::string model_type;
  std::string source;  // where the figures come from
};
std::vector<KnownConfig> known_configs();  // sorted by id

}  // namespace tpsim
