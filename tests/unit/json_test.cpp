#include "core/json.h"

#include <cmath>
#include <string>

#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim {

namespace {

std::string read_back(std::string_view text) {
  const auto value = parse_json(text, "x.json");
  return value ? to_json(*value) : error_text(value);
}

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  return error_text(parse_json(text, "dir/x.json", limits));
}

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

}  // namespace

TEST_CASE("parse_json: values keep their types and order", "[json]") {
  CHECK(read_back(R"({"b": [1, 2.5, -3, 1.0, true, false, null, "x"], "a": {}, "c": []})") ==
        R"({"b": [1, 2.5, -3, 1.0, true, false, null, "x"], "a": {}, "c": []})");
  CHECK(read_back(R"("tab\t quote\" back\\ line\n \u0001 \u00e9")") ==
        "\"tab\\t quote\\\" back\\\\ line\\n \\u0001 \u00e9\"");
  CHECK(read_back(" 7 \n") == "7");
}

TEST_CASE("parse_json: integers that do not fit 64 bits become doubles", "[json]") {
  const auto value =
      parse_json("[9223372036854775807, 9223372036854775808, -9223372036854775808, 1e400000000000]", "x");
  CHECK_FALSE(value);
  const auto numbers = parse_json("[9223372036854775807, 9223372036854775808, 99999999999999999999999]", "x");
  REQUIRE(numbers);
  const auto& list = std::get<ValueList>(numbers->data);
  CHECK(std::get<std::int64_t>(list[0].data) == 9223372036854775807);
  CHECK(std::get<double>(list[1].data) == 9223372036854775808.0);
  CHECK(std::get<double>(list[2].data) == 1e23);
}

TEST_CASE("parse_json: Python's special numbers are numbers outside strings only", "[json]") {
  CHECK(read_back(R"({"limit": [0.0, Infinity, -Infinity], "x": NaN, "s": "NaN \" Infinity"})") ==
        R"({"limit": [0.0, Infinity, -Infinity], "x": NaN, "s": "NaN \" Infinity"})");
  CHECK(refusal("[NaNs]").find("expected a value or ']'") != std::string::npos);
  CHECK(refusal("[Infinity 1]") ==
        "error: x.json is not valid JSON: expected ',' or ']' after the value\n"
        "  --> dir/x.json:1:11\n"
        "   1 | [Infinity 1]\n"
        "     |           ^ a comma is missing before this\n");
}

TEST_CASE("parse_json: a byte order mark is skipped", "[json]") { CHECK(read_back("\xEF\xBB\xBF{}") == "{}"); }

TEST_CASE("parse_json: a missing comma is shown with the line that lacks it", "[json][error]") {
  CHECK(refusal("{\n  \"hidden_size\": 8192\n  \"num_hidden_layers\": 80,\n}") ==
        "error: x.json is not valid JSON: expected ',' or '}' after the value\n"
        "  --> dir/x.json:3:3\n"
        "   2 |   \"hidden_size\": 8192\n"
        "   3 |   \"num_hidden_layers\": 80,\n"
        "     |   ^ a comma is missing at the end of line 2\n");
}

TEST_CASE("parse_json: each fault says what was expected and why", "[json][error]") {
  struct Case {
    std::string text, what, where, note;
  };
  const Case cases[] = {
      {"{\"a\": 1,\n}", "expected a key in double quotes after ','", "2:1",
       "the comma at the end of line 1 is one too many"},
      {"[1, 2", "expected ',' or ']' after the value", "1:6",
       "the file ends here, but 1 bracket is still open, the last since line 1"},
      {"{\"a\":\n {\"b\": [", "expected a value or ']'", "2:9",
       "the file ends here, but 3 brackets are still open, the last since line 2"},
      {"{\"a\": 1} x", "expected the end of the file", "1:10", "the text before this is complete"},
      {"{'a': 1}", "expected a key in double quotes or '}'", "1:2", "JSON needs double quotes"},
      {"{\u201ca\u201d: 1}", "expected a key in double quotes or '}'", "1:2", "JSON needs plain double quotes"},
      {"{\"a\": True}", "expected a value after ':'", "1:7", "JSON writes true"},
      {"{\"a\": None}", "expected a value after ':'", "1:7", "JSON writes null"},
      {"{\"a\" 1}", "expected ':' after the key", "1:6", ""},
      {"{\"a\" = 1}", "expected ':' after the key", "1:6", "JSON writes ':' between key and value"},
      {"{\"a\": }", "expected a value after ':'", "1:7", ""},
      {"[1,, 2]", "expected a value after ','", "1:4", ""},
      {"[1}", "expected ',' or ']' after the value", "1:3", "the '[' of line 1 is still open"},
      {"}", "expected a value", "1:1", "nothing is open here"},
      {"// x\n{}", "expected a value", "1:1", "JSON has no comments"},
      {"{\"a\": \"x\n\"}", "a string is not closed on its line", "1:7", "a closing '\"' is missing"},
      {"{\"a\": \"x}", "a string is not closed", "1:7", "the string that starts here has no closing '\"'"},
      {"[\"\\q\"]", "invalid string: forbidden character after backslash", "1:4", ""},
      {"[-]", "invalid number; expected digit after '-'", "1:3", ""},
      {"[1e999]", "a number is out of range of a double", "1:2", ""},
      {"{\"a\": 1, \"b\": 2, \"a\": 3}", "duplicate key \"a\"", "1:18", "first at line 1, column 2"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto result = parse_json(c.text, "dir/x.json");
    REQUIRE_FALSE(result);
    CHECK(result.error().message == "x.json is not valid JSON: " + c.what);
    CHECK(result.error().where == "dir/x.json:" + c.where);
    REQUIRE_FALSE(result.error().details.empty());
    const std::string& marker = result.error().details.back();
    CHECK(marker.substr(marker.find('^')) == "^" + (c.note.empty() ? "" : " " + c.note));
  }
}

TEST_CASE("parse_json: files of another kind are named", "[json][error]") {
  CHECK(refusal("") == "error: x.json is empty (0 bytes)\n  --> dir/x.json\n  fix: download the file again\n");
  CHECK(refusal(" \n") ==
        "error: x.json holds only white space (2 bytes)\n  --> dir/x.json\n  fix: download the file again\n");
  CHECK(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n") ==
        "error: x.json is a Git LFS pointer (63 bytes), not the file\n  --> dir/x.json\n  fix: git lfs pull\n");
  CHECK(refusal("\n<!DOCTYPE html>") ==
        "error: x.json is HTML or XML, not JSON (a saved web page?)\n  --> dir/x.json\n  fix: download the raw file\n");
  CHECK(refusal(std::string_view("{}\0x", 4)) ==
        "error: x.json is binary, not JSON (byte 2 is zero)\n  --> dir/x.json\n");
  CHECK(refusal("\xFF\xFE{") == "error: x.json is UTF-16, not UTF-8\n  --> dir/x.json\n  fix: save it as UTF-8\n");
  CHECK(refusal("[\"a\xFF\"]") ==
        "error: x.json is not UTF-8 (byte 3)\n  --> dir/x.json:1:4\n  fix: save it as UTF-8\n");
}

TEST_CASE("parse_json: depth, size and number of values are limited", "[json][error]") {
  CHECK(parse_json(repeated("[", 64) + repeated("]", 64), "x"));
  CHECK(refusal(repeated("[", 65) + repeated("]", 65)).find("nested deeper than 64 levels\n  --> dir/x.json:1:65") !=
        std::string::npos);
  CHECK(refusal(repeated("{\"a\":", 1'000'000)).find("nested deeper than 64 levels") != std::string::npos);
  JsonLimits limits;
  limits.bytes = 10;
  CHECK(refusal("[1, 2, 3, 4]", limits) == "error: the text has 12 bytes; the limit is 10\n  --> dir/x.json\n");
  limits = {};
  limits.values = 3;
  CHECK(refusal("[1,2,3,4]", limits).find("more than 3 values") != std::string::npos);
}

TEST_CASE("parse_json: long lines are cut around the fault and long keys in messages", "[json][error]") {
  const std::string line = refusal("[" + repeated("1, ", 1000) + "x" + repeated(", 1", 1000) + "]");
  CHECK(line.size() < 500);
  CHECK(line.find("x.json:1:3002") != std::string::npos);
  const std::string key = repeated("\u00e9", 500);
  CHECK(refusal("{\"" + key + "\":1,\"" + key + "\":2}").size() < 600);
}

TEST_CASE("to_json: doubles stay doubles", "[json]") {
  CHECK(to_json(Value{1e6}) == "1e+06");
  CHECK(to_json(Value{2.0}) == "2.0");
  CHECK(to_json(Value{-INFINITY}) == "-Infinity");
}

}  // namespace tpsim
