// An n-dimensional grid of ranks with named dimensions, as torch.distributed's DeviceMesh: row-major, last dimension
// fastest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tpsim {

inline constexpr int kMaxMeshRanks = 65536;
inline constexpr int kMaxMeshDims = 8;

struct DeviceMesh {
  std::vector<int> sizes;
  std::vector<std::string> names;  // one per dimension: "dp", "tp"

  int dims() const { return static_cast<int>(sizes.size()); }
  int size(int dim) const { return sizes[static_cast<std::size_t>(dim)]; }
  int ranks() const;
  // Position of a rank in each dimension; the inverse. 2x4: rank 6 <-> {1, 2}.
  std::vector<int> coordinate(int rank) const;
  int rank(const std::vector<int>& coordinate) const;
  std::optional<int> find_dim(std::string_view name) const;
  bool operator==(const DeviceMesh&) const = default;
};

// Dimensions without a name are called dim0, dim1, ... Errors: no dimension, a size below 1, more than kMaxMeshRanks
// ranks or kMaxMeshDims dimensions, names that are empty or repeated.
Result<DeviceMesh> make_mesh(std::vector<int> sizes, std::vector<std::string> names = {});
// "4", "2x4" or "dp=2,tp=4".
Result<DeviceMesh> parse_mesh(std::string_view text);
std::string to_string(const DeviceMesh& mesh);  // "2x4", or "dp=2,tp=4" where the dimensions have names of their own

// The ranks that share `rank`'s position in every dimension but the named ones, in row-major order of the names as
// given: mesh["dp", "tp"] of torch. Errors: unknown or repeated names.
Result<std::vector<int>> submesh(const DeviceMesh& mesh, const std::vector<std::string>& names, int rank);
// All groups of ranks that differ in one dimension only, ordered by their first rank. 2x4: along dim 0 {0, 4}, {1, 5},
// ...
std::vector<std::vector<int>> groups_along(const DeviceMesh& mesh, int dim);

}  // namespace tpsim
