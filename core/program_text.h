// Cutting the text of a forward statement into its parts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

std::string_view trimmed(std::string_view text);
// Where `sign` stands outside brackets and strings; npos if nowhere. "=" is not found inside "==", "<=", ">=" or "!=".
std::size_t find_outside(std::string_view text, char sign);
std::vector<std::string> words_between_commas(std::string_view text);

}  // namespace tpsim
