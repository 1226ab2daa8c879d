#include "core/config.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim {

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Config config_of(std::string_view text) {
  auto config = read_config(text, "config.json");
  INFO(error_text(config));
  REQUIRE(config);
  return *config;
}

std::string refusal(std::string_view text) { return error_text(read_config(text, "dir/config.json")); }

std::string field(const Config& config, std::string_view name) {
  const Value* value = config.find(name);
  return value != nullptr ? to_json(*value) : "absent";
}

}  // namespace

TEST_CASE("read_config: a plain config is taken as written", "[config]") {
  const Config config = config_of(text_of("tests/fixtures/configs/tiny-llama.json"));
  CHECK(config.model_type == "llama");
  CHECK(config.outer_model_type == "llama");
  CHECK(config.nested_in.empty());
  CHECK(config.architectures == std::vector<std::string>{"LlamaForCausalLM"});
  CHECK(config.dtype == "bfloat16");
  CHECK(field(config, "num_key_value_heads") == "4");
  CHECK(field(config, "rope_scaling") == "null");
  CHECK(field(config, "n_head") == "absent");
}

TEST_CASE("read_config: a composite yields its language model, however deep", "[config]") {
  const Config config = config_of(text_of("tests/fixtures/configs/tiny-omni.json"));
  CHECK(config.model_type == "tiny_omni_text");
  CHECK(config.outer_model_type == "tiny_omni");
  CHECK(config.nested_in == "thinker_config.text_config");
  CHECK(field(config, "hidden_size") == "64");
  CHECK(field(config, "tie_word_embeddings") == "true");
  CHECK(config.dtype == "float16");
}

TEST_CASE("read_config: the nested config takes dtype and tying from outside, nothing else", "[config]") {
  const Config config = config_of(R"({"model_type": "gemma3", "torch_dtype": "bfloat16", "tie_word_embeddings": false,
      "hidden_size": 7, "text_config": {"model_type": "gemma3_text", "num_hidden_layers": 2}})");
  CHECK(config.dtype == "bfloat16");
  CHECK(field(config, "tie_word_embeddings") == "false");
  CHECK(field(config, "hidden_size") == "absent");
  const Config own = config_of(R"({"dtype": "float32", "tie_word_embeddings": false,
      "llm_config": {"model_type": "qwen2", "torch_dtype": "torch.float16", "tie_word_embeddings": true}})");
  CHECK(own.dtype == "float16");
  CHECK(own.nested_in == "llm_config");
  CHECK(field(own, "tie_word_embeddings") == "true");
}

TEST_CASE("read_config: a null or absent nested config leaves the outer one", "[config]") {
  CHECK(config_of(R"({"model_type": "llama", "text_config": null})").nested_in.empty());
}

TEST_CASE("read_config: the model type is inferred where it is not written", "[config]") {
  const auto type = [](std::string_view text) { return config_of(text).model_type; };
  CHECK(type(R"({"architectures": ["LlamaForCausalLM"]})") == "llama");
  CHECK(type(R"({"architectures": ["GPTNeoXForCausalLM"]})") == "gpt_neox");
  CHECK(type(R"({"architectures": ["GPT2LMHeadModel"]})") == "gpt2");
  CHECK(type(R"({"architectures": ["Gemma3ForCausalLM"]})") == "gemma3_text");
  CHECK(type(R"({"architectures": ["Qwen9MoeForCausalLM"]})") == "qwen9_moe");
  CHECK(type(R"({"model_type": "vipllava", "text_config": {"vocab_size": 32064}})") == "llama");
  CHECK(type(R"({"model_type": "lighton_ocr", "text_config": {}})") == "qwen3");
  CHECK(type(R"({"model_type": "shieldgemma2", "text_config": {}})") == "gemma3_text");
  CHECK(type(R"({"model_type": "other", "llm_config": {"architectures": ["Qwen3MoeForCausalLM"]}})") == "qwen3_moe");
  CHECK(type(R"({"model_type": "qwen2_vl", "hidden_size": 8, "vision_config": {}})") == "qwen2_vl_text");
}

TEST_CASE("read_config: a composite that is described itself is the model type", "[config]") {
  const auto type = [](std::string_view text) { return config_of(text).model_type; };
  CHECK(type(R"({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}})") == "gemma3");
  CHECK(type(R"({"model_type": "llama4", "text_config": {"model_type": "llama4_text"}})") == "llama4");
  CHECK(type(R"({"model_type": "llava", "text_config": {"vocab_size": 32064}})") == "llava");
  CHECK(type(R"({"model_type": "llava", "text_config": {"model_type": "mistral"}})") == "mistral");
  CHECK(type(R"({"model_type": "glm4v", "text_config": {"model_type": "glm4v_text"}})") == "glm4v_text");
  CHECK(type(R"({"model_type": "glm4v_moe", "text_config": {"model_type": "Glm4vMoe_text"}})") == "glm4v_moe_text");
  CHECK(type(R"({"model_type": "emu3_text_model"})") == "emu3");
  CHECK(type(R"({"architectures": ["Gemma3ForConditionalGeneration"]})") == "gemma3");
}

TEST_CASE("read_config: the composite decides about tied embeddings, text_config keeps what it says", "[config]") {
  const auto tie = [](const std::string& outer, const std::string& inside, const std::string& outside) {
    const Config config =
        config_of("{\"model_type\": \"" + outer + "\", \"tie_word_embeddings\": " + outside +
                  ", \"text_config\": {\"model_type\": \"x\", \"tie_word_embeddings\": " + inside + "}}");
    return field(config, "tie_word_embeddings") + " " + field(config, "tie_text_embeddings");
  };
  CHECK(tie("qwen2_5_omni_thinker", "true", "false") == "false true");
  CHECK(tie("got_ocr2", "false", "true") == "true false");
  CHECK(tie("glm4v", "true", "false") == "true true");
  CHECK(tie("glm4v", "false", "true") == "true false");
  CHECK(tie("other", "true", "null") == "true true");
}

TEST_CASE("read_config: bad configs are refused with their place", "[config][error]") {
  CHECK(refusal("[1]") == "error: config.json holds a list, not an object\n  --> dir/config.json\n");
  CHECK(refusal("{}") ==
        "error: config.json has no \"model_type\", and no \"architectures\" that implies one\n"
        "  --> dir/config.json (0 fields read)\n"
        "  fix: --set model_type=llama      (types: tpsim models list)\n");
  CHECK(refusal(R"({"model_type": 7})") ==
        "error: config.json: \"model_type\" is an integer, not a string\n  --> dir/config.json\n");
  CHECK(refusal(R"({"model_type": "llama", "architectures": {}})") ==
        "error: config.json: \"architectures\" is an object, not a list of class names\n  --> dir/config.json\n");
  CHECK(refusal(R"({"model_type": "llama", "architectures": [1]})") ==
        "error: config.json: \"architectures\" is an integer, not a class name\n  --> dir/config.json\n");
  CHECK(refusal(R"({"model_type": "llama", "torch_dtype": 16})") ==
        "error: config.json: \"torch_dtype\" is an integer, not a string\n  --> dir/config.json\n");
  CHECK(refusal(R"({"model_type": "llama", "model_type": "llama"})").find("duplicate key \"model_type\"") !=
        std::string::npos);
}

TEST_CASE("read_config: files that are no config are told apart", "[config][error]") {
  const auto said = [](std::string_view text, std::string_view words) {
    return refusal(text).find(words) != std::string::npos;
  };
  CHECK(said(R"({"peft_type": "LORA"})", "it is an adapter's configuration"));
  CHECK(said(R"({"model.layers.*.mlp.up_proj": "colwise"})", "it looks like a plan: -p"));
  CHECK(said(R"({"dim": 7168, "n_layers": 61})", "the vendor's own code"));
  CHECK(said(R"({"tokenizer_class": "X", "a": 1})", "it is a tokenizer's configuration"));
}

TEST_CASE("set_field: JSON where it is JSON, text otherwise, and inside objects", "[config][set]") {
  Config config = config_of(R"({"model_type": "llama", "rope_scaling": null, "num_hidden_layers": 2})");
  const auto set = [&](std::string_view assignment) {
    const auto done = set_field(config, assignment);
    CHECK(error_text(done) == "no error");
  };
  set("num_hidden_layers=32");
  set("hidden_act=gelu");
  set("tie_word_embeddings=True");
  set("sliding_window=None");
  set("layers=[1, 2]");
  set("rope_scaling.factor=8");
  set("rope_scaling.rope_type=linear");
  set("a=b=c");
  set("torch_dtype=float16");
  CHECK(field(config, "num_hidden_layers") == "32");
  CHECK(field(config, "hidden_act") == "\"gelu\"");
  CHECK(field(config, "tie_word_embeddings") == "true");
  CHECK(field(config, "sliding_window") == "null");
  CHECK(field(config, "layers") == "[1, 2]");
  CHECK(field(config, "rope_scaling") == R"({"factor": 8, "rope_type": "linear"})");
  CHECK(field(config, "a") == "\"b=c\"");
  CHECK(config.dtype == "float16");
}

TEST_CASE("set_field: bad assignments are wrong use and change nothing", "[config][set][error]") {
  Config config = config_of(R"({"model_type": "llama", "n": 2})");
  const ValueObject before = config.fields;
  const auto refused = [&](std::string_view assignment, std::string_view why) {
    const auto done = set_field(config, assignment);
    REQUIRE_FALSE(done);
    CHECK(exit_code(done.error().kind) == 2);
    CHECK(done.error().message == "--set \"" + std::string(assignment) + "\": " + std::string(why));
  };
  refused("num_hidden_layers", "no '=' between key and value");
  refused("=3", "no key before '='");
  refused("n=", "no value after '='");
  refused("n.inner=3", "\"n\" is an integer, not an object");
  refused("a..b=3", "a part of the key is empty");
  refused("a.=3", "no key before '='");
  CHECK_FALSE(set_field(config, "n=[1, 2"));
  CHECK(config.fields == before);
}

TEST_CASE("read_config: --set comes before the model type is looked for", "[config][set]") {
  const auto config = read_config(R"({"hidden_size": 8})", "config.json", {"model_type=llama", "hidden_size=16"});
  REQUIRE(config);
  CHECK(config->model_type == "llama");
  CHECK(field(*config, "hidden_size") == "16");
}

TEST_CASE("read_config: every public sample is read", "[config][samples]") {
  const fs::path samples = "../shared/samples/configs";
  if (!fs::exists(samples)) {
    WARN("skipped: " << samples << " is not here");
    return;
  }
  int read = 0;
  for (const auto& entry : fs::directory_iterator(samples)) {
    const std::string name = entry.path().filename().string();
    const auto config = read_config(text_of(entry.path()), name);
    INFO(name << ": " << error_text(config));
    // The two companions in the folder that are no config.json.
    const bool companion = name.ends_with(".inference.json") || name.ends_with(".hf_quant_config.json");
    CHECK(config.has_value() != companion);
    if (config) CHECK_FALSE(config->model_type.empty());
    ++read;
  }
  CHECK(read > 0);
}

}  // namespace tpsim
