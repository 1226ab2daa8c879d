// UTF-8: finding what is not, writing one character.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tpsim {

// Offset of the first byte that is not part of a valid UTF-8 character (overlong forms and surrogates are not).
std::optional<std::size_t> find_invalid_utf8(std::string_view text);
// Appends a code point up to U+10FFFF.
void append_utf8(std::string& text, char32_t code_point);

}  // namespace tpsim
