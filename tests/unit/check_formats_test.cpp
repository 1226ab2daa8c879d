#include "cli/check_formats.h"

#include "cli/text_edit.h"
#include "core/json.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

constexpr const char* kJson = "{\n  \"a.q\": \"colwise\",\n  \"a.k\": \"colwize\",\n  \"a.o\": \"rowwise\"\n}\n";
constexpr const char* kPython =
    "class C:\n  base_model_tp_plan = {\n    'a.q': 'colwise',  # é\n    'a.k': 'colwise',\n    'a.o': 'row' 'wise',\n "
    " }\n";

Plan plan_of(const std::string& text, const std::string& file) {
  const auto plan = read_plan(text, file);
  REQUIRE(plan);
  return *plan;
}

std::string edited(const std::string& text, const std::string& file, const std::vector<PatchOperation>& patch) {
  const auto edits = text_edits(text, plan_of(text, file), patch);
  return edits ? with_edits(text, *edits) : "none";
}

Problem problem(Diagnostic d) { return {std::move(d), {2, 4}}; }

const Value& member(const Value& value, std::string_view name) {
  const Value* found = find(std::get<ValueObject>(value.data), name);
  REQUIRE(found != nullptr);
  return *found;
}
const Value& first(const Value& list) { return std::get<ValueList>(list.data).at(0); }

}  // namespace

TEST_CASE("text edits: values, renames, removals and additions in a JSON plan", "[check][edit]") {
  CHECK(edited(kJson, "p.json", {{"replace", "a.k", "colwise"}}) ==
        "{\n  \"a.q\": \"colwise\",\n  \"a.k\": \"colwise\",\n  \"a.o\": \"rowwise\"\n}\n");
  CHECK(edited(kJson, "p.json", {{"remove", "a.q", ""}, {"add", "m.a.q", "colwise"}}) ==
        "{\n  \"m.a.q\": \"colwise\",\n  \"a.k\": \"colwize\",\n  \"a.o\": \"rowwise\"\n}\n");
  CHECK(edited(kJson, "p.json", {{"remove", "a.q", ""}}) == "{\n  \"a.k\": \"colwize\",\n  \"a.o\": \"rowwise\"\n}\n");
  CHECK(edited(kJson, "p.json", {{"remove", "a.o", ""}}) == "{\n  \"a.q\": \"colwise\",\n  \"a.k\": \"colwize\"\n}\n");
  CHECK(
      edited(kJson, "p.json", {{"add", "a.\"x", "rowwise"}}) ==
      "{\n  \"a.q\": \"colwise\",\n  \"a.k\": \"colwize\",\n  \"a.o\": \"rowwise\",\n  \"a.\\\"x\": \"rowwise\"\n}\n");
}

TEST_CASE("text edits: a class body keeps its other text; what cannot be edited is left", "[check][edit]") {
  const std::string changed = edited(kPython, "c.py", {{"replace", "a.k", "rowwise"}});
  CHECK(changed.find("'a.k': \"rowwise\",\n    'a.o': 'row' 'wise',") != std::string::npos);
  CHECK(changed.find("# é") != std::string::npos);
  CHECK(edited(kPython, "c.py", {{"replace", "a.o", "colwise"}}) == "none");  // a value of two literals
  CHECK(edited(kJson, "p.json", {{"remove", "a.k", ""}, {"remove", "a.o", ""}}) == "none");
}

TEST_CASE("github: properties and message are escaped", "[check][format]") {
  Diagnostic d;
  d.code = "TP101";
  d.position = {"a,b:c.json", 6, 3};
  d.message = "100 % \"x\": y,\r\nz";
  Diagnostic note;
  note.code = "TP301";
  note.severity = Severity::note;
  note.message = "m";
  CHECK(to_github({problem(d), problem(note)}, {}) ==
        "::error file=a%2Cb%3Ac.json,line=6,col=3,title=TP101::100 %25 \"x\": y,%0D%0Az%0Aat TP 2 4\n"
        "::notice title=TP301::m%0Aat TP 2 4\n");
  CHECK(to_github({}, {}).empty());
}

TEST_CASE("sarif: rules, regions and replacements", "[check][format]") {
  const Plan plan = plan_of(kJson, "my plan.json");
  Diagnostic d;
  d.code = "TP101";
  d.where = "a.k";
  d.position = plan.rules[1].strategy_position;
  d.message = "unknown";
  d.fixes = {{"use \"colwise\"", {{"replace", "a.k", "colwise"}}}, {"--tp 2", {}}};
  const auto document = parse_json(to_sarif({problem(d)}, {"my plan.json", kJson, &plan}), "sarif");
  REQUIRE(document);
  CHECK(std::get<std::string>(member(*document, "version").data) == "2.1.0");
  const Value& run = first(member(*document, "runs"));
  const Value& rule = first(member(member(member(run, "tool"), "driver"), "rules"));
  CHECK(std::get<std::string>(member(rule, "id").data) == "TP101");
  CHECK(!std::get<std::string>(member(member(rule, "help"), "text").data).empty());
  const Value& result = first(member(run, "results"));
  CHECK(std::get<std::string>(member(result, "level").data) == "error");
  const Value& place = member(first(member(result, "locations")), "physicalLocation");
  CHECK(std::get<std::string>(member(member(place, "artifactLocation"), "uri").data) == "my%20plan.json");
  CHECK(to_json(member(place, "region")) == R"({"startLine": 3, "startColumn": 10, "endLine": 3, "endColumn": 19})");
  const Value& fixes = member(result, "fixes");
  CHECK(std::get<ValueList>(fixes.data).size() == 1);
  const Value& replacement = first(member(first(member(first(fixes), "artifactChanges")), "replacements"));
  CHECK(std::get<std::string>(member(member(replacement, "insertedContent"), "text").data) == "\"colwise\"");
}
