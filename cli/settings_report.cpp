#include "cli/settings_report.h"

#include <algorithm>

namespace tpsim::cli {
namespace {

struct Line {
  std::string flag, value, origin, place;
};

Line line_of(const Settings& settings, std::string_view flag) {
  const auto it =
      std::find_if(settings.values.begin(), settings.values.end(), [&](const Setting& s) { return s.flag == flag; });
  if (it == settings.values.end()) return {std::string(flag), "", "built-in", ""};
  return {it->flag, it->flag == "ascii" ? "true" : it->value, to_string(it->origin), it->place};
}

std::string file_note(const char* whose, const std::string& file, bool read) {
  if (file.empty()) return std::string(whose) + ": none";
  return std::string(whose) + ": " + file + (read ? "" : " (not there)");
}

void write_json(JsonWriter& json, const Settings& settings, const std::vector<Line>& lines) {
  json.begin_object();
  json.member("schema", "tpsim.settings/1");
  json.member("user_file", settings.user_file);
  json.member("user_file_read", settings.user_file_read);
  json.member("project_file", settings.project_file);
  json.key("settings");
  json.begin_array();
  for (const Line& line : lines) {
    json.begin_object();
    json.member("flag", line.flag);
    json.member("value", line.value);
    json.member("origin", line.origin);
    json.member("place", line.place);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace

Document settings_document(const Settings& settings) {
  std::vector<Line> lines;
  for (const std::string_view flag : setting_flags()) lines.push_back(line_of(settings, flag));
  Document document;
  document.title = "Settings";
  document.heading = {file_note("user's file", settings.user_file, settings.user_file_read),
                      file_note("project's file", settings.project_file, true)};
  document.table.columns = {{"flag", "flag", false, 0},
                            {"value", "value", false, 0},
                            {"origin", "from", false, 0},
                            {"place", "place", false, 0, {}, true}};
  for (const Line& line : lines)
    document.table.rows.push_back({{cell(line.flag), cell(line.value), cell(line.origin), cell(line.place)}, ""});
  document.notes = {"A flag goes before all of these (tpsim help settings)."};
  document.json = [settings, lines](JsonWriter& json) { write_json(json, settings, lines); };
  return document;
}

}  // namespace tpsim::cli
