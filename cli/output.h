// Where text goes: standard output, or a file that is written whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "cli/options.h"
#include "core/result.h"

namespace tpsim::cli {

// --format, else what the extension of -o says, else table.
Format output_format(const Options& options);

// Writes beside `path` and renames, so that `path` holds the old or the whole new text. "-" is standard output.
Result<void> write_file(const std::string& path, std::string_view text);

// False where the reader has gone (`| head`).
Result<bool> write_stdout(std::string_view text);
void write_stderr(std::string_view text);

// Shows long text through $TPSIM_PAGER, $PAGER or less if it does not fit the terminal; false where there is no pager.
bool page(std::string_view text);

}  // namespace tpsim::cli
