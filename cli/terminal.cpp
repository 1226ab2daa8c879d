#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "cli/values.h"

namespace tpsim::cli {
namespace {

// None where the variable is not set or empty.
std::optional<std::string_view> environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

bool wants_color(bool interactive, ColorMode mode) {
  switch (mode) {
    case ColorMode::always: return true;
    case ColorMode::never: return false;
    case ColorMode::automatic: break;
  }
  if (environment("NO_COLOR")) return false;
  if (environment("CLICOLOR_FORCE").value_or("0") != "0") return true;
  if (environment("CLICOLOR") == "0" || environment("TERM") == "dumb") return false;
  return interactive;
}

int detect_width(int descriptor, const Options& options) {
  constexpr int default_width = 100;
  if (options.width) return *options.width;
  if (const auto columns = environment("COLUMNS")) {
    if (const auto n = parse_number(*columns, 20, 1000)) return static_cast<int>(*n);
  }
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
  return default_width;
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (const auto value = environment(name)) {
      return value->find("UTF-8") != std::string_view::npos || value->find("utf8") != std::string_view::npos;
    }
  }
  return false;
}

const char* escape_code(Style style) {
  switch (style) {
    case Style::plain: return "";
    case Style::bold: return "\x1b[1m";
    case Style::red: return "\x1b[1;31m";
    case Style::yellow: return "\x1b[33m";
    case Style::cyan: return "\x1b[36m";
    case Style::dim: return "\x1b[2m";
  }
  return "";
}

}  // namespace

Terminal detect_terminal(Stream stream, const Options& options) {
  const int descriptor = stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO;
  const bool to_file = stream == Stream::out && options.output.has_value();
  Terminal terminal;
  terminal.interactive = !to_file && isatty(descriptor) != 0;
  terminal.width = detect_width(descriptor, options);
  terminal.color = wants_color(terminal.interactive, options.color) && !(to_file && options.color != ColorMode::always);
  terminal.utf8 = !options.ascii && utf8_locale();
  return terminal;
}

std::string styled(std::string_view text, Style style, const Terminal& terminal) {
  if (!terminal.color || style == Style::plain || text.empty()) return std::string(text);
  return escape_code(style) + std::string(text) + "\x1b[0m";
}

}  // namespace tpsim::cli
