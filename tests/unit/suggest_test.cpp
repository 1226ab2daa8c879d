#include "core/suggest.h"

#include <chrono>

#include "tests/catch.hpp"

namespace tpsim {

using Names = std::vector<std::string>;

TEST_CASE("nearest: misspelt, swapped and missing letters", "[suggest]") {
  const Names strategies = {"colwise", "rowwise", "colwise_gather_output", "sequence_parallel"};
  CHECK(nearest("rowise", strategies).front() == "rowwise");
  CHECK(nearest("colwize", strategies).front() == "colwise");
  CHECK(nearest("oclwise", strategies, 1) == Names{"colwise"});
  CHECK(nearest("gibberish", strategies).empty());
}

TEST_CASE("nearest: letter case and punctuation do not count", "[suggest]") {
  CHECK(nearest("h100sxm", {"a100-sxm", "h100-sxm", "l40s"}, 1) == Names{"h100-sxm"});
  CHECK(nearest("META-llama/llama_3.1-70b", {"meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-70B"}, 1) ==
        Names{"meta-llama/Llama-3.1-70B"});
}

TEST_CASE("nearest: a name inside the other is meant, closest length first", "[suggest]") {
  const Names modules = {"model.layers.*.self_attn.q_proj", "model.layers.*.mlp.gate_proj", "lm_head"};
  CHECK(nearest("layers.*.mlp.gate_proj", modules, 1) == Names{"model.layers.*.mlp.gate_proj"});
  CHECK(nearest("q", modules).empty());
}

TEST_CASE("nearest: at most `count`, each once, equal ones in the order given", "[suggest]") {
  CHECK(nearest("tp1", {"tp2", "tp3", "tp2", "tp4"}, 2) == Names{"tp2", "tp3"});
  CHECK(nearest("abc", {}).empty());
  CHECK(nearest("", {"a", "b"}).size() <= 2);
}

TEST_CASE("nearest: long words and many candidates stay cheap", "[suggest]") {
  Names many;
  for (int i = 0; i < 200'000; ++i)
    many.push_back("model.layers." + std::to_string(i) + ".self_attn.k_projection_weight");
  const auto begin = std::chrono::steady_clock::now();
  CHECK(nearest(std::string(1'000'000, 'x'), many).empty());
  nearest("model.layers.7.self_attn.k_projection_wieght", many);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
}

}  // namespace tpsim
