#include "core/architecture.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/catch.hpp"
#include "tests/error_text.h"
#include "tests/unit/toy_description.h"

namespace tpsim {
namespace {

using toy::build;
using toy::kToy;
using toy::toy_with;

const Shape& shape_of(const std::vector<NamedParameter>& parameters, const std::string& name) {
  const auto found = std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == name; });
  INFO(name);
  REQUIRE(found != parameters.end());
  return found->shape;
}

Shape shape(const Result<Model>& model, const std::string& name) {
  INFO(error_text(model));
  REQUIRE(model);
  return shape_of(named_parameters(*model), name);
}

std::string message(const Result<Model>& model) { return model ? "no error" : model.error().message; }

// toy plus a type that extends it.
Result<Model> build_extended(const std::string& extension, std::string_view members = "{}",
                             const Dialect& dialect = kNewestDialect) {
  auto architecture = toy::load({{"toy", kToy}, {"more", extension}}, "more", dialect);
  if (!architecture) return architecture.error();
  return build_model(*architecture, toy::config(members));
}

constexpr const char* kQ = "model.layers.0.self_attn.q_proj.weight";
constexpr const char* kK = "model.layers.0.self_attn.k_proj.weight";

}  // namespace

TEST_CASE("architecture: defaults, config values and aliases", "[architecture]") {
  CHECK(shape(build(kToy), kQ) == Shape{64, 64});
  CHECK(shape(build(kToy, R"({"head_dim": 12})"), kQ) == Shape{96, 64});
  CHECK(shape(build(kToy, R"({"n_embd": 128})"), kQ) == Shape{128, 128});
  CHECK(shape(build(kToy, R"({"n_embd": 128, "hidden_size": 32})"), kQ) == Shape{32, 32});
  CHECK(shape(build(kToy, R"({"num_key_value_heads": 2})"), kK) == Shape{16, 64});
  CHECK(shape(build(kToy, R"({"num_key_value_heads": null})"), kK) == Shape{64, 64});
}

TEST_CASE("architecture: absent and null can mean different things", "[architecture]") {
  const auto text = toy_with("\"num_key_value_heads\": \"= num_attention_heads\"",
                             R"("num_key_value_heads": { "absent": 2, "null": "= num_attention_heads" })");
  CHECK(shape(build(text), kK) == Shape{16, 64});
  CHECK(shape(build(text, R"({"num_key_value_heads": null})"), kK) == Shape{64, 64});
  CHECK(shape(build(text, R"({"num_key_value_heads": 4})"), kK) == Shape{32, 64});
}

TEST_CASE("architecture: equal layers share one type, others do not", "[architecture]") {
  const auto equal = build(kToy, R"({"num_hidden_layers": 80})");
  REQUIRE(equal);
  const auto layers = [](const Model& model) -> const Child& {
    return model.type(model.type(model.root).children[0].types[0]).children[1];
  };
  CHECK(layers(*equal).name == "layers");
  CHECK(layers(*equal).types.size() == 80);
  CHECK(std::count(layers(*equal).types.begin(), layers(*equal).types.end(), layers(*equal).types[0]) == 80);
  CHECK(equal->types.size() == 13);

  const auto mixed = build(kToy, R"({"sliding_window": 16, "layer_types": ["sliding", "full", "sliding", "full"]})");
  REQUIRE(mixed);
  const auto types = layers(*mixed).types;
  CHECK(types[0] == types[2]);
  CHECK(types[1] == types[3]);
  CHECK(types[0] != types[1]);
  // Without a window both kinds come to the same.
  const auto same = build(kToy, R"({"layer_types": ["sliding", "full", "sliding", "full"]})");
  REQUIRE(same);
  CHECK(layers(*same).types[0] == layers(*same).types[1]);
}

TEST_CASE("architecture: types that come to the same by different texts share a number", "[architecture]") {
  const auto text =
      toy_with("\"mlp\": \"MLP()\"", "\"mlp\": \"MLP() if layer_idx < 2 else Same(layer_idx=layer_idx)\"");
  const std::string block = R"j("Same": { "class": "ToyMLP", "parameters_of_block": ["layer_idx"], "modules": {
      "gate_proj": "linear(hidden_size, intermediate_size, bias=false)",
      "up_proj": "linear(hidden_size, intermediate_size, bias=false)",
      "down_proj": "linear(intermediate_size, hidden_size, bias=layer_idx < 0)", "act_fn": "activation(hidden_act)" },
      "forward": ["(x)", "return down_proj(act_fn(gate_proj(x)) * up_proj(x))"] }, )j";
  auto with_block = text;
  with_block.insert(with_block.find("\"MLP\": {"), block);
  const auto model = build(with_block);
  INFO(error_text(model));
  REQUIRE(model);
  CHECK(model->types.size() == 13);
}

TEST_CASE("architecture: attributes, classes and numbers for execution", "[architecture]") {
  const auto model = build(kToy);
  REQUIRE(model);
  const auto find_class = [&](const std::string& name) {
    return std::find_if(model->types.begin(), model->types.end(), [&](const auto& t) { return t.class_name == name; });
  };
  REQUIRE(find_class("ToyRMSNorm") != model->types.end());
  CHECK(find_class("ToyRMSNorm")->eps == 1e-5);
  REQUIRE(find_class("ToyRotaryEmbedding") != model->types.end());
  REQUIRE(find_class("ToyRotaryEmbedding")->rotaries.size() == 1);
  CHECK(find_class("ToyRotaryEmbedding")->rotaries.front().columns == 8);
  REQUIRE(find_class("Linear") != model->types.end());
  CHECK(find_class("Linear")->in_features == 64);
  REQUIRE(find_class("ToyMLP") != model->types.end());
  CHECK(!find_class("ToyMLP")->in_features);
  CHECK(model->type(model->root).class_name == "ToyForCausalLM");
  CHECK(model->hidden_size == 64);
  CHECK(model->query_heads == 8);
  CHECK(model->kv_heads == 8);
  CHECK(model->head_dim == 8);
  CHECK(model->layers == 4);
  CHECK(model->vocab_size == 100);
  CHECK(model->intermediate_size == 96);
  CHECK(model->experts == 0);
}

TEST_CASE("architecture: block parameters have defaults and shadow fields", "[architecture]") {
  auto text = toy_with("\"MLP\": {", "\"MLP\": { \"parameters_of_block\": [\"intermediate_size=intermediate_size\"],");
  CHECK(shape(build(text), "model.layers.0.mlp.up_proj.weight") == Shape{96, 64});
  text.replace(text.find("\"MLP()\""), 7, "\"MLP(intermediate_size=3 * hidden_size)\"");
  CHECK(shape(build(text), "model.layers.0.mlp.up_proj.weight") == Shape{192, 64});
}

TEST_CASE("architecture: extends merges, replaces and deletes", "[architecture]") {
  const std::string extension = R"j({ "model_type": "more", "extends": "toy", "class": "MoreForCausalLM",
    "config": { "bias": true, "layer_types": null },
    "blocks": {
      "Attention": { "locals": { "window": "none" }, 
        "modules": { "q_norm": "rmsnorm(head_dim, weight=true)", "v_proj": null },
        "forward": ["(hidden_states, attention_mask, position_embeddings)",
          "q = q_norm(q_proj(hidden_states))", "return o_proj(q), none"] },
      "MLP": { "inherit": false, "modules": { "down": "linear(hidden_size, hidden_size)" },
        "forward": ["(x)", "return down(x)"] } } })j";
  const auto model = build_extended(extension);
  INFO(error_text(model));
  REQUIRE(model);
  const auto named = named_parameters(*model);
  CHECK(shape_of(named, "model.layers.0.self_attn.q_norm.weight") == Shape{8});
  CHECK(shape_of(named, "model.layers.0.self_attn.q_proj.bias") == Shape{64});
  CHECK(shape_of(named, "model.layers.3.mlp.down.bias") == Shape{64});
  std::string names;
  for (const auto& parameter : named) names += parameter.name + "\n";
  CHECK(names.find("v_proj") == std::string::npos);
  CHECK(names.find("gate_proj") == std::string::npos);
  CHECK(model->class_name == "MoreForCausalLM");
  CHECK(model->model_type == "more");
}

TEST_CASE("architecture: overlays hold for their versions, in order", "[architecture]") {
  auto text = toy_with("\"tie\":", R"j("versions": [
      { "below": "5.0", "config": { "intermediate_size": 10 } },
      { "from": "5.0", "below": "5.16", "config": { "intermediate_size": 20 } },
      { "from": "5.15.1", "config": { "vocab_size": 7 } } ], "tie":)j");
  const auto up = "model.layers.0.mlp.up_proj.weight";
  CHECK(shape(build(text, "{}", {4, 57, 6}), up) == Shape{10, 64});
  CHECK(shape(build(text, "{}", {5, 0, 0}), up) == Shape{20, 64});
  CHECK(shape(build(text, "{}", {5, 15, 0}), "lm_head.weight") == Shape{100, 64});
  CHECK(shape(build(text, "{}", {5, 15, 1}), "lm_head.weight") == Shape{7, 64});
  CHECK(shape(build(text, "{}", {5, 16, 0}), up) == Shape{96, 64});
  CHECK(shape(build(toy_with("\"bias\": false", "\"bias\": \"= transformers < version(5, 0)\""), "{}", {4, 57, 0}),
              "model.layers.0.self_attn.q_proj.bias") == Shape{64});
}

TEST_CASE("architecture: a base's overlays come before what extends it", "[architecture]") {
  const auto base = toy_with(
      "\"tie\":",
      R"j("versions": [ { "below": "5.0", "config": { "intermediate_size": 10, "vocab_size": 10 } } ], "tie":)j");
  const std::string extension =
      R"({ "model_type": "more", "extends": "toy", "class": "MoreForCausalLM", "config": { "vocab_size": 30 } })";
  const auto architecture = toy::load({{"toy", base}, {"more", extension}}, "more", {4, 57, 0});
  REQUIRE(architecture);
  const auto model = build_model(*architecture, toy::config());
  CHECK(shape(model, "lm_head.weight") == Shape{30, 64});
  CHECK(shape(model, "model.layers.0.mlp.up_proj.weight") == Shape{10, 64});
}

TEST_CASE("architecture: since holds for the type itself, not for types that extend it", "[architecture][errors]") {
  const auto since = toy_with("\"source\"", "\"since\": \"5.13\", \"source\"");
  CHECK(build(since));
  CHECK(error_text(build(since, "{}", {4, 57, 0})) ==
        "error: toy is described from transformers-5.13 on, not for transformers-4.57\n"
        "  --> toy.json#/since\n"
        "  fix: --dialect transformers-5.13   or a later one\n");
  const std::string extension = R"({ "model_type": "more", "extends": "toy", "class": "MoreForCausalLM" })";
  CHECK(toy::load({{"toy", since}, {"more", extension}}, "more", {4, 57, 0}));
}

TEST_CASE("architecture errors: unknown and cyclic types", "[architecture][errors]") {
  const auto extending = [](const std::string& name, const std::string& base) {
    return R"({ "model_type": ")" + name + R"(", "extends": ")" + base + R"(", "class": "XForCausalLM" })";
  };
  CHECK(toy::load({}, "nothing_like_it").error().message == "no description of model type \"nothing_like_it\"");
  CHECK(toy::load({{"../toy", kToy}}, "../toy").error().message == "no description of model type \"../toy\"");
  const auto missing = toy::load({{"a", extending("a", "b")}}, "a");
  CHECK(missing.error().where == "a.json#/extends");
  const auto cyclic = toy::load({{"a", extending("a", "b")}, {"b", extending("b", "a")}}, "a");
  CHECK(error_text(cyclic) ==
        "error: \"extends\" is cyclic: a -> b -> a\n"
        "  --> b.json#/extends\n"
        "  fix: let one of these files state everything itself, without \"extends\"\n");
  toy::Texts chain;
  for (int i = 0; i < 20; ++i) chain["t" + std::to_string(i)] = extending("t", "t" + std::to_string(i + 1));
  CHECK(toy::load(chain, "t0").error().message.starts_with("\"extends\" is deeper than 16"));
}

TEST_CASE("architecture errors: the form of the file", "[architecture][errors]") {
  const auto fault = [](const std::string& piece, const std::string& replacement) {
    return error_text(build(toy_with(piece, replacement)));
  };
  CHECK(fault("\"base\":", "\"bse\":") ==
        "error: unknown key \"bse\"\n  --> toy.json#/bse\n  did you mean \"base\"?\n");
  CHECK(fault("\"class\": \"ToyForCausalLM\",", "") == "error: \"class\" is missing\n  --> toy.json#\n");
  CHECK(fault("\"class\": \"ToyForCausalLM\"", "\"class\": 3") ==
        "error: a string is needed here, not an integer\n  --> toy.json#/class\n");
  CHECK(fault("\"MLP\": {", "\"MLP\": { \"inherit\": \"no\",") ==
        "error: unknown key \"inherit\"\n  --> toy.json#/blocks/MLP/inherit\n");
  CHECK(fault("\"locals\"", "\"local\"") ==
        "error: unknown key \"local\"\n  --> toy.json#/blocks/Attention/local\n  did you mean \"locals\"?\n");
  CHECK(fault("\"n_embd\": \"hidden_size\"", "\"n_embd\": \"hidden\"") ==
        "error: \"config\" has no field \"hidden\"\n  --> toy.json#/aliases/n_embd\n");
  CHECK(fault("\"n_embd\": \"hidden_size\"", "\"eps\": \"hidden_size\"") ==
        "error: \"eps\" is a field itself\n  --> toy.json#/aliases/eps\n");
  CHECK(fault("\"ForCausalLM\": {", "\"Root\": {") ==
        "error: there is no block \"ForCausalLM\", the root\n  --> toy.json#/blocks\n");
  CHECK(fault("\"tie\": {", "\"versions\": [{}], \"tie\": {") ==
        "error: an overlay has \"from\", \"below\" or both\n  --> toy.json#/versions/0\n");
  CHECK(fault("\"tie\": {", "\"versions\": [{\"below\": \"five\"}], \"tie\": {") ==
        "error: \"below\" is a version such as \"5.0\", not \"five\"\n  --> toy.json#/versions/0/below\n");
  CHECK(fault("\"tie\": {", "\"versions\": [{\"below\": \"5.0\", \"extends\": \"x\"}], \"tie\": {") ==
        "error: an overlay cannot have \"extends\"\n  --> toy.json#/versions/0/extends\n");
  CHECK(fault("\"tie\": {", "\"checkpoint\": [{\"module\": \"a\"}], \"tie\": {") ==
        "error: a rule has \"module\" and \"disk\"\n  --> toy.json#/checkpoint/0\n");
  CHECK(fault("\"tie\": {", "\"checkpoint\": [{\"module\": \"a\", \"disk\": \"b\", \"how\": \"split\"}], \"tie\": {") ==
        "error: \"split\" is none of rename, stack, stack_concat, transpose, chunk, prefix, concat, interleave\n  --> "
        "toy.json#/checkpoint/0/how\n");
  const auto chunk_fault =
      "error: \"chunk\", and nothing else, has one \"disk\" name and \"part\" below \"parts\"\n  --> "
      "toy.json#/checkpoint/0\n";
  CHECK(fault("\"tie\": {",
              "\"checkpoint\": [{\"module\": \"a\", \"disk\": \"b\", \"how\": \"chunk\", \"part\": 2, "
              "\"parts\": 2}], \"tie\": {") == chunk_fault);
  CHECK(fault("\"tie\": {", "\"checkpoint\": [{\"module\": \"a\", \"disk\": \"b\", \"part\": 0}], \"tie\": {") ==
        chunk_fault);
  CHECK(message(build("[]")) == "a description is an object, not a list");
  CHECK(message(build("{")).find("not valid JSON") != std::string::npos);
}

TEST_CASE("architecture errors: modules and expressions", "[architecture][errors]") {
  const auto fault = [](const std::string& piece, const std::string& replacement) {
    return error_text(build(toy_with(piece, replacement)));
  };
  CHECK(fault("\"embedding(vocab_size, hidden_size)\"", "\"embedding(vocab_size, hiden_size)\"") ==
        "error: unknown name \"hiden_size\"\n"
        "  --> toy.json#/blocks/Model/modules/embed_tokens\n"
        "  embedding(vocab_size, hiden_size)\n"
        "                        ^^^^^^^^^^\n"
        "  near: hidden_size\n");
  CHECK(fault("\"MLP()\"", "\"MPL()\"") ==
        "error: unknown module or block \"MPL\"\n"
        "  --> toy.json#/blocks/Layer/modules/mlp\n"
        "  MPL()\n"
        "  ^^^^^\n"
        "  near: MLP\n");
  CHECK(fault("\"MLP()\"", "\"MLP(3)\"") ==
        "error: MLP() is given 1 arguments and takes at most 0\n"
        "  --> toy.json#/blocks/Layer/modules/mlp\n"
        "  MLP(3)\n"
        "  ^^^^^^\n"
        "  it is MLP()\n");
  CHECK(message(build(toy_with("\"Attention(layer_idx=layer_idx)\"", "\"Attention()\""))) ==
        "Attention() lacks \"layer_idx\"");
  CHECK(message(build(toy_with("\"MLP()\"", "\"3 + 4\""))).starts_with("expected a module"));
  CHECK(message(build(toy_with("\"MLP()\"", "\"linear(hidden_size\""))) == "expected \",\", found the end");
  CHECK(message(build(toy_with("\"MLP()\"", "\"Layer(layer_idx=1)\""))) == "a block contains itself: Layer -> Layer");
  CHECK(message(build(toy_with("\"window\": \"", "\"w\": \"window\", \"window\": \"w if layer_idx else "))) ==
        "locals need each other: w, window");
  CHECK(message(build(toy_with("\"head_dim\": \"= hidden_size //", "\"head_dim\": \"= hiden //"))) ==
        "unknown name \"hiden\"");
  CHECK(message(build(toy_with("\"MLP\": {", "\"MLP\": { \"tensors\": { \"up_proj\": [1] },"))) ==
        "\"up_proj\" is the name of two things of this block");
  CHECK(message(build(toy_with("\"MLP\": {", "\"MLP\": { \"attributes\": { \"num_expert\": 1 },"))) ==
        "unknown key \"num_expert\"");
  CHECK(message(build(toy_with("\"MLP\": {", "\"MLP\": { \"tensors\": { \"t\": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] },")))
            .starts_with("a tensor has at most"));
}

TEST_CASE("architecture errors: a place is in the file that says it", "[architecture][errors]") {
  const std::string extension = R"j({ "model_type": "more", "extends": "toy", "class": "MoreForCausalLM",
    "blocks": { "MLP": { "modules": { "up_proj": "linear(hidden_size, wrong)" } } },
    "versions": [ { "below": "5.0", "blocks": { "MLP": { "modules": { "down_proj": "linear(wrong, 1)" } } } } ] })j";
  CHECK(build_extended(extension).error().where == "more.json#/blocks/MLP/modules/up_proj");
  const auto good = std::string(extension).replace(extension.find("wrong"), 5, "96");
  CHECK(build_extended(good));
  CHECK(build_extended(good, "{}", {4, 57, 0}).error().where == "more.json#/versions/0/blocks/MLP/modules/down_proj");
}

TEST_CASE("architecture errors: config values that do not fit name the field", "[architecture][errors]") {
  CHECK(error_text(build(kToy, R"({"num_hidden_layers": "80", "hidden_size": 64})")) ==
        "error: \"num_hidden_layers\" is \"80\"; an integer from 1 to 100000 is needed\n"
        "  --> config.json (2 fields read)\n"
        "  num_hidden_layers = \"80\"\n"
        "  needed by toy.json#/blocks/Model/modules/layers\n"
        "    [Layer(layer_idx=i) for i in num_hidden_layers]\n"
        "                                 ^^^^^^^^^^^^^^^^^\n"
        "  fix: --set num_hidden_layers=80\n");
  CHECK(error_text(build(kToy, R"({"hidden_size": "64"})")) ==
        "error: \"hidden_size\" is \"64\"; an integer is needed\n"
        "  --> config.json (1 fields read)\n"
        "  hidden_size = \"64\"\n"
        "  needed by toy.json#/blocks/Model/modules/embed_tokens\n"
        "    embedding(vocab_size, hidden_size)\n"
        "                          ^^^^^^^^^^^\n"
        "  fix: --set hidden_size=64\n");
  CHECK(message(build(kToy, R"({"num_attention_heads": "8"})")) ==
        "\"num_attention_heads\" is a string \"8\" and model_type \"toy\" needs a number");
  CHECK(message(build(kToy, R"({"num_attention_heads": 0})")) ==
        "\"num_attention_heads\" is an integer 0 and model_type \"toy\" needs a number other than zero");
  CHECK(message(build(kToy, R"({"vocab_size": 0})")) == "\"vocab_size\" is 0; an extent is at least 1");
  CHECK(message(build(kToy, R"({"vocab_size": -5})")) == "\"vocab_size\" is -5; an extent is at least 1");
  CHECK(message(build(kToy, R"({"vocab_size": 1e3})")) == "\"vocab_size\" is 1000.0; an integer is needed");
  CHECK(message(build(kToy, R"({"vocab_size": true})")) == "\"vocab_size\" is true; an integer is needed");
  CHECK(message(build(kToy, R"({"vocab_size": 2199023255552})")) ==
        "\"vocab_size\" is 2199023255552; an extent is at most 2^40");
  CHECK(message(build(kToy, R"({"num_hidden_layers": 0})")) ==
        "\"num_hidden_layers\" is 0; an integer from 1 to 100000 is needed");
  CHECK(message(build(kToy, R"({"num_hidden_layers": 100001})")) ==
        "\"num_hidden_layers\" is 100001; an integer from 1 to 100000 is needed");
  CHECK(message(build(kToy, R"({"hidden_act": null})")) ==
        "\"hidden_act\" is null and model_type \"toy\" needs a value");
  CHECK(message(build(kToy, R"({"bias": "no"})")) == "\"bias\" is \"no\"; true or false is needed");
  CHECK(message(build(kToy, R"({"layer_types": ["full"]})")) == "index 1 is outside \"layer_types\" of length 1");
  CHECK(message(build(kToy, R"({"num_attention_heads": 9000000000000000000})")) ==
        "\"out\" of \"q_proj\" is 0; an extent is at least 1");
}

TEST_CASE("architecture errors: a missing field and what is like it", "[architecture][errors]") {
  const auto text = toy_with("\"num_attention_heads\": 8", "\"num_attention_heads\": null");
  CHECK(error_text(build(text, R"({"n_head": 32, "hidden_size": 64})")) ==
        "error: config.json has no \"num_attention_heads\" and model_type \"toy\" needs it\n"
        "  --> config.json (2 fields read)\n"
        "  described: made up\n"
        "  present and similar: \"n_head\" = 32\n"
        "  needed by toy.json#/config/head_dim\n"
        "     hidden_size // num_attention_heads\n"
        "                    ^^^^^^^^^^^^^^^^^^^\n"
        "  fix: --set num_attention_heads=32\n");
}

TEST_CASE("architecture errors: defaults that need each other", "[architecture][errors]") {
  auto text =
      toy_with("\"intermediate_size\": 96", "\"intermediate_size\": \"= wide\", \"wide\": \"= intermediate_size\"");
  CHECK(message(build(text)) == "the default of \"intermediate_size\" needs itself");
  CHECK(build(text, R"({"wide": 32})"));
  std::string chain;
  for (int i = 0; i < 30; ++i) chain += "\"f" + std::to_string(i) + "\": \"= f" + std::to_string(i + 1) + "\", ";
  text = toy_with("\"intermediate_size\": 96", chain + "\"f30\": 1, \"intermediate_size\": \"= f0\"");
  CHECK(message(build(text)) == "defaults need each other more than 16 deep, at \"f15\"");
}

TEST_CASE("architecture errors: sizes that no machine could hold", "[architecture][errors]") {
  CHECK(message(build(kToy, R"({"vocab_size": 1099511627776, "hidden_size": 1099511627776})")) ==
        "the model has more parameters than a 64-bit count holds");
  CHECK(message(build(kToy, R"({"num_hidden_layers": 100000, "head_dim": 4611686018427387904})"))
            .starts_with("integer overflow"));
  const auto lists = toy_with("\"MLP()\"", "\"[Pile() for i in 100000]\"");
  auto text = lists;
  text.insert(text.find("\"MLP\": {"),
              R"j("Pile": { "modules": { "m": "[MLP() for i in 100000]" }, "forward": ["(x)", "return x"] }, )j");
  text.replace(text.find("x + mlp(x + h)"), 14, "x + h");
  CHECK(message(build(text)) == "the model has more than 2000000 parameter tensors");
}

TEST_CASE("architecture: the example of docs/architecture.md is a description", "[architecture][docs]") {
  std::ifstream file("docs/architecture.md");
  REQUIRE(file);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const auto begin = page.find("```json\n") + 8;
  const auto example = page.substr(begin, page.find("```", begin) - begin);
  const auto architecture = toy::load({{"llama", example}}, "llama");
  INFO(error_text(architecture));
  REQUIRE(architecture);
  const auto model = build_model(*architecture, toy::config());
  REQUIRE(model);
  CHECK(parameter_count(*model) == 6'738'415'616);
}

TEST_CASE("architecture: built-in descriptions are found", "[architecture]") {
  const auto types = described_model_types();
  CHECK(std::find(types.begin(), types.end(), "llama") != types.end());
  for (const auto& type : types) {
    const auto architecture = load_architecture(type, kNewestDialect);
    INFO(type << "\n" << error_text(architecture));
    CHECK(architecture.has_value());
  }
}

}  // namespace tpsim
