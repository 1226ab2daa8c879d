#include "core/expression.h"

#include <cmath>

#include "core/expression_functions.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim {
namespace {

// Fields of the scope in which the tests evaluate.
class Fields final : public FieldSource {
public:
  Fields() {
    add("heads", Value{std::int64_t{32}});
    add("hidden", Value{std::int64_t{4096}});
    add("nothing", Value{});
    add("name", Value{std::string("silu")});
    add("text_number", Value{std::string("80")});
    add("kinds", Value{ValueList{Value{std::string("full")}, Value{std::string("sliding")}}});
    add("rope", Value{ValueObject{{"theta", Value{10000.0}}, {"factor", Value{}}}});
    add("numbered", Value{ValueObject{{"05", Value{std::string("five")}}, {"00", Value{std::string("zero")}}}});
    add("yes", Value{true});
  }

  const Value* field(int index, EvaluationFault&) override { return &values_[static_cast<std::size_t>(index)]; }

  Scope scope() const { return {&index_, {}, {{"transformers", Value{std::int64_t{5023}}}}}; }

private:
  void add(const std::string& name, Value value) {
    index_.emplace(name, static_cast<int>(values_.size()));
    values_.push_back(std::move(value));
  }

  std::unordered_map<std::string, int> index_;
  std::vector<Value> values_;
};

// The value as JSON, or "error: " and the message.
std::string result(std::string_view text) {
  Fields fields;
  auto expression = parse_expression(text);
  if (!expression) return "error: " + expression.error().message;
  Scope scope = fields.scope();
  if (auto bound = bind_names(*expression, scope); !bound) return "error: " + bound.error().message;
  std::vector<Value> frame(scope.locals.size());
  Evaluator evaluator(fields, frame);
  Value scratch;
  const Value* value = evaluator.evaluate(expression->root, scratch);
  return value == nullptr ? "error: " + evaluator.fault().message : to_json(*value);
}

struct Case {
  const char* text;
  const char* expected;
};

void check_all(std::initializer_list<Case> cases) {
  for (const auto& [text, expected] : cases) {
    INFO(text);
    CHECK(result(text) == expected);
  }
}

}  // namespace

TEST_CASE("expression: arithmetic is Python's", "[expression]") {
  check_all({{"7 // 2", "3"},
             {"-7 // 2", "-4"},
             {"7 // -2", "-4"},
             {"-7 % 3", "2"},
             {"7 % -3", "-2"},
             {"7.5 // 2", "3.0"},
             {"(-9223372036854775807 - 1) % 3", "1"},
             {"7 / 2", "3.5"},
             {"8 / 2", "4.0"},
             {"2 ** 10", "1024"},
             {"2 ** -1", "0.5"},
             {"-2 ** 2", "-4"},
             {"2 ** 3 ** 2", "512"},
             {"1 + 2 * 3 - 4", "3"},
             {"(1 + 2) * 3", "9"},
             {"2 - 3 - 4", "-5"},
             {"1e3", "1000.0"},
             {"true + 1", "2"},
             {"+heads", "32"},
             {"'a' + 'b'", "\"ab\""},
             {"[1] + [2, 3]", "[1, 2, 3]"},
             {"hidden // heads", "128"}});
}

TEST_CASE("expression: and, or and not give values as in Python", "[expression]") {
  check_all({{"nothing or 7", "7"},
             {"0 or none or 'x'", "\"x\""},
             {"heads and hidden", "4096"},
             {"0 and heads", "0"},
             {"not nothing", "true"},
             {"not heads", "false"},
             {"not 1 == 2", "true"},
             {"none or 0", "0"},
             {"yes or 1 // 0", "true"}});
}

TEST_CASE("expression: comparisons chain and compare across kinds", "[expression]") {
  check_all({{"1 < 2 < 3", "true"},
             {"1 < 3 < 2", "false"},
             {"1 == 1.0", "true"},
             {"true == 1", "true"},
             {"'a' < 'b'", "true"},
             {"nothing is none", "true"},
             {"heads is not none", "true"},
             {"name == 'silu'", "true"},
             {"'full' in kinds", "true"},
             {"'none' not in kinds", "true"},
             {"'theta' in rope", "true"},
             {"3 in [1, 2]", "false"},
             {"none == 0", "false"},
             {"transformers >= version(5, 0)", "true"},
             {"transformers < version(5, 1)", "false"}});
}

TEST_CASE("expression: only the chosen branch of a conditional is evaluated", "[expression]") {
  check_all(
      {{"1 if heads > 1 else 1 // 0", "1"}, {"1 // 0 if heads < 1 else 2", "2"}, {"1 if 0 else 2 if 0 else 3", "3"}});
}

TEST_CASE("expression: lists, objects and comprehensions", "[expression]") {
  check_all({{"kinds[1]", "\"sliding\""},
             {"kinds[-1]", "\"sliding\""},
             {"[1, 2, 3][0]", "1"},
             {"rope['theta']", "10000.0"},
             {"get(rope, 'theta', 1)", "10000.0"},
             {"get(rope, 'factor', 1)", "1"},
             {"get(nothing, 'factor', 2)", "2"},
             {"get(rope, 'absent')", "null"},
             {"[i * i for i in 4]", "[0, 1, 4, 9]"},
             {"['x' + k for k in kinds]", "[\"xfull\", \"xsliding\"]"},
             {"['full' if (i + 1) % 2 == 0 else 'sliding' for i in 3]", "[\"sliding\", \"full\", \"sliding\"]"},
             {"[[i + j for j in 2] for i in 2]", "[[0, 1], [1, 2]]"},
             {"len(kinds)", "2"}});
}

TEST_CASE("expression: functions", "[expression]") {
  check_all({{"min(3, 1, 2)", "1"},
             {"max([3, 1.5])", "3"},
             {"int(7.9)", "7"},
             {"int(-7.9)", "-7"},
             {"round(2.5)", "2"},
             {"round(3.5)", "4"},
             {"ceil(2.1)", "3"},
             {"floor(-2.1)", "-3"},
             {"sum([1, 2, 3])", "6"},
             {"abs(-3)", "3"},
             {"sqrt(16)", "4.0"},
             {"log(1)", "0.0"},
             {"any([0, 1])", "true"},
             {"all([0, 1])", "false"},
             {"is_list([0])", "true"},
             {"is_list(0)", "false"},
             {"prime_after(0, 4)", "7"},
             {"prime_after(7, 1)", "11"},
             {"prime_after(19999999, 16)", "20000171"},
             {"member_at(numbered, 5)", "\"five\""},
             {"member_at(numbered, 0)", "\"zero\""},
             {"member_at(numbered, 50)", "null"},
             {"member_at(none, 1)", "null"},
             {"float(2)", "2.0"}});
}

TEST_CASE("expression: what cannot be evaluated says why", "[expression][errors]") {
  check_all({{"1 // 0", "error: division by zero"},
             {"1 % 0", "error: division by zero"},
             {"1 / 0.0", "error: division by zero"},
             {"9223372036854775807 + 1", "error: integer overflow in 9223372036854775807 + 1"},
             {"4611686018427387904 * 2", "error: integer overflow in 4611686018427387904 * 2"},
             {"10 ** 100", "error: integer overflow in 10 ** 100"},
             {"-7 - 9223372036854775807", "error: integer overflow in -7 - 9223372036854775807"},
             {"10.0 ** 400", "error: the result of 10.0 ** 400 is not finite"},
             {"text_number * 2", "error: \"text_number\" is a string \"80\", a number is needed"},
             {"nothing * 2", "error: \"nothing\" is none, a number is needed"},
             {"kinds < 2", "error: \"kinds\" is a list [\"full\", \"sliding\"], a number is needed"},
             {"kinds[2]", "error: index 2 is outside \"kinds\" of length 2"},
             {"rope['nope']", "error: the object has no key \"nope\""},
             {"heads[0]", "error: \"heads\" is an integer 32, a list, an object or a text is needed"},
             {"1 in heads", "error: \"heads\" is an integer 32, a list or an object is needed"},
             {"len(heads)", "error: len(32) has no value"},
             {"min([])", "error: min([]) has no value"},
             {"[i for i in 1000000]", "error: a list has at most 131072 elements"},
             {"sum([sum([j for j in 10000]) for i in 10000])", "error: the expression takes more than 5000000 steps"}});
}

TEST_CASE("expression: what is no expression says where", "[expression][errors]") {
  check_all({{"", "error: expected a value, found the end"},
             {"1 +", "error: expected a value, found the end"},
             {"(1", "error: expected \")\", found the end"},
             {"1 2", "error: unexpected \"2\""},
             {"f(a b)", "error: expected \",\", found \"b\""},
             {"min(1, x=2, 3)", "error: a positional argument after a keyword argument"},
             {"min(x=1, x=2)", "error: keyword \"x\" is given twice"},
             {"'abc", "error: expected a value, found a string without its closing quote"},
             {"1 if 2", "error: expected \"else\", found the end"},
             {"a not b", "error: expected \"in\" after \"not\", found \"b\""},
             {"[x for 3 in y]", "error: expected a name after \"for\", found \"3\""},
             {"99999999999999999999", "1e+20"},
             {"12abc", "error: not a number: \"12abc\""},
             {"1 ? 2", "error: unexpected \"?\""},
             {"if", "error: expected a value, found \"if\""},
             {"hiden + 1", "error: unknown name \"hiden\""},
             {"maxi(1)", "error: unknown function \"maxi\""},
             {"len(1, 2)", "error: len() takes 1 argument, not 2"},
             {"len(x=kinds)", "error: len() takes no keywords"}});
  CHECK(result(std::string(100, '(') + "1") == "error: nested too deeply");
  CHECK(result(std::string(100, '-') + "1") == "error: nested too deeply");
  std::string sum = "1";
  for (int i = 0; i < 300; ++i) sum += "+1";
  CHECK(result(sum) == "error: an expression has at most 200 parts");
}

TEST_CASE("expression: errors show the text with a caret and near names", "[expression][errors]") {
  const auto broken = parse_expression("linear(hidden, 3");
  REQUIRE(!broken);
  CHECK(broken.error().details == std::vector<std::string>{"linear(hidden, 3", "                ^"});
  Fields fields;
  Scope scope = fields.scope();
  auto expression = parse_expression("2 * hiden");
  REQUIRE(expression);
  const auto bound = bind_names(*expression, scope);
  REQUIRE(!bound);
  CHECK(bound.error().details == std::vector<std::string>{"2 * hiden", "    ^^^^^", "near: hidden"});
}

TEST_CASE("expression: a fault names the field whose value is to blame", "[expression][errors]") {
  Fields fields;
  Scope scope = fields.scope();
  auto expression = parse_expression("heads * text_number");
  REQUIRE(expression);
  REQUIRE(bind_names(*expression, scope));
  std::vector<Value> frame;
  Evaluator evaluator(fields, frame);
  Value scratch;
  REQUIRE(evaluator.evaluate(expression->root, scratch) == nullptr);
  CHECK(evaluator.fault().field == scope.find("text_number"));
  CHECK(evaluator.fault().need == "a number");
}

TEST_CASE("expression: a comprehension's variable is unknown outside it", "[expression]") {
  CHECK(result("[i for i in 2] + [i]") == "error: unknown name \"i\"");
}

}  // namespace tpsim
