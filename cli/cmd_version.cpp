#include "cli/commands.h"
#include "cli/document.h"
#include "core/dialect.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

Result<int> run(Context& context) {
  Document document;
  document.title = "tpsim";
  document.table.columns = {{"name", "", false, 0}, {"version", "", false, 0}};
  document.table.rows = {{{cell("tpsim"), cell(kVersion)}, {}},
                         {{cell("oldest dialect"), cell(to_string(kOldestDialect))}, {}},
                         {{cell("newest dialect"), cell(to_string(kNewestDialect))}, {}}};
  document.json = [](JsonWriter& json) {
    json.begin_object();
    json.member("schema", "tpsim.version/1");
    json.key("tool");
    json.begin_object();
    json.member("name", "tpsim");
    json.member("version", kVersion);
    json.end_object();
    json.array("dialects", std::vector<std::string>{to_string(kOldestDialect), to_string(kNewestDialect)});
    json.end_object();
  };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command version_command() {
  Command command;
  command.name = "version";
  command.summary = "the version of tpsim and the dialects it knows";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
