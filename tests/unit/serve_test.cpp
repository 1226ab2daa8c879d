#include "cli/arguments.h"
#include "cli/serve_predictions.h"
#include "cli/serve_request.h"
#include "cli/size_result.h"
#include "core/json.h"
#include "core/text_file.h"
#include "tests/catch.hpp"
#include "tests/scratch.h"


using namespace tpsim;
using namespace tpsim::cli;

namespace {

using Words = std::vector<std::string>;

ServeRequest read_right(const std::string& line) {
  ServeRequest request = read_request(line);
  INFO(line);
  REQUIRE_FALSE(request.error);
  return request;
}

Options options_of(const std::string& parameters) {
  const ServeRequest request = read_right(R"({"method":"predict","params":)" + parameters + "}");
  Words words = {"sweep"};
  words.insert(words.end(), request.arguments.begin(), request.arguments.end());
  auto invocation = parse_arguments(words);
  REQUIRE(invocation);
  invocation->options.texts = request.texts;
  return invocation->options;
}

ValueObject first_row(ServePredictions& predictions, const std::string& parameters) {
  const auto text = predictions.answer(options_of(parameters));
  REQUIRE(text);
  const auto document = parse_json(*text, "answer");
  REQUIRE(document);
  const Value* const rows = find(std::get<ValueObject>(document->data), "rows");
  REQUIRE(rows != nullptr);
  return std::get<ValueObject>(std::get<ValueList>(rows->data).at(0).data);
}

std::int64_t integer(const ValueObject& row, const char* field) {
  return std::get<std::int64_t>(find(row, field)->data);
}

void check_against_report(ServePredictions& predictions, int batch, int context) {
  const auto row = first_row(predictions, R"({"model":"llama-3.1-8b","tp":2,"batch":)" + std::to_string(batch) +
                                              R"(,"prompt":64,"ctx":)" + std::to_string(context) + "}");
  Options options;
  options.model = "llama-3.1-8b";
  options.batch = batch;
  options.prompt = 64;
  options.context = context;
  const auto scenario = load_scenario(options);
  REQUIRE(scenario);
  const auto size = size_up(*scenario, 2, *measure_baseline(*scenario));
  REQUIRE(size);
  CHECK(integer(row, "total_bytes") == size->memory.total);
  CHECK(std::get<double>(find(row, "decode_us")->data) == Approx(size->decode->time.total.count() * 1e6).epsilon(1e-6));
}

}  // namespace

TEST_CASE("serve: a request is the command line that asks the same", "[serve]") {
  const auto request = read_right(
      R"({"id":"q","method":"plan.show","params":{"model":"gpt2","tp":[1,2],"kv_replicate":true,"base-plan":false,)"
      R"("set":{"n_layer":3,"torch_dtype":"float16"},"kv_dtype":null,"args":["--odd","x"]}})");
  CHECK(request.id == "\"q\"");
  CHECK(request.method == "plan show");
  CHECK(request.arguments == Words{"--model=gpt2", "--tp=1,2", "--kv-replicate", "--set=n_layer=3",
                                   "--set=torch_dtype=float16", "--", "--odd", "x"});
  CHECK(read_right(R"({"id":-7,"method":"analyze"})").method == "report");
  CHECK(read_right(R"({"id":-7,"method":"analyze"})").id == "-7");
}

TEST_CASE("serve: documents stand in place of files", "[serve]") {
  const auto request = read_right(R"({"method":"check","params":{"model":{"model_type":"llama"},"plan":{"a":"b"}}})");
  CHECK(request.texts.at("model") == R"({"model_type": "llama"})");
  CHECK(request.texts.at("plan") == R"({"a": "b"})");
  CHECK(request.arguments == Words{"--model=(request)", "--plan=(request)"});
}

TEST_CASE("serve: what is wrong with a request is said, and the id kept", "[serve]") {
  for (const char* line :
       {"", "[]", "{", R"({"id":3})", R"({"id":3,"method":"gui"})", R"({"id":3,"method":7})",
        R"({"id":3,"method":"fit","params":[]})", R"({"id":3,"method":"fit","params":{"nope":1}})",
        R"({"id":3,"method":"fit","params":{"json":true}})", R"({"id":3,"method":"fit","more":1})",
        R"({"id":3,"method":"fit","params":{"tp":[[1]]}})", R"({"id":3,"method":"fit","params":{"set":"a=b"}})",
        R"({"id":3,"method":"shard","params":{"args":"q_proj"}})",
        R"({"id":3,"schema":"tpsim.serve/2","method":"hello"})"}) {
    INFO(line);
    const auto request = read_request(line);
    CHECK(request.error);
    CHECK(request.id == (std::string(line).find("\"id\"") != std::string::npos ? "3" : "null"));
  }
  CHECK(read_request(R"({"id":[1],"method":"hello"})").id == "null");
}

TEST_CASE("serve: predictions are what a report says, in any order of questions", "[serve]") {
  ServePredictions predictions;
  check_against_report(predictions, 3, 700);
  check_against_report(predictions, 200, 9000);
  check_against_report(predictions, 1, 64);
}

TEST_CASE("serve: a file that changed is read anew", "[serve]") {
  const Scratch scratch;
  const std::string path = scratch.path("config.json");
  const auto write = [&](int layers) {
    std::ofstream(path) << R"({"model_type":"llama","hidden_size":64,"num_attention_heads":4,"intermediate_size":128,)"
                        << R"("vocab_size":100,"num_hidden_layers":)" << layers << "}";
  };
  ServePredictions predictions;
  write(2);
  const std::int64_t before = integer(first_row(predictions, R"({"model":")" + path + "\"}"), "weights_bytes");
  CHECK(integer(first_row(predictions, R"({"model":")" + path + "\"}"), "weights_bytes") == before);
  write(10);
  CHECK(integer(first_row(predictions, R"({"model":")" + path + "\"}"), "weights_bytes") > before);
}
