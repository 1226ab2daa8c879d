// Whole text files, with the errors that a path from the command line can cause.
#pragma once

#include <cstddef>
#include <string>

#include "core/result.h"

namespace tpsim {

// Follows links. Errors: no such file, a link to nothing, a folder, a pipe or device (which could block), not readable,
// larger than `limit`.
Result<std::string> read_text_file(const std::string& path, std::size_t limit);

// Standard input to its end; an error over `limit` bytes.
Result<std::string> read_standard_input(std::size_t limit);

}  // namespace tpsim
