// A model's config.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/value.h"

namespace tpsim {

struct Config {
  std::string file;                        // for messages
  std::string model_type;                  // of the text model: "llama", "gemma3_text"
  std::string outer_model_type;            // of the file, where the text model is nested ("gemma3"); else = model_type
  std::string nested_in;                   // "text_config" where the fields come from there, else ""
  std::vector<std::string> architectures;  // as written ("LlamaForCausalLM"), of the file
  std::string dtype;   // "bfloat16" from dtype or torch_dtype (inner first, then outer), "" if absent
  ValueObject fields;  // of the text model, as written

  const Value* find(std::string_view field) const;
};

// Reads config.json text. A composite config (text_config, or llm_config, language_config, ... as seen in public files)
// yields its language model. `set` (as for set_field) is applied before the model type is looked for. Errors: not JSON,
// not an object, no model_type and none that `architectures` implies.
Result<Config> read_config(std::string_view text, const std::string& file, const std::vector<std::string>& set = {});

// "key=value" with a JSON value or bare text, as --set takes it; "rope_scaling.factor=8" reaches inside. Replaces or
// adds.
Result<void> set_field(Config& config, std::string_view assignment);

}  // namespace tpsim
