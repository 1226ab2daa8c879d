#include "cli/page.h"

#include "cli/svg.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

constexpr char kStyle[] =
    R"(:root{color-scheme:light dark;--paper:#fff;--ink:#1c1f23;--dim:#5c6570;--line:#d5dae0;--band:#f3f5f8;--no:#b3261e;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e6e8eb;--dim:#9aa4af;--line:#343a42;--band:#1e2227;--no:#ff8a80;--warn:#f0b95b}}
body{margin:0 auto;max-width:74rem;padding:1.5rem 2rem 3rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .8rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-bottom:.2rem;border-bottom:1px solid var(--line)}
pre,table{font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace}
pre{background:var(--band);padding:.7rem 1rem;overflow-x:auto;margin:.6rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0}
th,td{padding:.15rem .7rem;text-align:left;white-space:nowrap}th{color:var(--dim);font-weight:600}
thead{border-bottom:1px solid var(--line)}tbody tr:nth-child(even){background:var(--band)}
.r{text-align:right}.no{color:var(--no);font-weight:600}.warn{color:var(--warn)}.bold{font-weight:700}
nav a{margin-right:1rem;color:var(--dim)}svg{max-width:100%;height:auto;display:block;margin:.6rem 0}
footer{margin-top:2.5rem;color:var(--dim);font-size:.85rem}
@page{size:A4 landscape;margin:14mm}
@media print{:root{--paper:#fff;--ink:#000;--dim:#444;--line:#bbb;--band:#f3f5f8;--no:#b3261e;--warn:#8a5a00}
body{max-width:none;padding:0;font-size:11px}nav{display:none}pre{white-space:pre-wrap}pre,table{font-size:9px}.wide{overflow:visible}
h2{break-after:avoid}tr,svg{break-inside:avoid}thead{display:table-header-group}}
)";

std::string anchor(std::size_t i) { return "s" + std::to_string(i + 1); }

std::string navigation(const Page& page) {
  std::string out = "<nav>";
  for (std::size_t i = 0; i < page.sections.size(); ++i)
    out += "<a href=\"#" + anchor(i) + "\">" + markup_escaped(page.sections[i].title) + "</a>";
  return out + "</nav>\n";
}

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::string html_section(const PageSection& section, const std::string& id) {
  std::string out = "<section>\n<h2 id=\"" + id + "\">" + markup_escaped(section.title) + "</h2>\n";
  for (const std::string& picture : section.pictures) out += picture;
  for (const Table& table : section.tables) out += "<div class=\"wide\">\n" + html_table(table) + "</div>\n";
  for (const std::string& paragraph : section.paragraphs) out += "<p>" + markup_escaped(paragraph) + "</p>\n";
  if (!section.code.empty()) out += "<pre>" + markup_escaped(section.code) + "</pre>\n";
  return out + "</section>\n";
}

}  // namespace

std::string to_html(const Page& page) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
      markup_escaped(page.title) + "</title>\n<style>\n" + kStyle + "</style>\n</head>\n<body>\n<h1>" +
      markup_escaped(page.title) + "</h1>\n" + navigation(page) + "<pre>" + markup_escaped(joined_lines(page.heading)) +
      "</pre>\n";
  for (std::size_t i = 0; i < page.sections.size(); ++i) out += html_section(page.sections[i], anchor(i));
  return out + "<footer>" + markup_escaped(page.foot) + "</footer>\n</body>\n</html>\n";
}

std::string to_markdown(const Page& page) {
  std::string out = "# " + page.title + "\n\n```\n" + joined_lines(page.heading) + "```\n";
  for (const PageSection& section : page.sections) {
    out += "\n## " + section.title + "\n";
    for (const Table& table : section.tables) out += "\n" + to_markdown(table);
    if (!section.paragraphs.empty()) out += "\n";
    for (const std::string& paragraph : section.paragraphs) out += "- " + paragraph + "\n";
    if (!section.code.empty())
      out += "\n```python\n" + section.code + (section.code.ends_with('\n') ? "" : "\n") + "```\n";
  }
  return out + "\n" + page.foot + "\n";
}

std::string to_text(const Page& page, const Terminal& terminal) {
  const auto width = static_cast<std::size_t>(terminal.width);
  std::string out = joined_lines(page.heading);
  for (const PageSection& section : page.sections) {
    out += (out.empty() ? "" : "\n") + styled(section.title, Style::bold, terminal) + "\n";
    for (const Table& table : section.tables) out += to_text(table, terminal, true);
    for (const std::string& paragraph : section.paragraphs) {
      std::string indent = "  ";
      for (const std::string& line : wrapped(paragraph, width - 4)) {
        out += indent + line + "\n";
        indent = "    ";
      }
    }
  }
  return out;
}

void write_sections(const Page& page, JsonWriter& json) {
  for (const PageSection& section : page.sections) {
    if (section.field.empty()) continue;
    json.key(section.field);
    if (section.tables.empty())
      json.begin_array(), json.end_array();
    else
      write_rows(section.tables.front(), json);
  }
}

}  // namespace tpsim::cli
