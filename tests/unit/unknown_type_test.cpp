#include "core/unknown_type.h"

#include <algorithm>

#include "core/architecture.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

constexpr char kSizes[] = R"("hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 4, "intermediate_size": 128, "vocab_size": 256)";

Config config(const std::string& members) {
  auto read = read_config("{" + members + "}", "config.json");
  REQUIRE(read);
  return std::move(*read);
}

Error refusal(const std::string& members) { return unknown_type_error(config(members), kNewestDialect); }

bool offers(const Error& error, const std::string& fix) {
  return std::find(error.fixes.begin(), error.fixes.end(), fix) != error.fixes.end();
}

bool hints(const Error& error) {
  return std::any_of(error.details.begin(), error.details.end(),
                     [](const std::string& line) { return line.starts_with("did you mean"); });
}

Checkpoint headers_of(const Model& model) {
  Checkpoint checkpoint;
  for (const NamedParameter& p : named_parameters(model))
    checkpoint.tensors.push_back({p.name, "BF16", p.shape, 0, 0, 0});
  return checkpoint;
}

}  // namespace

TEST_CASE("unknown type: a class of a described family is offered with its flag", "[unknown_type]") {
  const std::string sizes = kSizes;
  CHECK(offers(refusal(R"("model_type": "lyra", "architectures": ["LlamaForCausalLM"], )" + sizes),
               "--set model_type=llama"));
  CHECK(offers(refusal(R"("model_type": "qwen3_memory", )" + sizes), "--set model_type=qwen3"));
  CHECK(
      offers(refusal(R"("model_type": "lyra", "auto_map": {"AutoConfig": "configuration_x.MistralConfig"}, )" + sizes),
             "--set model_type=mistral"));
}

TEST_CASE("unknown type: no offer where sizes are missing", "[unknown_type]") {
  const Error error = refusal(R"("model_type": "lyra", "architectures": ["LlamaForCausalLM"], "hidden_size": 64)");
  CHECK_FALSE(offers(error, "--set model_type=llama"));
  REQUIRE_FALSE(error.details.empty());
  CHECK(error.details.front().find("needs num_hidden_layers") != std::string::npos);
}

TEST_CASE("unknown type: names that are near by chance are no hint, slips are", "[unknown_type]") {
  CHECK_FALSE(hints(refusal(R"("model_type": "gla", "hidden_size": 64)")));
  CHECK_FALSE(hints(refusal(R"("model_type": "molmo", "architectures": ["MolmoForCausalLM"])")));
  CHECK(hints(refusal(R"("model_type": "lama", "hidden_size": 64)")));
}

TEST_CASE("unknown type: names and shapes of headers are held against the family", "[unknown_type]") {
  const auto guess = guess_family(config(R"("model_type": "llama_x", )" + std::string(kSizes)), kNewestDialect);
  REQUIRE(guess);
  REQUIRE(guess->model);
  Checkpoint checkpoint = headers_of(*guess->model);
  CHECK(agreement(*guess->model, checkpoint) == "21 of 21 names agree; 21 of 21 shapes");
  checkpoint.tensors.front().shape = Shape{255, 64};
  checkpoint.tensors.back().name = "head.weight";
  const std::string text = agreement(*guess->model, checkpoint);
  CHECK(text.starts_with("20 of 21 names agree (not head.weight), 1 are absent; 19 of 21 shapes ("));
  INFO(text);
  CHECK(text.find("255") != std::string::npos);
}
