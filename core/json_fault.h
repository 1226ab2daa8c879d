// Why a text is not JSON, in words: used by the reader in json.cpp only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tpsim {

// What stood before the token that could not be read.
enum class JsonContext { start, object_begin, key, object_value, list_begin, list_value, finished };

struct JsonStop {
  JsonContext context = JsonContext::start;
  std::size_t last_end = 0;       // end of the last token that was understood (separators aside)
  std::vector<std::size_t> open;  // offsets of the brackets still open, outermost first
  std::size_t read = 0;           // characters read when it stopped
  std::string lexical;            // the lexer's complaint about the token itself, "" if the token is well-formed
};

// An error that points at `offset` of `text`.
Error json_error(std::string_view text, const std::string& file, std::size_t offset, const std::string& what,
                 const std::string& note);

Error syntax_error(std::string_view text, const std::string& file, const JsonStop& stop);

// Files that are something else altogether: empty, a Git LFS pointer, a web page, binary data.
std::optional<Error> not_json(std::string_view text, const std::string& file);

}  // namespace tpsim
