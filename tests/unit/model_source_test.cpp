#include "core/model_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/known_configs.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"
#include "tests/scratch.h"

namespace tpsim {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfig = R"({"model_type": "llama", "hidden_size": 64})";

// A checkpoint with one BF16 tensor [2, 4].
std::string safetensors(const std::string& tensor) {
  const std::string header = R"({")" + tensor + R"(": {"dtype": "BF16", "shape": [2, 4], "data_offsets": [0, 16]}})";
  std::string text;
  for (int byte = 0; byte < 8; ++byte) text += static_cast<char>((header.size() >> (8 * byte)) & 0xFFu);
  return text + header + std::string(16, '\0');
}

ModelSource opened(const std::string& argument, const ModelSourceOptions& options = {}) {
  auto source = open_model(argument, options);
  INFO(error_text(source));
  REQUIRE(source);
  return *std::move(source);
}

std::string refusal(const std::string& argument) { return error_text(open_model(argument)); }

bool says(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

}  // namespace

TEST_CASE("open_model: a config file, without the weights beside it", "[model_source]") {
  const Scratch scratch;
  const std::string path = scratch.write("tiny/config.json", kConfig);
  scratch.write("tiny/model.safetensors", "broken");
  const ModelSource source = opened(path);
  CHECK(source.id == "tiny");
  CHECK(source.origin == path);
  CHECK(source.text == kConfig);
  REQUIRE(source.config);
  CHECK(source.config->model_type == "llama");
  CHECK_FALSE(source.checkpoint);
  CHECK(opened(scratch.write("my-llama.json", kConfig)).id == "my-llama");
}

TEST_CASE("open_model: - reads standard input", "[model_source]") {
  std::istringstream input{std::string(kConfig)};
  std::streambuf* const before = std::cin.rdbuf(input.rdbuf());
  const auto source = open_model("-");
  std::cin.rdbuf(before);
  std::cin.clear();
  REQUIRE(source);
  CHECK(source->id == "stdin");
  CHECK(source->origin == "standard input");
  CHECK(source->config->model_type == "llama");
}

TEST_CASE("open_model: a folder with config and checkpoint", "[model_source]") {
  const Scratch scratch;
  scratch.write("tiny/config.json", kConfig);
  scratch.write("tiny/model.safetensors", safetensors("lm_head.weight"));
  const ModelSource source = opened(scratch.path("tiny"));
  CHECK(source.id == "tiny");
  REQUIRE(source.config);
  REQUIRE(source.checkpoint);
  CHECK(source.checkpoint->tensors.size() == 1);
  CHECK(source.checkpoint->total_size == 16);
  CHECK(opened(scratch.path("tiny/")).id == "tiny");
}

TEST_CASE("open_model: a checkpoint alone, with or without a config beside it", "[model_source]") {
  const Scratch scratch;
  const std::string path = scratch.write("tiny/model.safetensors", safetensors("a"));
  CHECK_FALSE(opened(path).config);
  CHECK_FALSE(opened(scratch.path("tiny")).config);
  CHECK(says(error_text(open_model(path, {{"hidden_size=8"}, {}})), "--set needs a config"));
  scratch.write("tiny/config.json", kConfig);
  CHECK(opened(path).config);
}

TEST_CASE("open_model: numbered shards without an index are read together", "[model_source]") {
  const Scratch scratch;
  scratch.write("m/model-00001-of-00002.safetensors", safetensors("b"));
  scratch.write("m/model-00002-of-00002.safetensors", safetensors("a"));
  const ModelSource source = opened(scratch.path("m"));
  REQUIRE(source.checkpoint);
  REQUIRE(source.checkpoint->tensors.size() == 2);
  CHECK(source.checkpoint->tensors[0].name == "a");
  CHECK(source.checkpoint->tensors[0].file == 1);
  CHECK(source.checkpoint->total_size == 32);
  scratch.write("m/model-00002-of-00002.safetensors", safetensors("b"));
  CHECK(says(refusal(scratch.path("m")), "tensor \"b\" stands in two files: "));
}

TEST_CASE("open_model: an index is known by its name or its content", "[model_source]") {
  const Scratch scratch;
  const std::string index =
      R"({"metadata": {"total_size": 16}, "weight_map": {"a": "model-00001-of-00001.safetensors"}})";
  scratch.write("m/model-00001-of-00001.safetensors", safetensors("a"));
  const std::string named = scratch.write("m/model.safetensors.index.json", index);
  for (const std::string& path : {named, scratch.write("m/weights.json", index), scratch.path("m")}) {
    const ModelSource source = opened(path);
    REQUIRE(source.checkpoint);
    CHECK(source.checkpoint->tensors.size() == 1);
  }
}

TEST_CASE("open_model: a Hugging Face cache folder leads to the snapshot of refs/main", "[model_source][cache]") {
  const Scratch scratch;
  const std::string hub = "models--meta-llama--Llama-3.1-8B";
  scratch.write(hub + "/snapshots/old/config.json", R"({"model_type": "gpt2"})");
  scratch.write(hub + "/blobs/123", kConfig);
  fs::create_directories(scratch.path(hub + "/snapshots/abc"));
  fs::create_symlink("../../blobs/123", scratch.path(hub + "/snapshots/abc/config.json"));
  CHECK(says(refusal(scratch.path(hub)), "no refs/main and 2 snapshots"));
  scratch.write(hub + "/refs/main", "abc\n");
  const ModelSource source = opened(scratch.path(hub));
  CHECK(source.id == "Llama-3.1-8B");
  CHECK(source.config->model_type == "llama");
  CHECK(source.origin == scratch.path(hub + "/snapshots/abc"));
  CHECK(opened(scratch.path(hub + "/snapshots/abc")).id == "Llama-3.1-8B");
  scratch.write(hub + "/refs/main", "gone");
  CHECK(says(refusal(scratch.path(hub)), "refs/main names \"gone\", which is not in snapshots/"));
  fs::remove(scratch.path(hub + "/blobs/123"));
  CHECK(says(refusal(scratch.path(hub + "/snapshots/abc")), "is a link to ../../blobs/123, which does not exist"));
}

TEST_CASE("open_model: folders without a model say what they hold", "[model_source][error]") {
  const Scratch scratch;
  fs::create_directories(scratch.path("empty"));
  CHECK(refusal(scratch.path("empty")) ==
        "error: the folder has no config.json and no *.safetensors that could stand for it\n"
        "  --> " +
            scratch.path("empty") +
            "\n"
            "  it is empty\n"
            "  fix: -m path/to/config.json\n");
  scratch.write("params/params.json", "{}");
  scratch.write("params/consolidated.00.pth", "x");
  CHECK(says(refusal(scratch.path("params")), "found: consolidated.00.pth, params.json"));
  CHECK(says(refusal(scratch.path("params")), "in its vendor's own form"));
  scratch.write("lora/adapter_config.json", "{}");
  scratch.write("lora/adapter_model.safetensors", safetensors("a"));
  CHECK(says(refusal(scratch.path("lora")), "an adapter alone"));
  scratch.write("bin/pytorch_model.bin", "x");
  CHECK(says(refusal(scratch.path("bin")), "PyTorch files are not read"));
  scratch.write("many/a.safetensors", safetensors("a"));
  scratch.write("many/b.safetensors", safetensors("b"));
  CHECK(says(refusal(scratch.path("many")), "give the one that is meant"));
}

TEST_CASE("open_model: what is not a readable file is refused at once", "[model_source][error]") {
  const Scratch scratch;
  CHECK(refusal("./no/such/config.json") == "error: ./no/such/config.json does not exist\n");
  fs::create_directories(scratch.path("odd/config.json"));
  CHECK(refusal(scratch.path("odd")) == "error: " + scratch.path("odd/config.json") + " is a folder, not a file\n");
  REQUIRE(mkfifo(scratch.path("pipe.json").c_str(), 0600) == 0);
  CHECK(refusal(scratch.path("pipe.json")) == "error: " + scratch.path("pipe.json") +
                                                  " is a pipe or device, not a regular file\n"
                                                  "  fix: \"-\" reads standard input\n");
  CHECK(says(refusal("/dev/zero"), "is a pipe or device"));
  fs::create_symlink("nowhere", scratch.path("link.json"));
  CHECK(says(refusal(scratch.path("link.json")), "is a link to nowhere, which does not exist"));
  fs::create_symlink("loop.json", scratch.path("loop.json"));
  CHECK(says(refusal(scratch.path("loop.json")), "cannot be read"));
  scratch.write("big.json", "{");
  fs::resize_file(scratch.path("big.json"), 1'000'000'000);
  CHECK(says(refusal(scratch.path("big.json")), "is larger than 67108864 bytes"));
  CHECK(says(refusal(scratch.write("w.gguf", "GGUF")), "is a weight file of a kind that tpsim does not read (.gguf)"));
  CHECK(says(refusal(scratch.write("d/model.safetensors", "version https://git-lfs.github.com/spec/v1\n")),
             "Git LFS pointer"));
  if (geteuid() != 0) {
    fs::permissions(scratch.write("secret.json", kConfig), fs::perms::none);
    CHECK(says(refusal(scratch.path("secret.json")), "cannot be opened: Permission denied"));
  } else {
    WARN("skipped: root reads files without permission");
  }
}

TEST_CASE("open_model: wrong use", "[model_source][error]") {
  CHECK(refusal("") == "error: --model is empty\n");
  CHECK(refusal(std::string("a\0b", 3)) == "error: --model holds a zero byte\n");
  CHECK(says(refusal(std::string(100'000, 'x')), "no built-in model"));
}

TEST_CASE("open_model: built-in configurations by id, bare name, alias and the start of a name",
          "[model_source][known]") {
  const std::string id = "Llama-3.1-70B";
  for (const char* name : {"meta-llama/Llama-3.1-70B", "Llama-3.1-70B", "llama-3.1-70b", "META-LLAMA/llama-3.1-70b",
                           "meta-llama/Meta-Llama-3.1-70B"}) {
    CAPTURE(name);
    const ModelSource source = opened(name);
    CHECK(source.id == id);
    CHECK(source.origin == "built-in config");
    CHECK(source.config->model_type == "llama");
    CHECK(source.config->dtype == "bfloat16");
  }
  CHECK(opened("gpt2").id == "gpt2");
  CHECK(opened("command-r").id == "c4ai-command-r-v01");
  CHECK(opened("qwen3-30b").id == "Qwen3-30B-A3B");
  CHECK(to_json(*opened("gpt2", {{"n_layer=3"}, {}}).config->find("n_layer")) == "3");
}

TEST_CASE("open_model: ambiguous and unknown ids name the candidates", "[model_source][known][error]") {
  const std::string ambiguous = refusal("llama-3.1");
  CHECK(says(ambiguous, "model \"llama-3.1\" could be any of"));
  CHECK(says(ambiguous, "meta-llama/Llama-3.1-405B, meta-llama/Llama-3.1-70B"));
  const auto unknown = open_model("meta-llama/Llama-3-70B");
  REQUIRE_FALSE(unknown);
  CHECK(exit_code(unknown.error().kind) == 2);
  CHECK(says(unknown.error().message,
             "no built-in model \"meta-llama/Llama-3-70B\"; nearest: meta-llama/Llama-3.1-70B, "));
  CHECK(unknown.error().details == std::vector<std::string>{"tpsim never downloads"});
  CHECK(says(unknown.error().fixes.front(), "-m path/to/config.json"));
  CHECK(refusal("nonsense") ==
        "error: no built-in model \"nonsense\"\n  tpsim never downloads\n"
        "  fix: -m path/to/config.json      (built-in: tpsim models list)\n");
}

TEST_CASE("parse_known_models: faults of a data file name the entry", "[model_source][known][error]") {
  const auto refused = [](std::string_view text) { return error_text(parse_known_models(text, "configs.json")); };
  CHECK(refused("[]") == "error: expected an object, found a list\n  --> configs.json\n");
  CHECK(refused(R"({"a/b": 1})") == "error: \"a/b\": expected an object, found an integer\n  --> configs.json\n");
  CHECK(refused(R"({"a/b": {"config": {}}})") ==
        "error: \"a/b\": \"source\" and \"config\" are needed\n  --> configs.json\n");
  CHECK(refused(R"({"a/b": {"source": 1}})") ==
        "error: \"a/b\": unexpected \"source\": an integer\n  --> configs.json\n");
  CHECK(refused(R"({"a/b": {"aliases": [1]}})") ==
        "error: \"a/b\": an alias is an integer, not a string\n  --> configs.json\n");
}

TEST_CASE("known_configs: sorted, sourced, each can be opened under its id", "[model_source][known]") {
  const auto known = known_configs();
  CHECK(known.size() >= 60);
  CHECK(std::is_sorted(known.begin(), known.end(), [](const auto& a, const auto& b) { return a.id < b.id; }));
  for (const KnownConfig& config : known) {
    CAPTURE(config.id);
    CHECK_FALSE(config.source.empty());
    const ModelSource source = opened(config.id);
    CHECK(source.config->model_type == config.model_type);
  }
}

TEST_CASE("known_configs: they agree with the recorded real configurations", "[model_source][known][samples]") {
  const fs::path recorded = "../shared/oracle/real_configs.json";
  if (!fs::exists(recorded)) {
    WARN("skipped: " << recorded << " is not here");
    return;
  }
  std::ifstream in(recorded);
  const nlohmann::json real = nlohmann::json::parse(in);
  // Fields that decide shapes; others differ between releases of Transformers in name and form.
  const char* const shape_fields[] = {"vocab_size",
                                      "hidden_size",
                                      "intermediate_size",
                                      "num_hidden_layers",
                                      "num_attention_heads",
                                      "num_key_value_heads",
                                      "head_dim",
                                      "n_embd",
                                      "n_layer",
                                      "n_head",
                                      "tie_word_embeddings",
                                      "num_local_experts",
                                      "num_experts_per_tok",
                                      "moe_intermediate_size",
                                      "n_routed_experts",
                                      "n_shared_experts",
                                      "first_k_dense_replace",
                                      "q_lora_rank",
                                      "kv_lora_rank",
                                      "qk_rope_head_dim",
                                      "qk_nope_head_dim",
                                      "v_head_dim"};
  int compared = 0;
  for (const auto& [id, entry] : real.items()) {
    const ModelSource source = opened(id);
    CHECK(source.config->model_type == entry.at("model_type"));
    for (const char* field : shape_fields) {
      const Value* value = source.config->find(field);
      if (value == nullptr || !entry.at("config").contains(field) || entry.at("config").at(field).is_null()) continue;
      INFO(id << " " << field);
      CHECK(nlohmann::json::parse(to_json(*value)) == entry.at("config").at(field));
      ++compared;
    }
  }
  CHECK(compared > 200);
}

}  // namespace tpsim
