// torch.distributed.tensor.parallel's styles as they stand in a plan's text:
// ColwiseParallel(output_layouts=Replicate()).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tpsim {

// The strategy that does the same, or why there is none.
struct TorchStyle {
  std::string strategy;
  std::string refusal;  // "ColwiseParallel with output_layouts=Shard(1): ..."
};

// `call` is the text of a call, `key` the module's name. nullopt: no style of torch's.
//   ColwiseParallel()                             colwise
//   ColwiseParallel(output_layouts=Replicate())   colwise_gather_output; embedding_colwise for tables
//   RowwiseParallel()                             rowwise
//   RowwiseParallel(input_layouts=Replicate())    rowwise_split_input; embedding_rowwise for tables
// A table is what is called so ("embed", "wte"). Torch keeps the sequence cut between blocks under SequenceParallel,
// PrepareModuleInput and Shard(1); Transformers' sequence_parallel does not, so these have no equivalent.
std::optional<TorchStyle> read_torch_style(std::string_view call, std::string_view key);

}  // namespace tpsim
