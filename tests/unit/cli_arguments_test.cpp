#include "cli/arguments.h"

#include <set>

#include "cli/commands.h"
#include "cli/flags.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Options parsed(const std::vector<std::string>& arguments) {
  const auto invocation = parse_arguments(arguments);
  INFO((invocation ? std::string() : invocation.error().message));
  REQUIRE(invocation.has_value());
  return invocation->options;
}

Error refused(const std::vector<std::string>& arguments) {
  const auto invocation = parse_arguments(arguments);
  REQUIRE(!invocation.has_value());
  CHECK(invocation.error().kind == ErrorKind::usage);
  return invocation.error();
}

}  // namespace

TEST_CASE("arguments: flags and command in any order", "[cli]") {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"report", "-m", "x", "--json", "-b", "4"},
                                             {"--json", "-b", "4", "report", "-m", "x"},
                                             {"-b4", "-m=x", "--json", "analyze"},
                                             {"--batch=4", "--model=x", "--format", "json", "report"}}) {
    const auto invocation = parse_arguments(arguments);
    REQUIRE(invocation.has_value());
    CHECK(invocation->command->name == "report");
    CHECK(invocation->options.model == "x");
    CHECK(invocation->options.batch == 4);
    CHECK(invocation->options.format == Format::json);
  }
}

TEST_CASE("arguments: two-word commands and operands", "[cli]") {
  const auto invocation = parse_arguments({"plan", "--to", "transformers-5.1", "convert", "-p", "plan.json"});
  REQUIRE(invocation.has_value());
  CHECK(invocation->command->name == "plan convert");
  CHECK(parsed({"shard", "-m", "x", "layers.0"}).operands == std::vector<std::string>{"layers.0"});
}

TEST_CASE("arguments: repeated flags collect, the last of others counts", "[cli]") {
  const Options options =
      parsed({"report", "-m", "x", "--set", "a=1", "--set", "b=2", "--tp", "2", "--tp", "4,8", "-vv"});
  CHECK(options.set == std::vector<std::string>{"a=1", "b=2"});
  CHECK(options.tp->sizes == std::vector<int>{4, 8});
  CHECK(options.verbosity == 2);
}

TEST_CASE("arguments: -- ends the flags, - is a value, digits behind a dash are values", "[cli]") {
  CHECK(parsed({"shard", "-m", "-", "--", "--odd"}).operands == std::vector<std::string>{"--odd"});
  CHECK(parsed({"shard", "-m", "-", "x"}).model == "-");
  CHECK(refused({"report", "-m", "x", "-b", "-1"}).message ==
        "--batch: \"-1\" is not a whole number from 1 to 1048576");
}

TEST_CASE("arguments: unknown flags name the nearest and the usage line", "[cli]") {
  const Error error = refused({"report", "--modle", "x"});
  CHECK(error.message == "unknown flag \"--modle\"");
  REQUIRE(error.details.size() == 2);
  CHECK(error.details[0].find("--model") != std::string::npos);
  CHECK(error.details[1].starts_with("usage: tpsim report -m MODEL"));
  CHECK(refused({"report", "-x"}).message == "unknown flag \"-x\"");
}

TEST_CASE("arguments: unknown commands and actions", "[cli]") {
  CHECK(refused({"repot"}).message == "unknown command \"repot\"");
  CHECK(refused({"repot"}).details[0] == "nearest: report");
  CHECK(refused({"plan"}).message == "plan needs an action");
  CHECK(refused({"plan", "shwo"}).message == "unknown action \"shwo\" of plan");
  CHECK(refused({}).message == "no command given");
}

TEST_CASE("arguments: missing values, missing flags, flags of other commands", "[cli]") {
  CHECK(refused({"report", "-m"}).message == "--model needs a value: --model MODEL");
  CHECK(refused({"report", "-m", "--json"}).message == "--model needs a value: --model MODEL");
  CHECK(refused({"report"}).message == "report needs --model");
  CHECK(refused({"report", "-m", "x", "--fix"}).message == "report has no flag --fix");
  CHECK(refused({"report", "-m", "x", "--json=yes"}).message == "--json takes no value");
  CHECK(refused({"shard", "-m", "x"}).message == "shard needs MODULE");
  CHECK(refused({"report", "-m", "x", "y"}).message == "unexpected \"y\" after report");
}

TEST_CASE("arguments: bad values name the flag and what it takes", "[cli]") {
  CHECK(refused({"report", "-m", "x", "--format", "xml"}).message ==
        "--format: \"xml\" is not one of table, plain, json, ndjson, csv, md, html, github, sarif");
  CHECK(refused({"report", "-m", "x", "--tp", "4..2"}).message ==
        "--tp: \"4..2\" is not a list of sizes from 1 to 1024");
  CHECK(refused({"report", "-m", "x", "--tp", "1025"}).message.starts_with("--tp: "));
  CHECK(refused({"report", "-m", "x", "--dialect", "5.99"}).message.starts_with("--dialect: "));
  CHECK(refused({"report", "-m", "x", "--dtype", "fp99"}).message.starts_with("--dtype: "));
  CHECK(refused({"report", "-m", "x", "--width", "5"}).message ==
        "--width: \"5\" is not a whole number from 20 to 1000");
  CHECK(refused({"report", "-m", "x", "--set", "=3"}).message == "--set: \"=3\" is not of the form field=value");
  CHECK(refused({"report", "-m", "x", "--detail", "all,foo"}).message ==
        "--detail: \"foo\" is not one of shards, events, ops, layers, chunks, all");
  CHECK(refused({"report", "-m", "x", "-o", ""}).message == "--output: the value is empty");
}

TEST_CASE("arguments: help and version need no command and no required flag", "[cli]") {
  CHECK(parsed({"--version"}).version);
  CHECK(parsed({"--help"}).long_help);
  CHECK(!parsed({"--help"}).short_help);
  CHECK(parsed({"-h"}).short_help);
  CHECK(parsed({"report", "-h"}).short_help);
}

TEST_CASE("arguments: errors before a command is known still tell whether JSON is wanted", "[cli]") {
  CHECK(asks_for_json({"--json", "nonsense"}));
  CHECK(asks_for_json({"--format", "json"}));
  CHECK(asks_for_json({"--format=json"}));
  CHECK(!asks_for_json({"--format", "csv"}));
  CHECK(!asks_for_json({"--", "--json"}));
}

TEST_CASE("flag table: names are unique, every command's required flags are its own", "[cli]") {
  std::set<std::string_view> names;
  std::set<char> letters;
  for (const Flag& flag : all_flags()) {
    INFO(flag.name);
    CHECK(names.insert(flag.name).second);
    CHECK((flag.short_name == 0 || letters.insert(flag.short_name).second));
    CHECK(!flag.help.empty());
  }
  CHECK(letters == std::set<char>{'b', 'h', 'm', 'n', 'o', 'p', 'q', 'v'});
  for (const Command& command : all_commands()) {
    INFO(command.name);
    CHECK(command.run != nullptr);
    for (const auto& group : {command.required, command.in_usage})
      for (const auto name : group) {
        REQUIRE(find_flag(name) != nullptr);
        CHECK((find_flag(name)->sets & (command.flags | kEverywhere)) != 0);
      }
  }
}
