// Small models of described types.
#pragma once

#include <string>

#include "core/architecture.h"
#include "core/config.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim {

// Vocabulary 128, 8 query heads of 8 and 4 key heads (latent attention has as many), 4 experts of which 2 are chosen;
// what a type does not have is ignored.
inline std::string tiny_sizes(const std::string& type, int layers = 2) {
  const bool latent = type.starts_with("deepseek");
  return R"("hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8, "head_dim": 8, "vocab_size": 128,
            "num_local_experts": 4, "num_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
            "moe_intermediate_size": 32, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1, "q_lora_rank": 32,
            "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
            "num_key_value_heads": )" +
         std::string(latent ? "8" : "4") + ", \"num_hidden_layers\": " + std::to_string(layers);
}

// `fields`: JSON members, the whole configuration but for the type.
inline Model model_of_type(const std::string& type, const std::string& fields,
                           const Dialect& dialect = kNewestDialect) {
  const auto config = read_config("{\"model_type\": \"" + type + "\", " + fields + "}", "config.json");
  INFO(type << ": " << error_text(config));
  REQUIRE(config);
  const auto architecture = load_architecture(config->model_type, dialect);
  INFO(error_text(architecture));
  REQUIRE(architecture);
  auto model = build_model(*architecture, *config);
  INFO(error_text(model));
  REQUIRE(model);
  return std::move(*model);
}

// `more`: further members (", \"tie_word_embeddings\": true").
inline Model tiny_model(const std::string& type, const std::string& more = {},
                        const Dialect& dialect = kNewestDialect) {
  return model_of_type(type, tiny_sizes(type) + more, dialect);
}

}  // namespace tpsim
