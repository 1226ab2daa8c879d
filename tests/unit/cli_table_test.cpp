#include "cli/table.h"

#include "cli/json_writer.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Terminal screen(int width) {
  Terminal terminal;
  terminal.width = width;
  return terminal;
}

Table sample() {
  Table table;
  table.columns = {{"tp", "TP", true, 0},
                   {"weights_bytes", "weights", true, 0, "memory"},
                   {"kv_bytes", "KV", true, 100, "memory"},
                   {"name", "name", false, 0},
                   {"share", "", true, kOnlyForPrograms}};
  const auto row = [](std::int64_t tp, const char* weights, const char* name) {
    return Row{
        {cell(tp), cell(tp * 1000, weights), cell(std::int64_t{7}), cell(std::string(name)), cell(0.25, 3, "25%")}, {}};
  };
  table.rows = {row(2, "131.42", "a, \"b\""), row(1, "66.69", "c")};
  return table;
}

}  // namespace

TEST_CASE("table: columns by width, groups above, numbers right-aligned", "[cli]") {
  CHECK(to_text(sample(), screen(100), true) ==
        "     memory\n"
        " TP  weights  KV  name\n"
        "  2   131.42   7  a, \"b\"\n"
        "  1    66.69   7  c\n");
  CHECK(to_text(sample(), screen(80), true) ==
        "      memory\n"
        " TP  weights  name\n"
        "  2   131.42  a, \"b\"\n"
        "  1    66.69  c\n");
  CHECK(to_text(sample(), screen(80), false).starts_with("  2  "));
}

TEST_CASE("table: a note stands in place of the figures", "[cli]") {
  Table table = sample();
  table.rows[1].note = "error TP102";
  CHECK(to_text(table, screen(80), false) ==
        "  2   131.42  a, \"b\"\n"
        "  1  error TP102\n");
}

TEST_CASE("table: narrow screens get a block per row, never a wrapped row", "[cli]") {
  Table table = sample();
  table.blocks_when_narrow = true;
  CHECK(to_text(table, screen(60), true) ==
        "TP 2\n"
        "  memory  weights 131.42, KV 7\n"
        "  name    a, \"b\"\n"
        "TP 1\n"
        "  memory  weights 66.69, KV 7\n"
        "  name    c\n");
}

TEST_CASE("table: no line is wider than the screen at any width", "[cli]") {
  Table table = sample();
  table.columns[3].elastic = true;
  table.rows[0].cells[3] = cell(std::string("a long text that says what this row is about, in so many words"));
  for (int width = 20; width <= 140; ++width) {
    const std::string text = to_text(table, screen(width), true);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      INFO(width << ": " << text.substr(begin, end - begin));
      CHECK(end - begin <= static_cast<std::size_t>(width));
      begin = end + 1;
    }
  }
}

TEST_CASE("table: csv quotes, plain and csv have all fields", "[cli]") {
  CHECK(to_csv(sample(), true) ==
        "tp,weights_bytes,kv_bytes,name,share\n"
        "2,2000,7,\"a, \"\"b\"\"\",0.250\n"
        "1,1000,7,c,0.250\n");
  CHECK(to_plain(sample(), true) ==
        " tp  weights_bytes  kv_bytes  name    share\n"
        "  2           2000         7  a, \"b\"  0.250\n"
        "  1           1000         7  c       0.250\n");
}

TEST_CASE("table: ndjson keeps types, markdown escapes", "[cli]") {
  Table table = sample();
  table.rows[1].cells[3] = no_value();
  CHECK(to_ndjson(table) ==
        "{\"tp\":2,\"weights_bytes\":2000,\"kv_bytes\":7,\"name\":\"a, \\\"b\\\"\",\"share\":0.25}\n"
        "{\"tp\":1,\"weights_bytes\":1000,\"kv_bytes\":7,\"name\":null,\"share\":0.25}\n");
  table.rows[1].cells[3] = cell(std::string("a|b*"));
  CHECK(to_markdown(table).find("| a\\|b\\* |") != std::string::npos);
  CHECK(to_html(table, "<t>").find("&lt;t&gt;") != std::string::npos);
}

TEST_CASE("table: fields are selected and ordered, rows sorted", "[cli]") {
  Table table = sample();
  REQUIRE(select_fields(table, {"share", "tp"}).has_value());
  CHECK(to_csv(table, true) == "share,tp\n0.250,2\n0.250,1\n");
  REQUIRE(sort_rows(table, "tp").has_value());
  CHECK(to_csv(table, false) == "0.250,1\n0.250,2\n");
  REQUIRE(sort_rows(table, "-tp").has_value());
  CHECK(to_csv(table, false) == "0.250,2\n0.250,1\n");
  const auto unknown = select_fields(table, {"tpp"});
  REQUIRE(!unknown);
  CHECK(unknown.error().message == "no field \"tpp\"");
}

TEST_CASE("table: colours go around the text, not around its padding", "[cli]") {
  Terminal terminal = screen(80);
  terminal.color = true;
  Table table = sample();
  table.rows[1].cells[1].style = Style::red;
  CHECK(to_text(table, terminal, false).find("  \x1b[1;31m66.69\x1b[0m") != std::string::npos);
}

TEST_CASE("json writer: nesting, numbers, escapes", "[cli]") {
  std::string text;
  JsonWriter json(text, 2);
  json.begin_object();
  json.member("a", 1);
  json.member("b", 0.5, 3);
  json.member("quote", "\"\\\n\x01");
  json.array("list", std::vector<int>{1, 2});
  json.key("deep");
  json.begin_object();
  json.key("x");
  json.begin_object();
  json.member("y", true);
  json.end_object();
  json.end_object();
  json.end_object();
  CHECK(text ==
        "{\n"
        "  \"a\": 1,\n"
        "  \"b\": 0.5,\n"
        "  \"quote\": \"\\\"\\\\\\n\\u0001\",\n"
        "  \"list\": [1,2],\n"
        "  \"deep\": {\n"
        "    \"x\": {\"y\":true}\n"
        "  }\n"
        "}\n");
}

TEST_CASE("json writer: numbers without trailing zeros, null for what is no number, no invalid UTF-8", "[cli]") {
  std::string text;
  JsonWriter json(text, 0);
  json.begin_array();
  json.value(1.0, 3);
  json.value(-0.0001, 3);
  json.value(1e300 * 1e300, 3);
  json.value(std::int64_t{9223372036854775807});
  json.value("a\xFF");
  json.end_array();
  CHECK(text == "[1,0,null,9223372036854775807,\"a\xEF\xBF\xBD\"]");
}

TEST_CASE("json writer: keeps selected members with what contains and follows them", "[cli]") {
  const auto write = [](JsonWriter& json) {
    json.begin_object();
    json.member("schema", "s");
    json.key("results");
    json.begin_array();
    for (int i = 0; i < 2; ++i) {
      json.begin_object();
      json.key("memory");
      json.begin_object();
      json.member("kv", i);
      json.end_object();
      json.member("tp", i);
      json.end_object();
    }
    json.end_array();
    json.key("other");
    json.begin_object();
    json.member("x", 1);
    json.end_object();
    json.end_object();
  };
  std::string text;
  JsonWriter json(text, 0);
  json.keep_only({"results.memory"});
  write(json);
  CHECK(text == "{\"results\":[{\"memory\":{\"kv\":0}},{\"memory\":{\"kv\":1}}]}");
  std::string ignored;
  JsonWriter recorder(ignored);
  recorder.record_paths();
  write(recorder);
  CHECK(recorder.paths() == std::vector<std::string>{"schema", "results", "results.memory", "results.memory.kv",
                                                     "results.tp", "other", "other.x"});
}
