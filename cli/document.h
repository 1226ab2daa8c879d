// What a command answers, once, for every output format.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/json_writer.h"
#include "cli/table.h"

namespace tpsim::cli {

struct NamedTable {
  std::string title;
  Table table;
};

struct Document {
  std::string title;
  std::vector<std::string> heading;  // lines before the table, for people
  Table table;
  std::vector<std::string> notes;  // lines after it
  std::vector<NamedTable> more;    // for people, after the notes
  std::function<void(JsonWriter&)> json;
};

// Appends the document to context.out in the format asked for, with --fields and --sort applied.
Result<void> emit(Context& context, Document document);

}  // namespace tpsim::cli
