// A Model with the module tree that a list of parameter names implies, without forward passes: enough for plans and
// matching.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"

namespace tpsim {

struct SkeletonParameter {
  std::string name;
  Shape shape;
};

class SkeletonBuilder {
public:
  SkeletonBuilder(std::string class_name, std::string base) {
    model_.class_name = std::move(class_name);
    model_.base = std::move(base);
    model_.types.emplace_back();
  }

  void add(const SkeletonParameter& parameter) {
    int type = 0;
    std::string_view rest = parameter.name;
    for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      const std::string_view component = rest.substr(0, dot);
      rest.remove_prefix(dot + 1);
      const auto next = rest.substr(0, rest.find('.'));
      const bool is_list = next.find_first_not_of("0123456789") == std::string_view::npos && next.size() < rest.size();
      type = child(type, component, is_list ? std::stoi(std::string(next)) : -1);
      if (is_list) rest.remove_prefix(next.size() + 1);
      if (component.starts_with("embed") || component == "wte") at(type).kind = ModuleKind::embedding;
    }
    at(type).parameters.push_back({std::string(rest), parameter.shape});
  }

  Model take() && { return std::move(model_); }
  Model& model() { return model_; }

private:
  ModuleType& at(int type) { return model_.types[static_cast<std::size_t>(type)]; }

  int child(int parent, std::string_view name, int element) {
    auto& children = at(parent).children;
    std::size_t place = 0;
    while (place < children.size() && children[place].name != name) ++place;
    if (place == children.size()) children.push_back({std::string(name), element >= 0, {}});
    const std::size_t index = element >= 0 ? static_cast<std::size_t>(element) : 0;
    while (at(parent).children[place].types.size() <= index) {
      at(parent).children[place].types.push_back(static_cast<int>(model_.types.size()));
      model_.types.emplace_back();
    }
    return at(parent).children[place].types[index];
  }

  Model model_;
};

// Two layers of Llama.
inline Model small_llama(bool tied = false) {
  SkeletonBuilder builder("LlamaForCausalLM", "model");
  const auto add = [&](const std::string& name, Shape shape) { builder.add({name, shape}); };
  add("model.embed_tokens.weight", {128, 64});
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    for (const std::string projection : {"q", "k", "v", "o"})
      add(layer + "self_attn." + projection + "_proj.weight", {64, 64});
    for (const std::string projection : {"gate", "up", "down"})
      add(layer + "mlp." + projection + "_proj.weight", {64, 64});
    add(layer + "input_layernorm.weight", {64});
    add(layer + "post_attention_layernorm.weight", {64});
  }
  add("model.norm.weight", {64});
  add("lm_head.weight", {128, 64});
  Model& model = builder.model();
  model.model_type = "llama";
  model.tied = tied;
  if (tied) model.ties = {{"lm_head.weight", "model.embed_tokens.weight"}};
  return std::move(builder).take();
}

}  // namespace tpsim
