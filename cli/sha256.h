// SHA-256 (FIPS 180-4), to identify inputs in documents.
#pragma once

#include <string>
#include <string_view>

namespace tpsim::cli {

std::string sha256_hex(std::string_view text);

}  // namespace tpsim::cli
