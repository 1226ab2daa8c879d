#include "core/mesh.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/checked.h"

namespace tpsim {
namespace {

std::string default_name(std::size_t dim) { return "dim" + std::to_string(dim); }

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<int> parse_size(std::string_view text) {
  int size = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return size;
}

std::optional<Error> size_fault(const std::vector<int>& sizes) {
  if (sizes.empty()) return usage_error("a mesh needs at least one dimension");
  if (sizes.size() > std::size_t{kMaxMeshDims})
    return usage_error("a mesh of " + std::to_string(sizes.size()) + " dimensions; at most " +
                       std::to_string(kMaxMeshDims) + " are supported");
  std::int64_t ranks = 1;
  for (int size : sizes) {
    if (size < 1) return usage_error("a mesh dimension of size " + std::to_string(size) + "; the smallest is 1");
    ranks = saturating_mul(ranks, size);
  }
  if (ranks > kMaxMeshRanks) return usage_error("a mesh of more than " + std::to_string(kMaxMeshRanks) + " ranks");
  return std::nullopt;
}

std::optional<Error> name_fault(const std::vector<std::string>& names, std::size_t dims) {
  if (names.size() != dims)
    return usage_error("a mesh of " + std::to_string(dims) + " dimensions with " + std::to_string(names.size()) +
                       " names");
  std::set<std::string> seen;
  for (const auto& name : names) {
    if (name.empty()) return usage_error("a mesh dimension has an empty name");
    if (!seen.insert(name).second) return usage_error("two mesh dimensions are called \"" + name + "\"");
  }
  return std::nullopt;
}

Error not_a_mesh(std::string_view text) {
  Error error = usage_error("\"" + std::string(text) + "\" is not a mesh");
  error.fixes = {"--mesh 4   or   --mesh 2x4   or   --mesh dp=2,tp=4"};
  return error;
}

}  // namespace

int DeviceMesh::ranks() const {
  int count = 1;
  for (int size : sizes) count *= size;
  return count;
}

std::vector<int> DeviceMesh::coordinate(int rank) const {
  std::vector<int> position(sizes.size());
  for (std::size_t i = sizes.size(); i-- > 0;) {
    position[i] = rank % sizes[i];
    rank /= sizes[i];
  }
  return position;
}

int DeviceMesh::rank(const std::vector<int>& coordinate) const {
  int rank = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) rank = rank * sizes[i] + coordinate[i];
  return rank;
}

std::optional<int> DeviceMesh::find_dim(std::string_view name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

Result<DeviceMesh> make_mesh(std::vector<int> sizes, std::vector<std::string> names) {
  if (auto error = size_fault(sizes)) return std::move(*error);
  if (names.empty())
    for (std::size_t i = 0; i < sizes.size(); ++i) names.push_back(default_name(i));
  if (auto error = name_fault(names, sizes.size())) return std::move(*error);
  return DeviceMesh{std::move(sizes), std::move(names)};
}

Result<DeviceMesh> parse_mesh(std::string_view text) {
  const bool named = text.find('=') != std::string_view::npos;
  std::vector<int> sizes;
  std::vector<std::string> names;
  for (auto part : split(text, named ? ',' : 'x')) {
    if (named) {
      const auto equals = part.find('=');
      if (equals == std::string_view::npos) return not_a_mesh(text);
      names.emplace_back(trimmed(part.substr(0, equals)));
      part.remove_prefix(equals + 1);
    }
    const auto size = parse_size(trimmed(part));
    if (!size) return not_a_mesh(text);
    sizes.push_back(*size);
  }
  return make_mesh(std::move(sizes), std::move(names));
}

std::string to_string(const DeviceMesh& mesh) {
  bool named = false;
  for (std::size_t i = 0; i < mesh.names.size(); ++i) named = named || mesh.names[i] != default_name(i);
  std::string text;
  for (std::size_t i = 0; i < mesh.sizes.size(); ++i) {
    if (i > 0) text += named ? ',' : 'x';
    if (named) text += mesh.names[i] + "=";
    text += std::to_string(mesh.sizes[i]);
  }
  return text;
}

Result<std::vector<int>> submesh(const DeviceMesh& mesh, const std::vector<std::string>& names, int rank) {
  std::vector<int> dims;
  for (const auto& name : names) {
    const auto dim = mesh.find_dim(name);
    if (!dim) return usage_error("mesh " + to_string(mesh) + " has no dimension \"" + name + "\"");
    if (std::find(dims.begin(), dims.end(), *dim) != dims.end())
      return usage_error("mesh dimension \"" + name + "\" is named twice");
    dims.push_back(*dim);
  }
  std::vector<std::vector<int>> coordinates = {mesh.coordinate(rank)};
  for (int dim : dims) {
    std::vector<std::vector<int>> next;
    for (auto& coordinate : coordinates)
      for (int i = 0; i < mesh.size(dim); ++i) {
        coordinate[static_cast<std::size_t>(dim)] = i;
        next.push_back(coordinate);
      }
    coordinates = std::move(next);
  }
  std::vector<int> ranks;
  for (const auto& coordinate : coordinates) ranks.push_back(mesh.rank(coordinate));
  return ranks;
}

std::vector<std::vector<int>> groups_along(const DeviceMesh& mesh, int dim) {
  int stride = 1;
  for (int i = mesh.dims() - 1; i > dim; --i) stride *= mesh.size(i);
  std::vector<std::vector<int>> groups;
  for (int first = 0; first < mesh.ranks(); ++first) {
    if (first / stride % mesh.size(dim) != 0) continue;
    std::vector<int> group;
    for (int i = 0; i < mesh.size(dim); ++i) group.push_back(first + i * stride);
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace tpsim
