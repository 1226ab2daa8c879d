// The data files compiled into the binary (embed.cmake), sorted by path. Costs nothing until asked.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tpsim {

struct EmbeddedFile {
  std::string_view path;
  std::string_view text;
};

std::size_t embedded_count();
EmbeddedFile embedded_file(std::size_t index);
std::optional<EmbeddedFile> find_embedded(std::string_view path);

// Index of the first file whose path is not before `path`.
std::size_t embedded_lower_bound(std::string_view path);

}  // namespace tpsim
