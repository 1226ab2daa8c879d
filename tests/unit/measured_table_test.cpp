#include "sim/measured/table.h"
#include "tests/catch.hpp"

using namespace tpsim;

TEST_CASE("measured table: quotes, CRLF, comments, blank lines and a byte order mark", "[measured]") {
  const auto table =
      parse_measured("\xEF\xBB\xBFgpu,notes\r\n# taken on Monday\r\n\r\na,\"x, \"\"y\"\"\nz\"\r\nb,\r\n", "rows.csv");
  REQUIRE(table);
  REQUIRE(table->columns == std::vector<std::string>{"gpu", "notes"});
  REQUIRE(table->rows.size() == 2);
  CHECK(table->rows[0].cells == std::vector<std::string>{"a", "x, \"y\"\nz"});
  CHECK(table->rows[0].line == 4);
  CHECK(table->rows[1].cells == std::vector<std::string>{"b", ""});
  CHECK(table->rows[1].line == 6);
}

TEST_CASE("measured table: written and read again it is the same", "[measured]") {
  const auto table = parse_measured("a,b\n\"1,2\",\"say \"\"x\"\"\"\n\"#3\",\n", "rows.csv");
  REQUIRE(table);
  const auto again = parse_measured(to_csv(*table), "rows.csv");
  REQUIRE(again);
  REQUIRE(again->rows.size() == 2);
  CHECK(again->rows[0].cells == table->rows[0].cells);
  CHECK(again->rows[1].cells == table->rows[1].cells);
}

TEST_CASE("measured table: what is wrong says file and line", "[measured]") {
  const auto fails = [](std::string_view text) {
    const auto table = parse_measured(text, "rows.csv");
    REQUIRE_FALSE(table);
    return table.error().where + ": " + table.error().message;
  };
  CHECK(fails("") == "rows.csv: no header line with column names: the file is empty");
  CHECK(fails("a,a\n") == "rows.csv:1: column \"a\" stands twice");
  CHECK(fails("a,,b\n") == "rows.csv:1: column 2 has no name");
  CHECK(fails("a,b\n1,2\n1,2,3\n") == "rows.csv:3: this row has 3 cells, the header 2");
  CHECK(fails("a,b\n1,\"2\n3,4\n") == "rows.csv:2: a quote is not closed");
  CHECK(fails("a,b\n1,\"2\"3\n") == "rows.csv:2: text follows a closed quote");
}

TEST_CASE("measured table: cells as numbers", "[measured]") {
  const auto table = parse_measured("m,time_us\n64,1.5\n1e3,\n2.5,-1\n12;5,nan\n", "rows.csv");
  REQUIRE(table);
  const MeasuredColumn m(*table, "m"), time(*table, "time_us"), tp(*table, "tp", "1");
  CHECK(m.count(table->rows[0]).value() == 64);
  CHECK(m.count(table->rows[1]).value() == 1000);
  CHECK(tp.count(table->rows[0]).value() == 1);
  CHECK(time.number(table->rows[0]).value() == 1.5);
  CHECK(time.number(table->rows[1]).error().message == "time_us: empty");
  CHECK(m.count(table->rows[2]).error().message == "m: \"2.5\" is not a whole number from 0 to 2^53");
  CHECK(time.positive(table->rows[2]).error().message == "time_us: \"-1\" is not above 0");
  CHECK(m.number(table->rows[3]).error().message == "m: \"12;5\" is not a number");
  CHECK(m.number(table->rows[3]).error().where == "rows.csv:5");
  CHECK_FALSE(time.number(table->rows[3]));
}

TEST_CASE("measured table: a missing column is named with its neighbours", "[measured]") {
  const auto table = parse_measured("gpu,time_ms\n", "rows.csv");
  REQUIRE(table);
  CHECK(require_columns(*table, {"gpu"}));
  const auto missing = require_columns(*table, {"gpu", "time_us"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message == "no column \"time_us\"");
  CHECK(missing.error().details.front() == "columns: gpu, time_ms");
}
