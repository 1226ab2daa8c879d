// Model types that a config implies without naming them: used by config.cpp only.
#pragma once

#include <string>
#include <string_view>

namespace tpsim {

// The described type that a class belongs to, underscores and letter case aside ("GPTNeoXForCausalLM" -> "gpt_neox");
// "" if none.
std::string described_type_of_class(std::string_view class_name);

// A guess for other classes: "Qwen9MoeForCausalLM" -> "qwen9_moe".
std::string snake_case_type(std::string_view class_name);

// The language model's type in a composite of type `outer` whose nested config does not name one: "llava" -> "llama".
std::string nested_text_type(const std::string& outer);

// The same for composites whose files keep the language model's fields at the top; other types are returned as they
// are.
std::string flat_text_type(const std::string& type);

}  // namespace tpsim
