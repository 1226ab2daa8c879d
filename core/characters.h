// Questions about ASCII characters, independent of the locale.
#pragma once

#include <string>
#include <string_view>

namespace tpsim {

std::string lower(std::string_view text);
bool all_digits(std::string_view text);  // false for ""

}  // namespace tpsim
