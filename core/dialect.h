// A dialect is the behaviour of one Transformers release: `--dialect transformers-5.23`.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "core/result.h"

namespace tpsim {

// How plans are carried out (reference: the four rewrites of Transformers' tensor parallelism).
enum class Generation {
  dtensor_modules,  // 4.47 - 4.49: torch's parallelize_module
  dtensor_hooks,    // 4.50 - 5.0: own classes, inputs and outputs wrapped as DTensor by hooks
  plain_hooks,      // 5.1 - 5.15: plain tensor shards, autograd functions in hooks
  dtensor_forward,  // 5.16 on: DTensor parameters, module.forward replaced
};

struct Dialect {
  int major = 5;
  int minor = 23;
  int patch = 0;
  bool extensions = false;  // tpsim's own strategies as well: "transformers-5.23+tpsim"

  auto operator<=>(const Dialect&) const = default;
  bool at_least(int other_major, int other_minor) const {
    return major != other_major ? major > other_major : minor >= other_minor;
  }
  bool below(int other_major, int other_minor) const { return !at_least(other_major, other_minor); }
  Generation generation() const;
  // Number used by `transformers >= version(5, 0)` in architecture files: 5.23 -> 5023.
  int number() const { return major * 1000 + minor; }
};

inline constexpr Dialect kNewestDialect{5, 23, 0};
inline constexpr Dialect kOldestDialect{4, 47, 0};

// "transformers-5.15", "5.15.1", "latest", each also with "+tpsim". Errors: form, or outside 4.47 .. 5.23.
Result<Dialect> parse_dialect(std::string_view text);
std::string to_string(const Dialect& dialect);  // "transformers-5.15" or with the patch number if not 0

}  // namespace tpsim
