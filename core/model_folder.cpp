#include "core/model_folder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "core/text_file.h"

namespace tpsim {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostEntries = 100'000;
constexpr std::size_t kMostListed = 8;
constexpr std::string_view kCachePrefix = "models--";

Result<std::vector<std::string>> entries_of(const std::string& path) {
  std::error_code code;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code)) {
    names.push_back(entry->path().filename().string());
    if (names.size() > kMostEntries) return input_error(path + " has more than 100000 entries: not a model folder");
  }
  if (code) return input_error(path + " cannot be read: " + code.message());
  std::sort(names.begin(), names.end());
  return names;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::binary_search(names.begin(), names.end(), name);
}

std::string join(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).string(); }

Error no_snapshot(const std::string& path, const std::string& why) {
  Error error = input_error(path + " is a Hugging Face cache folder, but " + why);
  error.fixes.push_back("-m " + join(path, "snapshots/HASH"));
  return error;
}

// The snapshot of a cache folder: that of refs/main, or the only one.
Result<std::string> snapshot_of(const std::string& path) {
  constexpr std::size_t kLongestRef = 200;
  auto snapshots = entries_of(join(path, "snapshots"));
  if (!snapshots) return std::move(snapshots).error();
  std::error_code code;
  if (const std::string ref = join(path, "refs/main"); fs::exists(ref, code)) {
    auto hash = read_text_file(ref, kLongestRef);
    if (!hash) return hash;
    hash->erase(hash->find_last_not_of(" \r\n") + 1);
    if (contains(*snapshots, *hash)) return join(path, "snapshots/" + *hash);
    return no_snapshot(path, "refs/main names \"" + *hash + "\", which is not in snapshots/");
  }
  if (snapshots->size() == 1) return join(path, "snapshots/" + snapshots->front());
  return no_snapshot(path, "it has no refs/main and " + std::to_string(snapshots->size()) + " snapshots");
}

// "model-00003-of-00030.safetensors".
bool is_shard(std::string_view name) {
  const std::size_t of = name.rfind("-of-");
  return of != std::string_view::npos && name.ends_with(".safetensors");
}

// Without an index: model.safetensors, or the numbered shards, or the only file there is.
std::vector<std::string> checkpoint_files(const std::vector<std::string>& names) {
  if (contains(names, "model.safetensors")) return {"model.safetensors"};
  std::vector<std::string> files, shards;
  for (const std::string& name : names) {
    if (name.ends_with(".safetensors") && !name.starts_with("adapter_")) files.push_back(name);
    if (is_shard(name)) shards.push_back(name);
  }
  if (!shards.empty()) return shards;
  return files.size() == 1 ? files : std::vector<std::string>();
}

std::string index_file(const std::vector<std::string>& names) {
  if (contains(names, "model.safetensors.index.json")) return "model.safetensors.index.json";
  const auto found = std::find_if(names.begin(), names.end(),
                                  [](const auto& name) { return name.ends_with(".safetensors.index.json"); });
  return found == names.end() ? "" : *found;
}

const char* advice(const ModelFolder& folder) {
  struct Case {
    std::string_view ending;
    const char* advice;
  };
  constexpr std::array kCases = {
      Case{"adapter_config.json", "an adapter alone: give the folder of its base model"},
      Case{"params.json", "a checkpoint in its vendor's own form: give the config.json of the Hugging Face release"},
      Case{".gguf", "GGUF files are not read: give the config.json of the original model"},
      Case{".bin", "PyTorch files are not read: put the model's config.json beside them"},
      Case{".pth", "PyTorch files are not read: put the model's config.json beside them"},
      Case{".pt", "PyTorch files are not read: put the model's config.json beside them"},
      Case{".safetensors", "several checkpoints: give the one that is meant, as a file"}};
  for (const Case& known : kCases) {
    const bool found = std::any_of(folder.others.begin(), folder.others.end(),
                                   [&](const std::string& name) { return name.ends_with(known.ending); });
    if (found) return known.advice;
  }
  return nullptr;
}

}  // namespace

Result<ModelFolder> inspect_folder(const std::string& path) {
  ModelFolder folder;
  folder.path = path;
  auto names = entries_of(path);
  if (!names) return std::move(names).error();
  if (contains(*names, "snapshots") && !contains(*names, "config.json")) {
    auto snapshot = snapshot_of(path);
    if (!snapshot) return std::move(snapshot).error();
    folder.path = *std::move(snapshot);
    names = entries_of(folder.path);
    if (!names) return std::move(names).error();
  }
  folder.name = model_name(folder.path);
  folder.has_config = contains(*names, "config.json");
  if (const std::string index = index_file(*names); !index.empty()) folder.index = join(folder.path, index);
  for (const std::string& name : checkpoint_files(*names)) folder.checkpoint.push_back(join(folder.path, name));
  folder.others = *std::move(names);
  return folder;
}

std::string model_name(const std::string& path) {
  std::error_code code;
  fs::path full = fs::absolute(path, code).lexically_normal();
  if (!full.has_filename()) full = full.parent_path();
  const fs::path hub = full.parent_path().filename() == "snapshots" ? full.parent_path().parent_path() : full;
  const std::string name = hub.filename().string();
  if (!name.starts_with(kCachePrefix)) return full.filename().string();
  const std::size_t organisation = name.rfind("--");
  return name.substr(organisation + 2);
}

Error no_model_in(const ModelFolder& folder) {
  Error error = input_error("the folder has no config.json and no *.safetensors that could stand for it", folder.path);
  std::string listed;
  for (std::size_t i = 0; i < std::min(kMostListed, folder.others.size()); ++i) {
    listed += (i == 0 ? "" : ", ") + folder.others[i];
  }
  if (folder.others.size() > kMostListed) {
    listed += ", and " + std::to_string(folder.others.size() - kMostListed) + " more";
  }
  error.details.push_back(listed.empty() ? "it is empty" : "found: " + listed);
  if (const char* hint = advice(folder)) error.details.emplace_back(hint);
  error.fixes.emplace_back("-m path/to/config.json");
  return error;
}

}  // namespace tpsim
