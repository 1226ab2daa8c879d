// Places in a text file and errors that show them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/diagnostic.h"
#include "core/result.h"
#include "core/utf8.h"

namespace tpsim {

// A stretch of a text, in bytes from its start.
struct Span {
  std::size_t offset = 0;
  std::size_t length = 1;
};

// Line and column (in characters) of a byte offset.
SourcePosition locate(std::string_view text, const std::string& file, std::size_t offset);
// "plan.json:6:38", or the file alone without a line.
std::string to_string(const SourcePosition& position);
// The last part of a path.
std::string base_name(std::string_view path);

// An input error at a place, with the line and carets under the span; `note` stands behind the carets, and the line
// before is shown with it:
//   16 |   "hidden_size": 8192
//   17 |   "num_hidden_layers": 80,
//      |   ^ a comma is missing at the end of line 16
// Long lines are cut around the span.
Error error_at(std::string_view text, const std::string& file, Span span, std::string message,
               std::string_view note = {});

}  // namespace tpsim
