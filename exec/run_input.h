// What a model is run on: token ids from a safetensors file, with the real logits beside them where the file has them,
// or ids from a seed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/shape.h"

namespace tpsim::exec {

struct RunInput {
  Shape ids_shape;  // [batch, tokens]
  std::vector<std::int64_t> ids;
  std::vector<float> logits;  // [batch, tokens, vocabulary] or empty
};

// Tensors "input_ids" (int64 or int32) and "logits". Errors: no ids, not two dimensions, ids that the vocabulary lacks.
Result<RunInput> read_run_input(const std::string& path, std::int64_t vocabulary);
// Every float32 tensor of the file, by name.
Result<std::map<std::string, std::vector<float>>> read_gradients(const std::string& path);
RunInput seeded_input(std::int64_t batch, std::int64_t tokens, std::int64_t vocabulary, std::uint64_t seed);

}  // namespace tpsim::exec
