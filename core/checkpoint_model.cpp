#include "core/checkpoint_model.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tpsim {
namespace {

constexpr int kMaxPathParts = 32;

// The names of a checkpoint as a tree; children keep the order of their first appearance.
struct NameNode {
  std::vector<std::pair<std::string, std::unique_ptr<NameNode>>> children;
  std::map<std::string, std::size_t, std::less<>> index;
  std::vector<ParameterSpec> tensors;

  NameNode& child(std::string_view name) {
    const auto known = index.find(name);
    if (known != index.end()) return *children[known->second].second;
    index.emplace(std::string(name), children.size());
    children.emplace_back(std::string(name), std::make_unique<NameNode>());
    return *children.back().second;
  }
};

bool is_index(std::string_view part) {
  return !part.empty() && part.size() < 7 &&
         std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Numeric order, so that layer 10 follows layer 9.
bool before(std::string_view a, std::string_view b) {
  if (is_index(a) && is_index(b) && a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

Result<void> insert(NameNode& root, const CheckpointTensor& tensor) {
  NameNode* node = &root;
  std::string_view rest = tensor.name;
  for (int parts = 0;; ++parts) {
    const auto dot = rest.find('.');
    if (dot == std::string_view::npos) break;
    if (parts == kMaxPathParts)
      return input_error("tensor \"" + tensor.name.substr(0, 80) + "...\" has more than 32 name parts");
    node = &node->child(rest.substr(0, dot));
    rest.remove_prefix(dot + 1);
  }
  if (node->index.contains(rest)) return input_error("\"" + tensor.name + "\" is both a tensor and a module");
  node->tensors.push_back({std::string(rest), tensor.shape});
  return {};
}

ModuleKind kind_of(const std::string& name, const NameNode& node) {
  if (!node.children.empty()) return ModuleKind::block;
  for (const ParameterSpec& p : node.tensors) {
    if (p.name != "weight") continue;
    const bool table = name.find("embed") != std::string::npos || name == "wte" || name == "wpe";
    if (p.shape.rank() == 2) return table ? ModuleKind::embedding : ModuleKind::linear;
    if (p.shape.rank() == 1) return node.tensors.size() > 1 ? ModuleKind::layer_norm : ModuleKind::rms_norm;
  }
  return ModuleKind::block;
}

class Builder {
public:
  explicit Builder(Model& model) : model_(model) {}

  int build(const std::string& name, NameNode& node) {
    ModuleType type;
    type.kind = kind_of(name, node);
    type.class_name = type.kind == ModuleKind::block ? "Module" : type.kind == ModuleKind::linear ? "Linear" : "Module";
    type.parameters = node.tensors;
    for (const ParameterSpec& p : type.parameters)
      if (type.kind == ModuleKind::linear && p.name == "weight") {
        type.out_features = p.shape[0];
        type.in_features = p.shape[1];
      }
    for (auto& [child_name, child] : node.children) type.children.push_back(child_of(child_name, *child));
    return intern(std::move(type));
  }

private:
  // A child whose own children are all numbered is a module list.
  Child child_of(const std::string& name, NameNode& node) {
    const bool list =
        !node.children.empty() && node.tensors.empty() &&
        std::all_of(node.children.begin(), node.children.end(), [](const auto& c) { return is_index(c.first); });
    if (!list) return {name, false, {build(name, node)}};
    std::sort(node.children.begin(), node.children.end(),
              [](const auto& a, const auto& b) { return before(a.first, b.first); });
    Child result{name, true, {}};
    for (auto& [index, element] : node.children) result.types.push_back(build(index, *element));
    return result;
  }

  int intern(ModuleType type) {
    const std::size_t key = fingerprint(type);
    const auto [first, last] = known_.equal_range(key);
    for (auto it = first; it != last; ++it)
      if (model_.type(it->second) == type) return it->second;
    const int index = static_cast<int>(model_.types.size());
    model_.types.push_back(std::move(type));
    known_.emplace(key, index);
    return index;
  }

  static std::size_t fingerprint(const ModuleType& type) {
    std::size_t key = static_cast<std::size_t>(type.kind);
    const auto mix = [&key](std::size_t value) { key = key * 1099511628211u + value; };
    for (const ParameterSpec& p : type.parameters) {
      mix(std::hash<std::string>{}(p.name));
      for (std::int64_t extent : p.shape) mix(static_cast<std::size_t>(extent));
    }
    for (const Child& child : type.children) {
      mix(std::hash<std::string>{}(child.name));
      for (int t : child.types) mix(static_cast<std::size_t>(t));
    }
    return key;
  }

  std::unordered_multimap<std::size_t, int> known_;
  Model& model_;
};

// What an index says without its shards: "723 names from lm_head.weight to ..., 13.5 GB".
std::string names_and_size(const Checkpoint& checkpoint) {
  const auto& names = checkpoint.names_only;
  std::string text = "the index lists " + std::to_string(names.size()) + " names";
  if (!names.empty()) text += ", from " + names.front() + " to " + names.back();
  if (checkpoint.declared_total_size < 0) return text + ", and no total size";
  return text + ", of " + std::to_string(checkpoint.declared_total_size) + " bytes in total";
}

std::string base_of(const Model& model) {
  for (const Child& child : model.type(model.root).children) {
    if (child.is_list) continue;
    const auto& below = model.type(child.types.front()).children;
    if (std::any_of(below.begin(), below.end(), [](const Child& c) { return c.is_list; })) return child.name;
  }
  return {};
}

}  // namespace

Result<Model> model_from_checkpoint(const Checkpoint& checkpoint, const std::string& model_type) {
  NameNode root;
  for (const CheckpointTensor& tensor : checkpoint.tensors)
    if (auto inserted = insert(root, tensor); !inserted) return inserted.error();
  if (checkpoint.tensors.empty()) {
    Error error = input_error("no tensor of this checkpoint has a known shape: all " +
                              std::to_string(checkpoint.missing_files.size()) + " shards are missing");
    error.details.push_back(names_and_size(checkpoint));
    error.fixes.push_back("give the folder that holds the *.safetensors files, or -m config.json");
    return error;
  }
  Model model;
  model.model_type = model_type;
  model.class_name = "unknown";
  model.source = "checkpoint headers";
  Builder builder(model);
  model.root = builder.build("", root);
  model.base = base_of(model);
  model.has_forward = false;
  model.unknown_parts.push_back("the forward pass: collectives, activations, cache and verdict");
  return model;
}

std::string_view likely_role(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kRoles{
      {{"q_proj", "query projection"},
       {"k_proj", "key projection"},
       {"v_proj", "value projection"},
       {"qkv_proj", "fused query, key and value projection"},
       {"query_key_value", "fused query, key and value projection"},
       {"c_attn", "fused query, key and value projection"},
       {"o_proj", "attention output projection"},
       {"out_proj", "output projection"},
       {"gate_up_proj", "fused MLP gate and up projection"},
       {"gate_proj", "MLP gate projection"},
       {"up_proj", "MLP up projection"},
       {"down_proj", "MLP down projection"},
       {"experts", "expert weights"},
       {"embed_tokens", "token embedding"},
       {"wte", "token embedding"},
       {"lm_head", "output head"},
       {"in_proj", "input projection"},
       {"conv1d", "convolution"},
       {"A_log", "state space decay"},
       {"fc1", "MLP up projection"},
       {"fc2", "MLP down projection"},
       {"norm", "norm"}}};
  for (const auto& [part, role] : kRoles)
    if (name.find(part) != std::string_view::npos) return role;
  return {};
}

}  // namespace tpsim
