// What composites imply: model types that a config does not name, and tied embeddings.
#pragma once

#include <string>
#include <string_view>

namespace tpsim {

// The field that keeps what a text_config says itself where the composite around it decides about tying.
inline constexpr std::string_view kTextConfigTies = "tie_text_embeddings";

bool is_described_type(const std::string& type);

// The described type that a class belongs to, underscores and letter case aside ("GPTNeoXForCausalLM" -> "gpt_neox");
// "" if none. Where both a composite and its text tower are described, Gemma3ForCausalLM is the latter.
std::string described_type_of_class(std::string_view class_name);

// A guess for other classes: "Qwen9MoeForCausalLM" -> "qwen9_moe".
std::string snake_case_type(std::string_view class_name);

// The language model's type in a composite of type `outer` whose nested config does not name one: "llava" -> "llama".
std::string nested_text_type(const std::string& outer);

// The same for composites whose files keep the language model's fields at the top, and the described name of types
// that have several; other types are returned as they are.
std::string flat_text_type(const std::string& type);

// Whether a composite of this type ties its embeddings also where only its text_config says so.
bool text_config_ties(const std::string& outer);

}  // namespace tpsim
