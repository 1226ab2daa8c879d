#include "exec/run_input.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "core/safetensors.h"
#include "exec/mapped_file.h"

namespace tpsim::exec {
namespace {

const CheckpointTensor* find_tensor(const Checkpoint& file, const std::string& name) {
  const auto found =
      std::find_if(file.tensors.begin(), file.tensors.end(), [&](const auto& t) { return t.name == name; });
  return found == file.tensors.end() ? nullptr : &*found;
}

template <class Stored, class Wanted>
std::vector<Wanted> values_of(const CheckpointTensor& tensor, const MappedFile& file) {
  std::vector<Wanted> values(static_cast<std::size_t>(tensor.shape.numel()));
  const std::byte* at = file.bytes().data() + tensor.begin;
  for (Wanted& value : values) {
    Stored stored;
    std::memcpy(&stored, at, sizeof stored);
    value = static_cast<Wanted>(stored);
    at += sizeof stored;
  }
  return values;
}

// The header was read before the file was mapped.
bool holds(const MappedFile& file, const CheckpointTensor& tensor) {
  return tensor.begin >= 0 && static_cast<std::size_t>(tensor.begin + tensor.bytes) <= file.bytes().size();
}

Error input_fault(const std::string& path, const std::string& what) {
  Error error = input_error(what, path);
  error.fixes.push_back(
      "--input FILE.safetensors with input_ids [batch, tokens] of type int64, and, optionally, logits");
  return error;
}

}  // namespace

Result<RunInput> read_run_input(const std::string& path, std::int64_t vocabulary) {
  const auto header = read_safetensors(path);
  if (!header) return header.error();
  const CheckpointTensor* ids = find_tensor(*header, "input_ids");
  if (ids == nullptr) return input_fault(path, "the file has no tensor \"input_ids\"");
  const bool whole = ids->dtype == "I64" || ids->dtype == "I32";
  if (!whole || ids->shape.rank() != 2 || ids->shape.numel() == 0)
    return input_fault(path, "input_ids is " + ids->dtype + " " + to_string(ids->shape) +
                                 "; whole numbers [batch, tokens] are needed");
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  const CheckpointTensor* logits = find_tensor(*header, "logits");
  if (!holds(*file, *ids) || (logits != nullptr && !holds(*file, *logits))) return file->changed_error();
  RunInput input;
  input.ids_shape = ids->shape;
  input.ids = ids->dtype == "I64" ? values_of<std::int64_t, std::int64_t>(*ids, *file)
                                  : values_of<std::int32_t, std::int64_t>(*ids, *file);
  if (file->changed()) return file->changed_error();
  for (const std::int64_t id : input.ids)
    if (id < 0 || (vocabulary > 0 && id >= vocabulary))
      return input_fault(
          path, "token id " + std::to_string(id) + " is not in the vocabulary of " + std::to_string(vocabulary));
  if (logits == nullptr) return input;
  if (logits->dtype != "F32") return input_fault(path, "logits are " + logits->dtype + "; F32 is needed");
  input.logits = values_of<float, float>(*logits, *file);
  if (file->changed()) return file->changed_error();
  return input;
}

Result<std::map<std::string, std::vector<float>>> read_gradients(const std::string& path) {
  const auto header = read_safetensors(path);
  if (!header) return header.error();
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  std::map<std::string, std::vector<float>> gradients;
  for (const CheckpointTensor& tensor : header->tensors) {
    if (tensor.dtype != "F32")
      return input_error("the gradient of " + tensor.name + " is " + tensor.dtype + "; F32 is needed", path);
    if (!holds(*file, tensor)) return file->changed_error();
    gradients[tensor.name] = values_of<float, float>(tensor, *file);
  }
  if (file->changed()) return file->changed_error();
  return gradients;
}

RunInput seeded_input(std::int64_t batch, std::int64_t tokens, std::int64_t vocabulary, std::uint64_t seed) {
  RunInput input;
  input.ids_shape = Shape{batch, tokens};
  std::mt19937_64 generator(seed);
  for (std::int64_t i = 0; i < batch * tokens; ++i)
    input.ids.push_back(
        static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(std::max<std::int64_t>(1, vocabulary))));
  return input;
}

}  // namespace tpsim::exec
