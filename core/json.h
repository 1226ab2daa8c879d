// JSON text to Value with limits and clear errors. The only place where the json library parses untrusted text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/value.h"

namespace tpsim {

struct JsonLimits {
  int depth = 64;
  std::size_t bytes = 256u << 20;
  std::size_t values = 8'000'000;  // bounds memory: a value of two characters takes 40 bytes
};

// Errors name `file:line:column`, show the line with a caret, and say what was expected. Also refused: duplicate keys
// (with both places), nesting over the limit, text over the limit, invalid UTF-8, trailing text; NaN and Infinity as
// Python writes them are read (Transformers' configs contain them). Integers beyond 64 bits become doubles.
Result<Value> parse_json(std::string_view text, const std::string& file, const JsonLimits& limits = {});

}  // namespace tpsim
