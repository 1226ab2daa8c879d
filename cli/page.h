// A document of several tables, pictures and pieces of code.
#pragma once

#include <string>
#include <vector>

#include "cli/table.h"

namespace tpsim::cli {

struct PageSection {
  std::string title;
  std::vector<std::string> paragraphs;
  std::vector<std::string> pictures;  // SVG elements
  std::vector<Table> tables;
  std::string code;        // shown as it is
  std::string field = {};  // name for programs; empty = for people only
};

struct Page {
  std::string title;
  std::vector<std::string> heading;  // lines that keep their columns
  std::vector<PageSection> sections;
  std::string foot;
};

// One file without references to others; follows the reader's light or dark setting; prints on white.
std::string to_html(const Page& page);
// Without pictures.
std::string to_markdown(const Page& page);
std::string to_text(const Page& page, const Terminal& terminal);
// The rows of each named section as a member of an open object: {"ranks": [...], ...}
void write_sections(const Page& page, JsonWriter& json);

}  // namespace tpsim::cli
