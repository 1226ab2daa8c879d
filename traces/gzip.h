// gzip files, where the build has zlib.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.h"

namespace tpsim {

bool is_gzip(std::string_view bytes);
// Errors: no zlib in this build, damaged, more than `limit` bytes.
Result<std::string> gunzip(std::string_view bytes, const std::string& file, std::size_t limit);

// The same of files whose end is missing: what there is of them. Errors: as above, but for the missing end.
struct Unpacked {
  std::string text;
  bool cut_off = false;
};
Result<Unpacked> gunzip_part(std::string_view bytes, const std::string& file, std::size_t limit);
// The same bytes for the same text: no name, no time. Errors: no zlib in this build.
Result<std::string> gzip(std::string_view text);

}  // namespace tpsim
