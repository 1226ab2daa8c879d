// A short look before sleeping: waking a thread costs more than what ranks and their threads mostly wait for.
#pragma once

#include <chrono>

namespace tpsim::exec {

// Whether done() becomes true within some ten microseconds.
template <class F>
bool soon(F done) {
  constexpr auto kPatience = std::chrono::microseconds(40);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  do {
    for (int i = 0; i < 32; ++i)
      if (done()) return true;
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace tpsim::exec
