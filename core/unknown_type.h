// What a model of a type that nobody described may be: a described family that its config names, held against the
// config's fields and, where there are headers, against the checkpoint's names and shapes.
#pragma once

#include <optional>
#include <string>

#include "core/config.h"
#include "core/dialect.h"
#include "core/model.h"
#include "core/result.h"
#include "core/safetensors.h"

namespace tpsim {

struct FamilyGuess {
  std::string model_type;      // described
  std::string because;         // "architectures: LlamaForCausalLM"
  std::optional<Model> model;  // none: the config lacks what the family needs
  std::string lacking;         // then: "num_attention_heads"
};

// The family that class names of the config, or the beginning of its model type, stand for.
std::optional<FamilyGuess> guess_family(const Config& config, const Dialect& dialect);

// The refusal of a config whose type is not described: the guess with the command to try it, or how to go on.
Error unknown_type_error(const Config& config, const Dialect& dialect);

// "all 291 names agree, and all 291 shapes", or the first that do not.
std::string agreement(const Model& model, const Checkpoint& checkpoint);

}  // namespace tpsim
