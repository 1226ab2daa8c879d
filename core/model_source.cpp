#include "core/model_source.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include "core/known_configs.h"
#include "core/model_folder.h"
#include "core/source_text.h"
#include "core/text_file.h"

namespace tpsim {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLargestFile = 64u << 20;

// The name that a file gives its model: its own without the extension, or its folder's where it is called config.json.
std::string name_of_file(const std::string& path) {
  const fs::path file(path);
  const bool generic = file.filename() == "config.json" || file.filename().string().starts_with("model.safetensors");
  if (generic && file.has_parent_path()) return model_name(file.parent_path().string());
  return file.stem().string();
}

Result<ModelSource> with_config(ModelSource source, std::string text, const std::string& file,
                                const ModelSourceOptions& options) {
  auto config = read_config(text, file, options.set);
  if (!config) return std::move(config).error();
  source.text = std::move(text);
  source.config = *std::move(config);
  return source;
}

Error set_without_config(const std::string& path) {
  Error error = usage_error("--set needs a config, and " + path + " has no config.json beside it");
  error.fixes.emplace_back("-m path/to/config.json");
  return error;
}

// Adds the config.json of `folder`, if there is one.
Result<ModelSource> with_config_beside(ModelSource source, const fs::path& folder, const ModelSourceOptions& options) {
  const std::string path = (folder / "config.json").string();
  std::error_code code;
  if (!fs::exists(fs::symlink_status(path, code))) {
    if (!options.set.empty()) return set_without_config(source.origin);
    return source;
  }
  auto text = read_text_file(path, kLargestFile);
  if (!text) return std::move(text).error();
  return with_config(std::move(source), *std::move(text), path, options);
}

void append_shard(Checkpoint& all, Checkpoint shard) {
  const int first_file = static_cast<int>(all.files.size());
  for (CheckpointTensor& tensor : shard.tensors) {
    tensor.file += first_file;
    all.tensors.push_back(std::move(tensor));
  }
  std::move(shard.files.begin(), shard.files.end(), std::back_inserter(all.files));
  all.total_size += shard.total_size;
  all.metadata.merge(shard.metadata);
}

// Shards that no index describes.
Result<Checkpoint> read_shards(const std::vector<std::string>& paths, const SafetensorsLimits& limits) {
  Checkpoint all;
  for (const std::string& path : paths) {
    auto shard = read_safetensors(path, limits);
    if (!shard) return shard;
    append_shard(all, *std::move(shard));
  }
  const auto by_name = [](const CheckpointTensor& a, const CheckpointTensor& b) { return a.name < b.name; };
  std::stable_sort(all.tensors.begin(), all.tensors.end(), by_name);
  const auto twin = std::adjacent_find(all.tensors.begin(), all.tensors.end(),
                                       [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twin == all.tensors.end()) return all;
  const auto file = [&](const CheckpointTensor& tensor) { return all.files[static_cast<std::size_t>(tensor.file)]; };
  return input_error("tensor \"" + twin->name + "\" stands in two files: " + file(*twin) + " and " + file(*(twin + 1)));
}

Result<Checkpoint> read_folder_checkpoint(const ModelFolder& folder, const SafetensorsLimits& limits) {
  if (!folder.index.empty()) return read_safetensors_index(folder.index, limits);
  return read_shards(folder.checkpoint, limits);
}

Result<ModelSource> open_folder(const std::string& path, const ModelSourceOptions& options) {
  const auto folder = inspect_folder(path);
  if (!folder) return folder.error();
  const bool has_checkpoint = !folder->index.empty() || !folder->checkpoint.empty();
  if (!folder->has_config && !has_checkpoint) return no_model_in(*folder);
  ModelSource source;
  source.id = folder->name;
  source.origin = folder->path;
  if (has_checkpoint) {
    auto checkpoint = read_folder_checkpoint(*folder, options.limits);
    if (!checkpoint) return std::move(checkpoint).error();
    source.checkpoint = *std::move(checkpoint);
  }
  return with_config_beside(std::move(source), folder->path, options);
}

Result<ModelSource> open_checkpoint(const std::string& path, bool index, const ModelSourceOptions& options) {
  auto checkpoint = index ? read_safetensors_index(path, options.limits) : read_safetensors(path, options.limits);
  if (!checkpoint) return std::move(checkpoint).error();
  ModelSource source;
  source.id = name_of_file(path);
  source.origin = path;
  source.checkpoint = *std::move(checkpoint);
  return with_config_beside(std::move(source), fs::path(path).parent_path(), options);
}

Result<ModelSource> open_config(const std::string& path, const ModelSourceOptions& options) {
  auto text = read_text_file(path, kLargestFile);
  if (!text) return std::move(text).error();
  if (text->find("\"weight_map\"") != std::string::npos) return open_checkpoint(path, true, options);
  ModelSource source;
  source.id = name_of_file(path);
  source.origin = path;
  return with_config(std::move(source), *std::move(text), path, options);
}

Result<ModelSource> open_path(const std::string& path, const ModelSourceOptions& options) {
  std::error_code code;
  if (fs::is_directory(path, code)) return open_folder(path, options);
  if (path.ends_with(".index.json")) return open_checkpoint(path, true, options);
  if (path.ends_with(".safetensors")) return open_checkpoint(path, false, options);
  constexpr std::array<std::string_view, 6> kUnread = {".gguf", ".bin", ".pth", ".pt", ".ckpt", ".h5"};
  for (const std::string_view ending : kUnread) {
    if (!path.ends_with(ending)) continue;
    Error error =
        input_error(path + " is a weight file of a kind that tpsim does not read (" + std::string(ending) + ")");
    error.fixes.emplace_back("-m path/to/config.json, or a *.safetensors file");
    return error;
  }
  return open_config(path, options);
}

Result<ModelSource> open_known(const KnownModel& known, const ModelSourceOptions& options) {
  ModelSource source;
  source.id = base_name(known.id);
  source.origin = "built-in config";
  return with_config(std::move(source), to_json(known.config), known.id, options);
}

Result<ModelSource> open_standard_input(const ModelSourceOptions& options) {
  auto text = read_standard_input(kLargestFile);
  if (!text) return std::move(text).error();
  auto source = model_of_text(*std::move(text), "standard input", options);
  if (source) source->id = "stdin";
  return source;
}

// Surely a path, whether there is such a file or not. "org/name" is one only where it exists.
bool means_path(const std::string& argument) {
  const bool file_name = argument.ends_with(".json") || argument.ends_with(".safetensors");
  const bool rooted = argument.starts_with('/') || argument.starts_with('.') || argument.starts_with('~');
  const bool deep = std::count(argument.begin(), argument.end(), '/') > 1;
  std::error_code code;
  const bool present = argument.find('/') != std::string::npos && fs::exists(fs::symlink_status(argument, code));
  return file_name || rooted || deep || present;
}

}  // namespace

Result<ModelSource> model_of_text(std::string text, const std::string& name, const ModelSourceOptions& options) {
  ModelSource source;
  source.id = source.origin = name;
  return with_config(std::move(source), std::move(text), name, options);
}

Result<ModelSource> open_model(std::string_view argument, const ModelSourceOptions& options) {
  const std::string name(argument);
  if (name.empty()) return usage_error("--model is empty");
  if (name.find('\0') != std::string::npos) return usage_error("--model holds a zero byte");
  if (name == "-") return open_standard_input(options);
  if (means_path(name)) return open_path(name, options);
  const auto known = find_known_model(name);
  if (known) return open_known(*known, options);
  std::error_code code;
  if (fs::exists(fs::symlink_status(name, code))) return open_path(name, options);
  return known.error();
}

}  // namespace tpsim
