// "Did you mean": near names by edit distance.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

// At most `count` of `candidates`, nearest first, only those close enough to be meant (distance at most a third of the
// length, or one contains the other, letter case and punctuation aside).
std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates,
                                 std::size_t count = 3);

}  // namespace tpsim
