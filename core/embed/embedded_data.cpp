#include "core/embed/embedded_data.h"

#include <cstdint>

namespace {

struct IndexEntry {
  std::uint32_t begin;  // of the path, in tpsim_embedded_data; the text follows it
  std::uint32_t path_size;
  std::uint32_t text_size;
};

}  // namespace

extern "C" {
extern const std::uint32_t tpsim_embedded_count;
extern const IndexEntry tpsim_embedded_index[];
extern const char tpsim_embedded_data[];
}

namespace tpsim {

std::size_t embedded_count() { return tpsim_embedded_count; }

EmbeddedFile embedded_file(std::size_t index) {
  const IndexEntry& entry = tpsim_embedded_index[index];
  const char* path = tpsim_embedded_data + entry.begin;
  return {{path, entry.path_size}, {path + entry.path_size, entry.text_size}};
}

std::size_t embedded_lower_bound(std::string_view path) {
  std::size_t low = 0;
  std::size_t high = embedded_count();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (embedded_file(middle).path < path) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::optional<EmbeddedFile> find_embedded(std::string_view path) {
  const std::size_t index = embedded_lower_bound(path);
  if (index == embedded_count() || embedded_file(index).path != path) return std::nullopt;
  return embedded_file(index);
}

}  // namespace tpsim
