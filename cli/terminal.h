// What stdout and stderr can show.
#pragma once

#include <string>
#include <string_view>

#include "cli/options.h"

namespace tpsim::cli {

struct Terminal {
  bool interactive = false;
  int width = 100;
  bool color = false;
  bool utf8 = false;
};

enum class Stream { out, err };

// Precedence for colour: --color, NO_COLOR, CLICOLOR_FORCE, CLICOLOR and TERM=dumb, then whether it is a terminal. For
// the width: --width, COLUMNS, the terminal, 100.
Terminal detect_terminal(Stream stream, const Options& options);

enum class Style { plain, bold, red, yellow, cyan, dim };
// `text` between the style's escape sequences where the terminal has colour; else as it is.
std::string styled(std::string_view text, Style style, const Terminal& terminal);

}  // namespace tpsim::cli
