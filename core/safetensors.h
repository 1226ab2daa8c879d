// Names, dtypes and shapes of a checkpoint from its headers; no weights are read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/shape.h"

namespace tpsim {

struct SafetensorsLimits {
  std::int64_t header_bytes = 100'000'000;  // the reference reader's limit
  std::int64_t tensors = 4'000'000;
};

struct CheckpointTensor {
  std::string name;
  std::string dtype;  // as written: "BF16"
  Shape shape;
  std::int64_t bytes = 0;  // data_offsets' extent
  std::int64_t begin = 0;  // in the file, from its start
  int file = 0;            // index into Checkpoint::files
};

struct Checkpoint {
  std::vector<std::string> files;          // paths as given, in order of the index
  std::vector<CheckpointTensor> tensors;   // sorted by name
  std::int64_t total_size = 0;             // sum of tensor bytes
  std::int64_t declared_total_size = -1;   // metadata.total_size of the index, -1 where absent
  std::vector<std::string> missing_files;  // named by the index but not there: then their tensors have no shape
  std::vector<std::string> names_only;     // tensors whose file is missing or a Git LFS pointer
  std::map<std::string, std::string> metadata;
};

// One *.safetensors file. Errors (each with file, rule, values, fix): LFS pointer, cut off, header length over the
// limit or the file, header not JSON, offsets that do not fit dtype and shape, overlap, hole, duplicate names, unknown
// dtype, more than 8 dims.
Result<Checkpoint> read_safetensors(const std::string& path, const SafetensorsLimits& limits = {});
// model.safetensors.index.json with the shards beside it. Missing shards are not an error; a tensor listed for a shard
// that does not hold it is.
Result<Checkpoint> read_safetensors_index(const std::string& path, const SafetensorsLimits& limits = {});

}  // namespace tpsim
