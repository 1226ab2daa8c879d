#include "core/plan.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/catch.hpp"

namespace tpsim {
namespace {

Plan plan_of(const std::string& text, const std::string& file = "plan.py") {
  auto plan = read_plan(text, file);
  INFO((plan ? "" : plan.error().message));
  REQUIRE(plan);
  return *plan;
}

Error fault_of(const std::string& text, const std::string& file = "plan.py") {
  const auto plan = read_plan(text, file);
  INFO(text.substr(0, 200));
  REQUIRE_FALSE(plan);
  return plan.error();
}

std::vector<Rule> rules(std::initializer_list<std::pair<const char*, const char*>> pairs) {
  std::vector<Rule> result;
  for (const auto& [key, strategy] : pairs) result.push_back({key, strategy, {}, {}});
  return result;
}

const auto kTwoRules = rules({{"a.q", "colwise"}, {"a.o", "rowwise"}});

}  // namespace

TEST_CASE("plan: a JSON object with places of keys and values", "[plan]") {
  const auto plan = plan_of("{\n  \"a.q\": \"colwise\",\n  \"a.o\":\t\"rowwise\"\n}\n", "dir/my.json");
  CHECK(plan.name == "my.json");
  CHECK(plan.rules == kTwoRules);
  CHECK(plan.rules[1].position == SourcePosition{"dir/my.json", 3, 3});
  CHECK(plan.rules[1].strategy_position == SourcePosition{"dir/my.json", 3, 10});
}

TEST_CASE("plan: columns count characters, not bytes", "[plan]") {
  const auto plan = plan_of("{\"\xC3\xA4\xE2\x82\xAC\": \"colwise\"}", "p.json");
  CHECK(plan.rules[0].strategy_position.column == 8);
}

TEST_CASE("plan: JSON with a plan inside", "[plan]") {
  const std::string inner = R"({"a.q": "colwise", "a.o": "rowwise"})";
  CHECK(plan_of(R"({"tp_plan": )" + inner + "}", "p.json").rules == kTwoRules);
  CHECK(
      plan_of(R"({"model_type": "llama", "num": 1.5e3, "list": [1, {"x": null}], "base_model_tp_plan": )" + inner + "}",
              "config.json")
          .rules == kTwoRules);
  CHECK(plan_of(R"({"text_config": {"base_model_tp_plan": )" + inner + "}}", "config.json").rules == kTwoRules);
}

TEST_CASE("plan: JSON escapes and byte order mark", "[plan]") {
  const auto plan = plan_of("\xEF\xBB\xBF{\"a\\u0041\\\"\\\\\\/\\ud83d\\ude00\": \"x\\n\"}", "p.json");
  CHECK(plan.rules == rules({{"aA\"\\/\xF0\x9F\x98\x80", "x\n"}}));
}

TEST_CASE("plan: every form of Python string", "[plan][python]") {
  CHECK(plan_of("{'a.q': 'colwise', \"a.o\": \"rowwise\"}").rules == kTwoRules);
  CHECK(plan_of("{'''a.q''': \"\"\"colwise\"\"\", r'a.o': u\"rowwise\",}").rules == kTwoRules);
  CHECK(plan_of("{\n 'a.' 'q': ('col'\n  'wise'),\n ('a.o'): (\n 'rowwise'\n),  # last\n}").rules == kTwoRules);
  CHECK(plan_of("{'a\\x41\\101\\u0041\\U00000041\\'\\\"\\\\\\n\\\nb\\d': r'\\d'}").rules ==
        rules({{"aAAAA'\"\\\nb\\d", "\\d"}}));
  CHECK(plan_of("{'''line\nbreak''': 'x'}").rules == rules({{"line\nbreak", "x"}}));
  CHECK(plan_of("{}").rules.empty());
}

TEST_CASE("plan: dicts in larger Python code", "[plan][python]") {
  const std::string dict = "{'a.q': 'colwise', 'a.o': 'rowwise'}";
  const auto is_plan = [&](const std::string& before, const std::string& after) {
    return plan_of(before + dict + after).rules == kTwoRules;
  };
  CHECK(is_plan("class C(PretrainedConfig):\n    \"\"\"Doc: {'x': 'y'}\"\"\"\n    base_model_tp_plan = ",
                "\n    other = {'x': 'y'}\n"));
  CHECK(is_plan("_tp_plan: dict[str, str] = ", "\nrope = {'type': 'linear'}\n"));
  CHECK(is_plan("m = AutoModel.from_pretrained(\"id\", dtype=t.bfloat16, tp_plan=", ", x={'k': 'v'})\n"));
  CHECK(is_plan("import torch\n\nplan = ", "\nmodel = f(plan, {1: 2}, [x for x in {3, 4}], f'{x!r}')\n"));
  CHECK(is_plan("def f(x={}):\n    self.config.tp_plan = ", "\n"));
  CHECK(is_plan("cfg = {'model_type': 'llama', 'n': 3, 'base_model_tp_plan': ", ", 'z': {'a': 'b'}}\n"));
  CHECK(is_plan("tp_plan = (", ")\n"));
  CHECK(is_plan("a = {'x': 'y'}\nb = ", "\n"));
  CHECK(is_plan("if flag: tp_plan = ", "\n"));
}

TEST_CASE("plan: other plans of the same file by name", "[plan][python]") {
  const std::string text =
      "base_model_tp_plan = {'a': 'x'}\nbase_model_pp_plan = {'a': (['h'], ['h'])}\nBASE_MODEL_EP_PLAN = {'a': 'y'}\n";
  CHECK(plan_of(text).rules == rules({{"a", "x"}}));
  const auto expert = read_plan(text, "p.py", "ep_plan");
  REQUIRE(expert);
  CHECK(expert->rules == rules({{"a", "y"}}));
}

TEST_CASE("plan: the place in larger code is exact", "[plan][python]") {
  const auto plan = plan_of("x = 1\ntp_plan = {\n    # a comment\n    'a.q': \"colwise\",\n}\n");
  CHECK(plan.rules[0].position == SourcePosition{"plan.py", 4, 5});
  CHECK(plan.rules[0].strategy_position == SourcePosition{"plan.py", 4, 12});
}

TEST_CASE("plan: equal keys in Python keep the first place and the last value", "[plan][python]") {
  const auto plan = plan_of("{'a': 'colwise', 'b': 'rowwise', 'a': 'gather', 'a': 'local'}");
  CHECK(plan.rules == rules({{"a", "local"}, {"b", "rowwise"}}));
  CHECK(plan.rules[0].position.column == 49);
  CHECK(plan.overridden == rules({{"a", "colwise"}, {"a", "gather"}}));
  CHECK(plan.overridden[0].position.column == 2);
}

TEST_CASE("plan: names without a known ending are read by their content", "[plan]") {
  CHECK(plan_of(R"({"a.q": "colwise", "a.o": "rowwise"})", "-").rules == kTwoRules);
  CHECK(plan_of("{'a.q': 'colwise', \"a.o\": 'rowwise'}", "-").rules == kTwoRules);
  CHECK(plan_of("{\"a.q\": \"colwise\", \"a.o\": \"rowwise\",}", "-").rules == kTwoRules);
  CHECK(plan_of("tp_plan = {\"a.q\": \"colwise\", \"a.o\": \"rowwise\"}", "-").rules == kTwoRules);
  CHECK(plan_of("# plan\n{\"a.q\": \"colwise\", \"a.o\": \"rowwise\"}", "plan.txt").rules == kTwoRules);
  CHECK(fault_of(R"({"a": "x", "a": "y"})", "-").message ==
        "- is not a plan: \"a\" is given twice: first at line 1, column 2 (\"x\")");
}

TEST_CASE("plan: JSON faults", "[plan][error]") {
  const auto message = [](const std::string& text) { return fault_of(text, "d/p.json").message; };
  const std::string bad = "p.json is not valid JSON: ";
  CHECK(message("[1]") == bad + "a plan is an object of rules: expected '{'");
  CHECK(message("{\"a\" \"b\"}") == bad + "expected ':' after the key");
  CHECK(message("{\"a\": \"b\",}") == bad + "a comma after the last element");
  CHECK(message("{\"a\": \"b\"") == bad + "it ends before the object is closed");
  CHECK(message("{\"a\": \"b") == bad + "a string is not closed");
  CHECK(message("{\"a\": \"b\"} x") == bad + "text after the end of the object");
  CHECK(message("{'a': 'b'}") == bad + "strings take double quotes");
  CHECK(message("{# c\n}") == bad + "it has no comments");
  CHECK(message("{\"a\": \"\\x\"}") == bad + "unknown escape sequence in a string");
  CHECK(message("{\"a\": \"\\ud800\"}") == bad + "an escape that is no Unicode character");
  CHECK(message("{\"a\": \"\\u12\"}") == bad + "an escape that needs 4 hexadecimal digits");
  CHECK(message("{\"a\": \"x\ty\"}") == bad + "a control character inside a string");
  CHECK(message("{\"a\": None}") == bad + "expected a value");
  CHECK(message("{1: 2}") == bad + "expected a key in double quotes");
  CHECK(message(std::string(100, '{')) == bad + "expected a key in double quotes");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  CHECK(message(deep) == bad + "nested deeper than 64 levels");
  CHECK(message("{\"a\":" + std::string(100'000, '[')) == bad + "nested deeper than 64 levels");
}

TEST_CASE("plan: a missing comma is shown at its line", "[plan][error]") {
  const auto error = fault_of("{\n  \"a\": \"x\"\n  \"b\": \"y\"\n}", "p.json");
  CHECK(error.where == "p.json:3:3");
  CHECK(error.message == "p.json is not valid JSON: expected ',' or '}' after the value");
  CHECK(error.details == std::vector<std::string>{" 2 |   \"a\": \"x\"", " 3 |   \"b\": \"y\"",
                                                  "   |   ^^^ a comma is missing at the end of line 2"});
}

TEST_CASE("plan: values that are no strategies name the key", "[plan][error]") {
  const auto message = [](const std::string& text) { return fault_of(text, "p.json").message; };
  const std::string bad = "p.json is not a plan: the value of \"a\" is ";
  CHECK(message(R"({"a": null})") == bad + "null, not the name of a strategy");
  CHECK(message(R"({"a": 3})") == bad + "the number 3, not the name of a strategy");
  CHECK(message(R"({"a": true})") == bad + "true, not the name of a strategy");
  CHECK(message(R"({"a": ["x"]})") == bad + "a list, not the name of a strategy");
  CHECK(message(R"({"a": {"x": "y"}})") == bad + "an object, not the name of a strategy");
  CHECK(message(R"({"tp_plan": "auto"})") == "p.json is not a plan: \"tp_plan\" is a string, not an object of rules");
  CHECK(message(R"({"base_model_tp_plan": null})") ==
        "p.json is not a plan: \"base_model_tp_plan\" is null, not an object of rules");
}

TEST_CASE("plan: a fault shows its line", "[plan][error]") {
  const auto error = fault_of("{\n  \"a\": \"x\",\n  \"b\": 12\n}", "d/p.json");
  CHECK(error.kind == ErrorKind::input);
  CHECK(error.where == "d/p.json:3:8");
  CHECK(error.details == std::vector<std::string>{" 3 |   \"b\": 12", "   |        ^^"});
}

TEST_CASE("plan: Python that would have to be executed is refused", "[plan][python][error]") {
  const auto message = [](const std::string& text) { return fault_of(text).message; };
  const std::string bad = "plan.py is not a plan: ", value = bad + "the value of \"a\" is ";
  CHECK(message("{'a': f'x{y}'}") == value + "an f-string (it would have to be executed), not the name of a strategy");
  CHECK(message("{'a': 'x' + 'y'}") == value + "an expression, not the name of a strategy");
  CHECK(message("{'a': 'x' % 3}") == value + "an expression, not the name of a strategy");
  CHECK(message("{'a': 'x' 'y' if z else 'w'}") == value + "an expression, not the name of a strategy");
  CHECK(message("{'a': 'x'.lower()}") == value + "an expression, not the name of a strategy");
  CHECK(message("{'a': ('x', 'y')}") == value + "a tuple, not the name of a strategy");
  CHECK(message("{'a': ['x']}") == value + "a list, not the name of a strategy");
  CHECK(message("{'a': {'x': 'y'}}") == value + "a dict, not the name of a strategy");
  CHECK(message("{'a': None}") == value + "None, not the name of a strategy");
  CHECK(message("{'a': 3}") == value + "the number 3, not the name of a strategy");
  CHECK(message("{'a': -3}") == value + "an expression, not the name of a strategy");
  CHECK(message("{'a': b'x'}") == value + "a bytes literal, not the name of a strategy");
  CHECK(message("{'a': style}") == value + "the name style, not the name of a strategy");
  CHECK(message("{'a': tp.ColwiseParallel(x=1)}") ==
        value + "tp.ColwiseParallel(x=1): x is no argument that tpsim knows");
  CHECK(message("{'a': Shard(0)}") == value + "the object Shard(...), not the name of a strategy");
  CHECK(message("{**base, 'a': 'x'}") == bad + "a ** spread cannot be read without executing the file");
  CHECK(message("{'a': 'x', **f(1, 2)}") == bad + "a ** spread cannot be read without executing the file");
  CHECK(message("{3: 'x'}") == bad + "a key is the number 3, not a string");
  CHECK(message("{'a', 'b'}") == bad + "\"a\" has no value");
  CHECK(message("{'a': , 'b': 'x'}") == bad + "\"a\" has no value");
  CHECK(message("{f'layers.{i}': 'x' for i in range(3)}") ==
        bad + "a key is an f-string (it would have to be executed), not a string");
  CHECK(message("tp_plan = {'a': style}\nx = {'k': 'v'}") == value + "the name style, not the name of a strategy");
}

TEST_CASE("plan: torch styles are read where a strategy does the same", "[plan][python]") {
  const auto strategy = [](const std::string& key, const std::string& call) {
    const auto plan = read_plan("plan = {'" + key + "': " + call + "}", "plan.py");
    return plan ? plan->rules.front().strategy : plan.error().message;
  };
  CHECK(strategy("q_proj", "ColwiseParallel()") == "colwise");
  CHECK(strategy("q_proj", "tp.ColwiseParallel(input_layouts=Replicate(), output_layouts=Shard(dim=-1),)") ==
        "colwise");
  CHECK(strategy("output", "ColwiseParallel(\n  output_layouts=Replicate(),\n)") == "colwise_gather_output");
  CHECK(strategy("wte", "ColwiseParallel(output_layouts=Replicate())") == "embedding_colwise");
  CHECK(strategy("o_proj", "RowwiseParallel(use_local_output=True)") == "rowwise");
  CHECK(strategy("o_proj", "RowwiseParallel(input_layouts=Replicate())") == "rowwise_split_input");
  CHECK(strategy("tok_embeddings", "RowwiseParallel(input_layouts=Replicate())") == "embedding_rowwise");
  CHECK(strategy("a", "RowwiseParallel(input_layouts=Shard(-1), output_layouts=Replicate())") == "rowwise");
}

TEST_CASE("plan: torch styles without an equivalent are refused with the reason", "[plan][python][error]") {
  const auto message = [](const std::string& call) { return fault_of("{'a': " + call + "}").message; };
  const std::string value = "p.py is not a plan: the value of \"a\" is ";
  CHECK_THAT(message("SequenceParallel()"), Catch::Contains("SequenceParallel(): ") && Catch::Contains("sequence"));
  CHECK_THAT(message("tp.PrepareModuleInput(input_layouts=Shard(1))"), Catch::Contains("sequence"));
  CHECK_THAT(message("RowwiseParallel(output_layouts=Shard(1))"), Catch::Contains("no strategy"));
  CHECK_THAT(message("ColwiseParallel(input_layouts=Shard(-1))"), Catch::Contains("no strategy"));
  CHECK_THAT(message("ColwiseParallel(output_layouts=Shard(-1), use_local_output=False)"), Catch::Contains("DTensor"));
  CHECK_THAT(message("PackedRowwiseParallel()"), Catch::Contains("the object"));
  CHECK_THAT(message("ColwiseParallel(output_layouts=layout)"), Catch::Contains("no layout that can be read"));
}

TEST_CASE("plan: Python text that does not close or nests too deeply", "[plan][python][error]") {
  const auto message = [](const std::string& text) { return fault_of(text).message; };
  const std::string bad = "plan.py is not a readable Python dict: ";
  CHECK(message("{'a': 'x'") == bad + "'{' is not closed");
  CHECK(message("{'a': 'x") == bad + "a string is not closed");
  CHECK(message("{'a': '''x'}") == bad + "a string is not closed");
  CHECK(message("{'a': 'x\n'}") == bad + "a string is not closed");
  CHECK(message("{'a': ('x'}") == bad + "'}' does not close the '(' of line 1");
  CHECK(message("}") == bad + "'}' closes nothing");
  CHECK(message("{'a': '\\N{DIGIT ONE}'}") == bad + "character names (\\N{...}) are not read; write \\uXXXX");
  CHECK(message(std::string(1'000'000, '(')) == bad + "nested deeper than 64 levels");
  CHECK(message(std::string(1'000'000, '{')) == bad + "nested deeper than 64 levels");
  CHECK(message("x = 1\n") == "plan.py holds no dict literal, so no plan");
}

TEST_CASE("plan: several different plans in one file are listed", "[plan][python][error]") {
  const auto error =
      fault_of("class A:\n  tp_plan = {'a': 'x'}\nclass B:\n  base_model_tp_plan = {'a': 'y', 'b': 'z'}\n");
  CHECK(error.message == "plan.py holds 2 different plans");
  CHECK(error.details == std::vector<std::string>{"tp_plan at 2:13, 1 rules", "base_model_tp_plan at 4:24, 2 rules"});
  CHECK(plan_of("a_tp_plan = {'a': 'x'}\nb_tp_plan = {'a': 'x'}\n").rules == rules({{"a", "x"}}));
}

TEST_CASE("plan: files that are something else", "[plan][error]") {
  const auto message = [](const std::string& text) { return fault_of(text, "p.json").message; };
  CHECK(message("") == "p.json is empty");
  CHECK(message(" \n\t") == "p.json is empty");
  CHECK(message("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n") ==
        "p.json is a Git LFS pointer (63 bytes), not the plan");
  CHECK(message("<!DOCTYPE html>\n") == "p.json is HTML or XML, not a plan");
  CHECK(message(std::string("\x10\0\0\0\0\0\0\0{\"x\": {}}", 17)) == "p.json is a safetensors file, not a plan");
  CHECK(message(std::string("{\"a\": \"b\0\"}", 11)) == "p.json holds a NUL byte at offset 8, so it is no text");
  CHECK(message("{\"a\": \"\xFF\"}") == "p.json is not UTF-8: invalid byte at offset 7");
  CHECK(fault_of("{\n\"a\": \"\xFF\"}", "p.json").where == "p.json:2:7");
  CHECK(message("\xFF\xFE{") == "p.json is UTF-16; a plan is UTF-8");
  CHECK(message(std::string((64u << 20u) + 1, ' ')) == "p.json has 67108865 bytes; a plan may have 67108864");
}

TEST_CASE("plan: known other files are named", "[plan][error]") {
  const auto config = fault_of(R"({"model_type": "llama", "hidden_size": 8})", "config.json");
  CHECK(config.message ==
        "config.json is not a plan: the value of \"hidden_size\" is the number 8, not the name of a strategy");
  CHECK(config.details.back() == "the file is a model's config.json without a base_model_tp_plan");
  const auto deepspeed = fault_of(R"({"tensor_parallel": {"autotp_size": 4}})", "ds.json");
  CHECK(deepspeed.details.back() == "the file is a DeepSpeed configuration; tpsim reads Transformers' tp_plan");
  const auto index = fault_of(R"({"metadata": {}, "weight_map": {"a": "b"}})", "index.json");
  CHECK(index.details.back() == "the file is the index of a checkpoint");
}

TEST_CASE("plan: normal forms are read back", "[plan]") {
  Plan plan;
  plan.rules =
      rules({{"model.layers.*.q", "colwise"}, {"quote\"back\\slash", "tab\tnew\nline"}, {"\x01\x7F\xC3\xA4", ""}});
  CHECK(plan_of(to_json(plan), "p.json").rules == plan.rules);
  CHECK(plan_of(to_python(plan), "p.py").rules == plan.rules);
  CHECK(to_json({"", kTwoRules, {}}) == "{\n  \"a.q\": \"colwise\",\n  \"a.o\": \"rowwise\"\n}\n");
  CHECK(to_python({"", kTwoRules, {}}, "_tp_plan") ==
        "_tp_plan = {\n  \"a.q\": \"colwise\",\n  \"a.o\": \"rowwise\",\n}\n");
  CHECK(to_json({}) == "{}\n");
  CHECK(to_python({}) == "tp_plan = {}\n");
}

TEST_CASE("plan: patches add, replace and remove", "[plan]") {
  const Plan plan{"p", kTwoRules, {}};
  CHECK(apply_patch(plan, {{"add", "new", "gather"}}).rules ==
        rules({{"a.q", "colwise"}, {"a.o", "rowwise"}, {"new", "gather"}}));
  CHECK(apply_patch(plan, {{"replace", "a.q", "local"}}).rules == rules({{"a.q", "local"}, {"a.o", "rowwise"}}));
  CHECK(apply_patch(plan, {{"add", "a.q", "local"}}).rules == rules({{"a.q", "local"}, {"a.o", "rowwise"}}));
  CHECK(apply_patch(plan, {{"remove", "a.q", ""}, {"remove", "absent", ""}}).rules == rules({{"a.o", "rowwise"}}));
  CHECK(apply_patch(plan, {{"remove", "a.q", ""}, {"add", "a.q", "x"}}).rules ==
        rules({{"a.o", "rowwise"}, {"a.q", "x"}}));
}

TEST_CASE("plan: two thousand rules", "[plan]") {
  std::string text = "{";
  constexpr int count = 2'000;
  for (int i = 0; i < count; ++i)
    text.append(i == 0 ? "" : ",").append("\"model.layers.").append(std::to_string(i)).append(".q\":\"colwise\"");
  text += "}";
  for (const char* file : {"p.json", "p.py", "-"}) {
    const auto plan = plan_of(text, file);
    REQUIRE(plan.rules.size() == count);
    CHECK(plan.rules.back().key == "model.layers.1999.q");
  }
}

TEST_CASE("plan: plans from public repositories", "[plan][samples]") {
  const std::filesystem::path folder = "../shared/samples/plans";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: no " << folder);
    return;
  }
  int read = 0, refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto plan = read_plan(text, entry.path().string());
    INFO(entry.path());
    const bool objects = text.find("Shard(") != std::string::npos ||
                         text.find("SequenceParallel") != std::string::npos ||
                         text.find("VocabParallelEmbedding(") != std::string::npos ||
                         text.find("PackedRowwiseParallel") != std::string::npos;
    const bool deepspeed = entry.path().extension() == ".json";
    CHECK(plan.has_value() == (!objects && !deepspeed));
    if (!plan) CHECK(plan.error().details.size() >= 2);
    ++(plan ? read : refused);
  }
  CHECK(read == 19);
  CHECK(refused == 18);
}

}  // namespace tpsim

TEST_CASE("plan: more rules than any plan has are one error", "[plan]") {
  std::string text = "{";
  for (std::size_t i = 0; i <= 2'000; ++i)
    text += (i == 0 ? "" : ",") + ("\"model.layers.*.m" + std::to_string(i)) + "\": \"colwise\"";
  const auto plan = tpsim::read_plan(text + "}", "plan.json");
  REQUIRE_FALSE(plan.has_value());
  CHECK(plan.error().message == "plan.json holds 2001 rules; a plan has at most 2000");
}
