#include "core/architecture_merge.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "core/data.h"
#include "core/json.h"
#include "core/suggest.h"

namespace tpsim {

namespace {

constexpr int kMaxInheritance = 16;

Value* find_member(ValueObject& object, std::string_view key) {
  const auto found =
      std::find_if(object.begin(), object.end(), [&](const auto& member) { return member.first == key; });
  return found == object.end() ? nullptr : &found->second;
}

void erase_member(ValueObject& object, std::string_view key) {
  std::erase_if(object, [&](const auto& member) { return member.first == key; });
}

// How deep below the top level an object lies, and whether it is inside `config` or is a block.
enum class Level { top, config, blocks, block, inside };

Level below(Level level, std::string_view key) {
  if (level == Level::top && key == "config") return Level::config;
  if (level == Level::top && key == "blocks") return Level::blocks;
  if (level == Level::blocks) return Level::block;
  return Level::inside;
}

void merge(ValueObject& base, const ValueObject& overlay, Level level);

bool starts_anew(const Value& value) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  const Value* inherit = object == nullptr ? nullptr : find(*object, "inherit");
  return inherit != nullptr && *inherit == Value{false};
}

void merge_member(ValueObject& base, const std::string& key, const Value& value, Level level) {
  if (level != Level::config && value.is_null()) return erase_member(base, key);
  const Level inner = below(level, key);
  const auto* object = std::get_if<ValueObject>(&value.data);
  Value* present = find_member(base, key);
  if (present == nullptr) present = &base.emplace_back(key, Value{}).second;
  if (object == nullptr || level == Level::config) {
    *present = value;
    return;
  }
  const bool fresh =
      !std::holds_alternative<ValueObject>(present->data) || (inner == Level::block && starts_anew(value));
  if (fresh) present->data = ValueObject{};
  merge(*std::get_if<ValueObject>(&present->data), *object, inner);
}

void merge(ValueObject& base, const ValueObject& overlay, Level level) {
  for (const auto& [key, value] : overlay) {
    if (level == Level::block && key == "inherit" && std::holds_alternative<bool>(value.data)) continue;
    merge_member(base, key, value, level);
  }
}

// "5.0", "4.57.1".
std::optional<Dialect> parse_version(const Value& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr) return std::nullopt;
  Dialect version{0, 0, 0};
  int* const parts[] = {&version.major, &version.minor, &version.patch};
  std::size_t count = 0;
  const char* at = text->data();
  const char* const end = at + text->size();
  while (count < 3) {
    const auto [next, status] = std::from_chars(at, end, *parts[count]);
    if (status != std::errc() || *parts[count] < 0) return std::nullopt;
    ++count;
    at = next;
    if (at == end || *at != '.') break;
    ++at;
  }
  return at == end && count >= 2 ? std::optional(version) : std::nullopt;
}

// A model type names a folder, so it may not lead out of plans/.
bool is_type_name(std::string_view type) {
  constexpr std::string_view kSigns = "_-.";
  return !type.empty() && type.front() != '.' && type.size() < 100 &&
         std::all_of(type.begin(), type.end(), [&](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || kSigns.find(c) != std::string_view::npos;
         });
}

class DescriptionReader {
public:
  DescriptionReader(const Dialect& dialect, const FindDescription& find) : dialect_(dialect), find_(find) {}

  Result<void> read(const std::string& model_type, ValueObject& merged) {
    if (auto entered = enter(model_type); !entered) return entered;
    const auto found = is_type_name(model_type) ? find_(model_type) : std::nullopt;
    if (!found) return unknown_type(model_type);
    auto parsed = parse_json(found->text, found->file);
    if (!parsed) return parsed.error();
    const auto* object = std::get_if<ValueObject>(&parsed->data);
    if (object == nullptr)
      return input_error("a description is an object, not " + std::string(type_name(*parsed)), found->file);
    return merge_file(found->file, *object, merged);
  }

  std::vector<DescriptionLayer> take_layers() { return std::move(layers_); }

private:
  Result<void> enter(const std::string& model_type) {
    const bool cycle = std::find(chain_.begin(), chain_.end(), model_type) != chain_.end();
    chain_.push_back(model_type);
    if (!cycle && chain_.size() <= kMaxInheritance) return {};
    std::string path;
    for (const auto& type : chain_) path += (path.empty() ? "" : " -> ") + type;
    Error error = input_error(cycle ? "\"extends\" is cyclic: " + path
                                    : "\"extends\" is deeper than " + std::to_string(kMaxInheritance) + ": " + path);
    error.where = layers_.empty() ? file_of_extends_ : layers_.back().file;
    error.fixes.push_back("let one of these files state everything itself, without \"extends\"");
    return error;
  }

  Error unknown_type(const std::string& model_type) const {
    Error error = input_error("no description of model type \"" + model_type + "\"");
    error.where = file_of_extends_;
    const auto near = nearest(model_type, described_model_types());
    std::string list;
    for (const auto& type : near) list += (list.empty() ? "" : ", ") + type;
    if (!list.empty()) error.details.push_back("did you mean: " + list);
    error.fixes.push_back("tpsim models list");
    return error;
  }

  Result<void> merge_file(const std::string& file, const ValueObject& object, ValueObject& merged) {
    if (chain_.size() == 1) {
      if (auto exists = check_since(file, object); !exists) return exists;
    }
    if (const Value* extends = find(object, "extends")) {
      const auto* base = std::get_if<std::string>(&extends->data);
      if (base == nullptr) return input_error("\"extends\" is the name of a model type", file + "#/extends");
      file_of_extends_ = file + "#/extends";
      if (auto read_base = read(*base, merged); !read_base) return read_base;
    }
    add_layer(file, "", object, merged);
    const Value* versions = find(object, "versions");
    if (versions == nullptr) return {};
    const auto* overlays = std::get_if<ValueList>(&versions->data);
    if (overlays == nullptr) return input_error("\"versions\" is a list of overlays", file + "#/versions");
    for (std::size_t i = 0; i < overlays->size(); ++i) {
      const std::string pointer = "/versions/" + std::to_string(i);
      if (auto applied = overlay(file, pointer, (*overlays)[i], merged); !applied) return applied;
    }
    return {};
  }

  // "since" holds for the type itself, not for those that extend it.
  Result<void> check_since(const std::string& file, const ValueObject& object) const {
    const Value* since = find(object, "since");
    if (since == nullptr) return {};
    const auto version = parse_version(*since);
    if (!version)
      return input_error("\"since\" is a version such as \"5.0\", not " + to_json(*since), file + "#/since");
    if (dialect_ >= *version) return {};
    Error error = input_error(chain_.front() + " is described from " + to_string(*version) + " on, not for " +
                              to_string(dialect_));
    error.where = file + "#/since";
    error.fixes.push_back("--dialect " + to_string(*version) + "   or a later one");
    return error;
  }

  Result<void> overlay(const std::string& file, const std::string& pointer, const Value& value, ValueObject& merged) {
    const auto* object = std::get_if<ValueObject>(&value.data);
    if (object == nullptr) return input_error("an overlay is an object", file + "#" + pointer);
    bool applies = true, bounded = false;
    for (const auto* key : {"from", "below"}) {
      const Value* bound = find(*object, key);
      if (bound == nullptr) continue;
      const auto version = parse_version(*bound);
      if (!version) {
        return input_error("\"" + std::string(key) + "\" is a version such as \"5.0\", not " + to_json(*bound),
                           file + "#" + pointer + "/" + key);
      }
      bounded = true;
      applies = applies && (std::string_view(key) == "from" ? dialect_ >= *version : dialect_ < *version);
    }
    if (!bounded) return input_error("an overlay has \"from\", \"below\" or both", file + "#" + pointer);
    for (const auto* key : {"extends", "versions", "since"}) {
      if (find(*object, key) != nullptr) {
        return input_error("an overlay cannot have \"" + std::string(key) + "\"", file + "#" + pointer + "/" + key);
      }
    }
    if (applies) add_layer(file, pointer, *object, merged);
    return {};
  }

  void add_layer(const std::string& file, const std::string& pointer, const ValueObject& object, ValueObject& merged) {
    ValueObject content;
    for (const auto& member : object) {
      const auto& key = member.first;
      const bool control = key == "extends" || key == "versions" || key == "since" ||
                           (!pointer.empty() && (key == "from" || key == "below"));
      if (!control) content.push_back(member);
    }
    merge_description(merged, content);
    layers_.push_back({file, pointer, Value{std::move(content)}});
  }

  const Dialect dialect_;
  const FindDescription& find_;
  std::vector<std::string> chain_;
  std::vector<DescriptionLayer> layers_;
  std::string file_of_extends_;
};

std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    text += !escape ? token[i] : token[++i] == '1' ? '/' : '~';
  }
  return text;
}

const Value* child_at(const Value& value, const std::string& token) {
  if (const auto* object = std::get_if<ValueObject>(&value.data)) return find(*object, token);
  const auto* list = std::get_if<ValueList>(&value.data);
  std::size_t index = 0;
  const auto parsed = std::from_chars(token.data(), token.data() + token.size(), index);
  if (list == nullptr || parsed.ec != std::errc() || index >= list->size()) return nullptr;
  return &(*list)[index];
}

// How many tokens of the pointer the value has.
std::size_t depth_of(const Value& value, std::string_view pointer) {
  std::size_t depth = 0;
  const Value* at = &value;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto slash = pointer.find('/');
    at = child_at(*at, unescaped(pointer.substr(0, slash)));
    if (at == nullptr) break;
    ++depth;
    pointer.remove_prefix(slash == std::string_view::npos ? pointer.size() : slash);
  }
  return depth;
}

}  // namespace

void merge_description(ValueObject& base, const ValueObject& overlay) { merge(base, overlay, Level::top); }

Result<MergedDescription> merged_description(std::string_view model_type, const Dialect& dialect,
                                             const FindDescription& find) {
  DescriptionReader reader(dialect, find);
  MergedDescription merged;
  if (auto read = reader.read(std::string(model_type), merged.object); !read) return read.error();
  merged.layers = reader.take_layers();
  return merged;
}

std::string place(const std::vector<DescriptionLayer>& layers, const std::string& pointer) {
  const DescriptionLayer* best = nullptr;
  std::size_t best_depth = 0;
  for (const auto& layer : layers) {
    const auto depth = depth_of(layer.value, pointer);
    if (best != nullptr && depth < best_depth) continue;
    best = &layer;
    best_depth = depth;
  }
  return best == nullptr ? pointer : best->file + "#" + best->pointer + pointer;
}

std::vector<std::string> described_model_types() {
  constexpr std::string_view kPrefix = "plans/", kSuffix = "/architecture.json";
  std::vector<std::string> types;
  for (const auto& path : list_data(kPrefix)) {
    if (path.ends_with(kSuffix))
      types.push_back(path.substr(kPrefix.size(), path.size() - kPrefix.size() - kSuffix.size()));
  }
  return types;
}

}  // namespace tpsim
