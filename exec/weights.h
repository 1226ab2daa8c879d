// Where the ranks' parameters come from: a checkpoint, of which each rank reads its own part, or numbers drawn from a
// seed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/model.h"
#include "core/result.h"
#include "core/safetensors.h"

namespace tpsim::exec {

// What one rank needs of one parameter or buffer.
struct ParameterPiece {
  std::string name;  // of the module, ties resolved
  Shape global;
  int dim = -1;               // -1: all of it
  std::vector<Range> ranges;  // of that dimension, in the order in which they lie on the rank
  double factor = 1;          // strategies that divide what they load
  Shape local() const;
};

class Weights {
public:
  virtual ~Weights() = default;
  // May be called from several threads. Errors: absent, another shape than the model needs, a number that is none.
  virtual Result<std::vector<float>> read(const ParameterPiece& piece) const = 0;
};

// `checkpoint`: headers as core reads them. The model must outlive the weights.
Result<std::unique_ptr<Weights>> open_weights(const Model& model, const Checkpoint& checkpoint);

// The same numbers for every number of ranks. Matrices are scaled so that activations keep their size, norms lie around
// 1 and biases around 0, so that an error anywhere shows in the output.
std::unique_ptr<Weights> seeded_weights(std::uint64_t seed);

// Whether it is a parameter of the model, not a buffer.
bool has_shard(const Analysis& analysis, const std::string& name);

// What `rank` holds of the parameter with this concrete name under the plan of the analysis.
Result<ParameterPiece> piece_of(const Model& model, const Analysis& analysis, const std::string& name, int rank);

}  // namespace tpsim::exec
