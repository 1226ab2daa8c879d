#include "core/model.h"

#include <algorithm>

#include "tests/catch.hpp"
#include "tests/error_text.h"
#include "tests/unit/toy_description.h"

namespace tpsim {
namespace {

// The toy with its first layers dense and the others with experts: a fused tensor each for gate and up, and for down.
std::string toy_with_experts() {
  auto text = toy::toy_with("\"mlp\": \"MLP()\"", "\"mlp\": \"MLP() if layer_idx < 2 else Moe()\"");
  text.insert(text.find("\"MLP\": {"),
              R"j("Moe": { 
      "modules": { "gate": "linear(hidden_size, 3, bias=false)", "experts": "Experts()" },
      "forward": ["(x)", "f = flatten_tokens(x)", "w, i = topk_route(gate(f), 2)",
        "return unflatten_tokens(experts(f, i, w), x)"] },
    "Experts": { "attributes": { "num_experts": 3 }, "buffers": { "counts": [3] },
      "tensors": { "gate_up_proj": [3, "2 * intermediate_size", "hidden_size"],
                   "down_proj": [3, "hidden_size", "intermediate_size"],
                   "bias": [3, "if bias"] },
      "forward": ["(x, i, w)", "return experts(x, i, w, gate_up_proj, down_proj, act=hidden_act)"] }, )j");
  text.insert(text.find("\"tie\":"), R"j("checkpoint": [
    { "module": "model.layers.*.mlp.experts.gate_up_proj", "how": "stack_concat",
      "disk": ["model.layers.*.mlp.experts.{e}.w1.weight", "model.layers.*.mlp.experts.{e}.w3.weight"] },
    { "module": "model.layers.*.mlp.experts.down_proj",
      "disk": "model.layers.*.mlp.experts.{e}.w2.weight", "how": "stack" },
    { "module": "model.layers.*.mlp.gate.weight", "disk": "model.layers.*.router.weight" } ], )j");
  return text;
}

Model model_of(const std::string& text, std::string_view members = "{}") {
  auto model = toy::build(text, members);
  INFO(error_text(model));
  REQUIRE(model);
  return *std::move(model);
}

std::vector<std::string> names(const std::vector<NamedParameter>& parameters) {
  std::vector<std::string> all;
  for (const auto& parameter : parameters) all.push_back(parameter.name);
  return all;
}

}  // namespace

TEST_CASE("model: parameters are named in PyTorch's order", "[model]") {
  const auto model = model_of(toy::kToy, R"({"num_hidden_layers": 1, "bias": true})");
  CHECK(names(named_parameters(model)) ==
        std::vector<std::string>{"model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight",
                                 "model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.k_proj.weight",
                                 "model.layers.0.self_attn.k_proj.bias", "model.layers.0.self_attn.v_proj.weight",
                                 "model.layers.0.self_attn.v_proj.bias", "model.layers.0.self_attn.o_proj.weight",
                                 "model.layers.0.self_attn.o_proj.bias", "model.layers.0.mlp.gate_proj.weight",
                                 "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight",
                                 "model.layers.0.input_layernorm.weight", "model.norm.weight", "lm_head.weight"});
}

TEST_CASE("model: the count is the sum of all parameters", "[model]") {
  // embedding and head 100 x 64; per layer 4 x 64 x 64 + 3 x 64 x 96 + 64; norm 64
  const std::int64_t layer = 4 * 64 * 64 + 3 * 64 * 96 + 64;
  CHECK(parameter_count(model_of(toy::kToy)) == 2 * 6400 + 4 * layer + 64);
  CHECK(parameter_count(model_of(toy::kToy, R"({"tie_word_embeddings": true})")) == 6400 + 4 * layer + 64);
  std::int64_t sum = 0;
  const auto experts = model_of(toy_with_experts());
  for (const auto& parameter : named_parameters(experts)) sum += parameter.shape.numel();
  CHECK(parameter_count(experts) == sum);
}

TEST_CASE("model: a tied head is no parameter of its own", "[model]") {
  const auto model = model_of(toy::kToy, R"({"tie_word_embeddings": true})");
  const auto all = names(named_parameters(model));
  CHECK(model.tied);
  CHECK(model.ties ==
        std::vector<std::pair<std::string, std::string>>{{"lm_head.weight", "model.embed_tokens.weight"}});
  CHECK(std::count(all.begin(), all.end(), "lm_head.weight") == 0);
  CHECK(std::count(all.begin(), all.end(), "model.embed_tokens.weight") == 1);
  const auto groups = parameter_groups(model);
  CHECK(std::none_of(groups.begin(), groups.end(), [](const auto& g) { return g.pattern == "lm_head.weight"; }));
  CHECK(model_of(toy::kToy).ties.empty());
}

TEST_CASE("model: groups fold equal elements and count them", "[model]") {
  const auto groups = parameter_groups(model_of(toy_with_experts()));
  const auto find = [&](const std::string& pattern) {
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.pattern == pattern; });
    INFO(pattern);
    REQUIRE(found != groups.end());
    return *found;
  };
  CHECK(find("model.layers.*.self_attn.q_proj.weight").count == 4);
  CHECK(find("model.layers.*.mlp.up_proj.weight").count == 2);
  CHECK(find("model.layers.*.mlp.experts.gate_up_proj").count == 2);
  CHECK(find("model.layers.*.mlp.experts.gate_up_proj").shape == Shape{3, 192, 64});
  CHECK(groups.front().pattern == "model.embed_tokens.weight");
  CHECK(groups.back().pattern == "lm_head.weight");
  CHECK(std::none_of(groups.begin(), groups.end(), [](const auto& g) { return g.pattern.ends_with("experts.bias"); }));
}

TEST_CASE("model: one pattern with two shapes makes two groups", "[model]") {
  const auto text = toy::toy_with("\"input_layernorm\": \"rmsnorm(hidden_size, eps=eps)\"",
                                  "\"input_layernorm\": \"rmsnorm(hidden_size if layer_idx == 0 else 1)\"");
  const auto groups = parameter_groups(model_of(text));
  std::vector<std::int64_t> counts;
  for (const auto& group : groups) {
    if (group.pattern == "model.layers.*.input_layernorm.weight") counts.push_back(group.count);
  }
  CHECK(counts == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("model: buffers are no parameters", "[model]") {
  const auto model = model_of(toy_with_experts());
  const auto experts =
      std::find_if(model.types.begin(), model.types.end(), [](const auto& t) { return t.num_experts == 3; });
  REQUIRE(experts != model.types.end());
  REQUIRE(experts->buffers.size() == 1);
  CHECK(experts->buffers[0].name == "counts");
  const auto all = names(named_parameters(model));
  CHECK(std::none_of(all.begin(), all.end(), [](const auto& name) { return name.ends_with("counts"); }));
}

TEST_CASE("model: names on disk", "[model]") {
  const auto model = model_of(toy_with_experts());
  CHECK(checkpoint_names(model, "model.norm.weight") == std::vector<std::string>{"model.norm.weight"});
  CHECK(checkpoint_names(model, "model.layers.2.mlp.gate.weight") ==
        std::vector<std::string>{"model.layers.2.router.weight"});
  CHECK(checkpoint_names(model, "model.layers.2.mlp.experts.down_proj") ==
        std::vector<std::string>{"model.layers.2.mlp.experts.0.w2.weight", "model.layers.2.mlp.experts.1.w2.weight",
                                 "model.layers.2.mlp.experts.2.w2.weight"});
  CHECK(checkpoint_names(model, "model.layers.3.mlp.experts.gate_up_proj") ==
        std::vector<std::string>{"model.layers.3.mlp.experts.0.w1.weight", "model.layers.3.mlp.experts.0.w3.weight",
                                 "model.layers.3.mlp.experts.1.w1.weight", "model.layers.3.mlp.experts.1.w3.weight",
                                 "model.layers.3.mlp.experts.2.w1.weight", "model.layers.3.mlp.experts.2.w3.weight"});
  CHECK(checkpoint_names(model, "model.layers.x.mlp.gate.weight") ==
        std::vector<std::string>{"model.layers.x.mlp.gate.weight"});
}

}  // namespace tpsim
