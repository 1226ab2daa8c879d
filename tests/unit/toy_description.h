// A small description, "toy", and helpers that load texts as descriptions.
#pragma once

#include <map>
#include <string>

#include "core/architecture.h"
#include "core/config.h"
#include "core/json.h"

namespace tpsim::toy {

inline constexpr const char* kToy = R"j({
  "model_type": "toy",
  "source": "made up",
  "class": "ToyForCausalLM",
  "base": "model",
  "config": {
    "vocab_size": 100, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
    "num_attention_heads": 8, "num_key_value_heads": "= num_attention_heads",
    "head_dim": "= hidden_size // num_attention_heads", "hidden_act": "silu", "bias": false, "eps": 1e-5,
    "sliding_window": null, "layer_types": "= ['full' for i in num_hidden_layers]", "tie_word_embeddings": false
  },
  "aliases": { "n_embd": "hidden_size" },
  "blocks": {
    "ForCausalLM": {
      "modules": { "model": "Model()", "lm_head": "linear(hidden_size, vocab_size, bias=false)" },
      "forward": ["(input_ids)", "x = model(input_ids=input_ids)", "return lm_head(x)"]
    },
    "Model": {
      "modules": {
        "embed_tokens": "embedding(vocab_size, hidden_size)",
        "layers": "[Layer(layer_idx=i) for i in num_hidden_layers]",
        "norm": "rmsnorm(hidden_size, eps=eps)",
        "rotary_emb": "rotary(head_dim)"
      },
      "forward": ["(input_ids)", "x = embed_tokens(input_ids)", "mask = causal_mask(x)",
        "pe = rotary_emb(x, position_ids=positions(x))",
        "for layer in layers: x = layer(x, attention_mask=mask, position_embeddings=pe)", "return norm(x)"]
    },
    "Layer": {
      "parameters_of_block": ["layer_idx"],
      "modules": { "self_attn": "Attention(layer_idx=layer_idx)", "mlp": "MLP()",
        "input_layernorm": "rmsnorm(hidden_size, eps=eps)" },
      "forward": ["(x, attention_mask, position_embeddings)", "h = input_layernorm(x)",
        "h, w = self_attn(hidden_states=h, attention_mask=attention_mask, position_embeddings=position_embeddings)",
        "return x + mlp(x + h)"]
    },
    "Attention": {
      "parameters_of_block": ["layer_idx"],
      "locals": { "window": "sliding_window if layer_types[layer_idx] == 'sliding' else none" },
      "modules": {
        "q_proj": "linear(hidden_size, num_attention_heads * head_dim, bias=bias)",
        "k_proj": "linear(hidden_size, num_key_value_heads * head_dim, bias=bias)",
        "v_proj": "linear(hidden_size, num_key_value_heads * head_dim, bias=bias)",
        "o_proj": "linear(num_attention_heads * head_dim, hidden_size, bias=bias)"
      },
      "forward": ["(hidden_states, attention_mask, position_embeddings)",
        "q = transpose(view_heads(q_proj(hidden_states), head_dim), 1, 2)",
        "k = transpose(view_heads(k_proj(hidden_states), head_dim), 1, 2)",
        "v = transpose(view_heads(v_proj(hidden_states), head_dim), 1, 2)",
        "cos, sin = position_embeddings", "q, k = rope(q, k, cos, sin)",
        "a = attention(q, k, v, attention_mask, groups=num_attention_heads // num_key_value_heads, window=window)",
        "return o_proj(merge_heads(a)), none"]
    },
    "MLP": {
      "modules": {
        "gate_proj": "linear(hidden_size, intermediate_size, bias=false)",
        "up_proj": "linear(hidden_size, intermediate_size, bias=false)",
        "down_proj": "linear(intermediate_size, hidden_size, bias=false)",
        "act_fn": "activation(hidden_act)"
      },
      "forward": ["(x)", "return down_proj(act_fn(gate_proj(x)) * up_proj(x))"]
    }
  },
  "tie": { "lm_head.weight": "model.embed_tokens.weight" }
})j";

using Texts = std::map<std::string, std::string, std::less<>>;

inline Result<Architecture> load(const Texts& texts, std::string_view type, const Dialect& dialect = kNewestDialect) {
  return load_architecture(type, dialect, [&](std::string_view name) -> std::optional<DescriptionText> {
    const auto found = texts.find(name);
    if (found == texts.end()) return std::nullopt;
    return DescriptionText{found->first + ".json", found->second};
  });
}

// A config with the members of a JSON object.
inline Config config(std::string_view members = "{}") {
  Config config;
  config.file = "config.json";
  config.model_type = "toy";
  auto parsed = parse_json(members, "config.json");
  if (parsed) config.fields = *std::get_if<ValueObject>(&parsed->data);
  return config;
}

// The toy description with one piece of its text replaced.
inline std::string toy_with(const std::string& piece, const std::string& replacement) {
  std::string text = kToy;
  const auto at = text.find(piece);
  if (at == std::string::npos) return "the toy description has no such text: " + piece;
  return text.replace(at, piece.size(), replacement);
}

inline Result<Model> build(const std::string& text, std::string_view members = "{}",
                           const Dialect& dialect = kNewestDialect) {
  auto architecture = load({{"toy", text}}, "toy", dialect);
  if (!architecture) return architecture.error();
  return build_model(*architecture, config(members));
}

}  // namespace tpsim::toy
