// A model of unknown type from its checkpoint's headers: names and shapes, but no forward pass. Plans resolve,
// parameters are placed and weighed; verdict, collectives, activations and cache stay unknown.
#pragma once

#include <string>
#include <string_view>

#include "core/model.h"
#include "core/result.h"
#include "core/safetensors.h"

namespace tpsim {

// Module kinds are guessed from names and ranks: a 2-D "weight" is a linear layer, an embedding where the name says so,
// a 1-D "weight" a norm. `base`: the first path component that holds the layer list ("model"), as plans of config
// classes are relative to it. Errors: no tensor has a shape (all shards missing), a name that is both a module and a
// tensor.
Result<Model> model_from_checkpoint(const Checkpoint& checkpoint, const std::string& model_type);

// What a parameter most likely is, by the names in common use ("query projection", "MLP down projection"); "" = no
// idea.
std::string_view likely_role(std::string_view parameter_name);

}  // namespace tpsim
