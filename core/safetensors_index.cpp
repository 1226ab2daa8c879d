#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/checked.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "core/safetensors_file.h"
#include "core/source_text.h"
#include "core/value.h"

namespace tpsim {
namespace {

namespace fs = std::filesystem;

// A shard is named relative to the index and may not leave its folder.
std::optional<std::string> bad_shard_name(const std::string& name) {
  if (name.empty()) return "is empty";
  if (name.find('\0') != std::string::npos) return "holds a NUL character";
  const fs::path path(name);
  if (path.is_absolute()) return "is an absolute path";
  if (std::find(path.begin(), path.end(), "..") != path.end()) return "leaves the folder of the index";
  return std::nullopt;
}

std::string beside(const std::string& index_path, const std::string& name) {
  return (fs::path(index_path).parent_path() / name).string();
}

class IndexReader {
public:
  IndexReader(const std::string& path, const SafetensorsLimits& limits) : path_(path), limits_(limits) {}

  Result<Checkpoint> run() {
    const auto root = parse();
    if (!root) return root.error();
    if (auto fault = read_metadata(*root)) return std::move(*fault);
    if (auto fault = read_weight_map(*root)) return std::move(*fault);
    for (int shard = 0; shard < static_cast<int>(checkpoint_.files.size()); ++shard)
      if (auto fault = read_shard(shard)) return std::move(*fault);
    finish();
    return std::move(checkpoint_);
  }

private:
  Error error(const std::string& what) const { return input_error(base_name(path_) + ": " + what, path_); }

  Result<ValueObject> parse() const {
    const auto size = regular_file_size(path_);
    if (!size) return size.error();
    if (*size > limits_.header_bytes)
      return file_error(
          path_, "has " + std::to_string(*size) + " bytes; the limit is " + std::to_string(limits_.header_bytes));
    const auto text = read_beginning(path_, *size);
    if (!text) return text.error();
    auto value = parse_json(*text, path_);
    if (!value) return std::move(value.error());
    auto* object = std::get_if<ValueObject>(&value->data);
    if (object == nullptr)
      return file_error(path_, std::string("is ") + type_name(*value) + ", not a checkpoint's index");
    return std::move(*object);
  }

  std::optional<Error> read_metadata(const ValueObject& root) {
    const Value* metadata = find(root, "metadata");
    if (metadata == nullptr || metadata->is_null()) return std::nullopt;
    const auto* object = std::get_if<ValueObject>(&metadata->data);
    if (object == nullptr) return error(std::string("\"metadata\" is ") + type_name(*metadata) + ", not an object");
    for (const auto& [key, value] : *object) {
      const auto* text = std::get_if<std::string>(&value.data);
      checkpoint_.metadata[key] = text != nullptr ? *text : to_json(value);
    }
    const Value* total = find(*object, "total_size");
    return total == nullptr ? std::nullopt : read_total_size(*total);
  }

  // Some writers store the size as a float.
  std::optional<Error> read_total_size(const Value& total) {
    constexpr double exact = 9007199254740992.0;  // 2^53
    const auto* integer = std::get_if<std::int64_t>(&total.data);
    const auto* real = std::get_if<double>(&total.data);
    if (integer != nullptr) checkpoint_.declared_total_size = *integer;
    if (real != nullptr && *real >= 0 && *real <= exact && std::floor(*real) == *real)
      checkpoint_.declared_total_size = static_cast<std::int64_t>(*real);
    if (checkpoint_.declared_total_size >= 0) return std::nullopt;
    return error("\"total_size\" is " + to_json(total) + ", not a number of bytes");
  }

  std::optional<Error> read_weight_map(const ValueObject& root) {
    const Value* value = find(root, "weight_map");
    if (value == nullptr) return error("it has no \"weight_map\", so it is not a checkpoint's index");
    const auto* map = std::get_if<ValueObject>(&value->data);
    if (map == nullptr) return error(std::string("\"weight_map\" is ") + type_name(*value) + ", not an object");
    if (static_cast<std::int64_t>(map->size()) > limits_.tensors)
      return error("it lists " + std::to_string(map->size()) + " tensors; the limit is " +
                   std::to_string(limits_.tensors));
    for (const auto& [name, shard] : *map)
      if (auto fault = add_tensor(name, shard)) return fault;
    return std::nullopt;
  }

  std::optional<Error> add_tensor(const std::string& name, const Value& shard) {
    const auto* file = std::get_if<std::string>(&shard.data);
    if (file == nullptr) return error("the file of tensor \"" + name + "\" is " + type_name(shard) + ", not a string");
    const auto [known, fresh] = shard_index_.try_emplace(*file, static_cast<int>(checkpoint_.files.size()));
    if (fresh) {
      if (const auto fault = bad_shard_name(*file))
        return error("the file of tensor \"" + name + "\" " + *fault + ": \"" + *file + "\"");
      checkpoint_.files.push_back(beside(path_, *file));
      names_of_shard_.emplace_back();
    }
    shard_of_.emplace(name, known->second);
    names_of_shard_[static_cast<std::size_t>(known->second)].push_back(name);
    return std::nullopt;
  }

  std::optional<Error> read_shard(int shard) {
    const std::string& file = checkpoint_.files[static_cast<std::size_t>(shard)];
    const auto& names = names_of_shard_[static_cast<std::size_t>(shard)];
    if (!has_header(file)) {
      checkpoint_.names_only.insert(checkpoint_.names_only.end(), names.begin(), names.end());
      return std::nullopt;
    }
    auto part = read_safetensors(file, limits_);
    if (!part) return std::move(part.error());
    std::size_t found = 0;
    for (auto& tensor : part->tensors) {
      const auto owner = shard_of_.find(tensor.name);
      if (owner != shard_of_.end() && owner->second != shard) continue;
      if (owner != shard_of_.end()) ++found;
      tensor.file = shard;
      checkpoint_.tensors.push_back(std::move(tensor));
    }
    if (found != names.size()) return absent_tensor(file, names, *part);
    return std::nullopt;
  }

  // True if the shard can be read; notes it where it is missing. Pointers and other formats have names only.
  bool has_header(const std::string& file) {
    std::error_code code;
    if (!fs::exists(file, code)) {
      checkpoint_.missing_files.push_back(file);
      return false;
    }
    if (!file.ends_with(".safetensors")) return false;
    if (!fs::is_regular_file(file, code)) return true;
    constexpr std::int64_t enough_to_tell = 64;
    const auto beginning = read_beginning(file, enough_to_tell);
    return !beginning || !is_lfs_pointer(*beginning);
  }

  Error absent_tensor(const std::string& file, const std::vector<std::string>& names, const Checkpoint& part) const {
    std::unordered_set<std::string_view> held;
    for (const auto& tensor : checkpoint_.tensors) held.insert(tensor.name);
    const auto absent =
        std::find_if(names.begin(), names.end(), [&](const std::string& name) { return !held.contains(name); });
    Error fault = error("tensor \"" + (absent == names.end() ? "" : *absent) + "\" is listed for " + base_name(file) +
                        ", which does not hold it");
    fault.details.push_back(base_name(file) + " holds " + std::to_string(part.tensors.size()) + " tensors");
    fault.fixes = {"download the index and its shards again, from the same revision"};
    return fault;
  }

  void finish() {
    for (const auto& tensor : checkpoint_.tensors)
      checkpoint_.total_size = saturating_add(checkpoint_.total_size, tensor.bytes);
    std::sort(checkpoint_.tensors.begin(), checkpoint_.tensors.end(),
              [](const CheckpointTensor& a, const CheckpointTensor& b) { return a.name < b.name; });
    std::sort(checkpoint_.names_only.begin(), checkpoint_.names_only.end());
  }

  const std::string& path_;
  const SafetensorsLimits& limits_;
  Checkpoint checkpoint_;
  std::unordered_map<std::string, int> shard_index_;  // name in the index -> index into files
  std::unordered_map<std::string, int> shard_of_;     // tensor -> index into files
  std::vector<std::vector<std::string>> names_of_shard_;
};

}  // namespace

Result<Checkpoint> read_safetensors_index(const std::string& path, const SafetensorsLimits& limits) {
  return IndexReader(path, limits).run();
}

}  // namespace tpsim
