#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "core/checked.h"
#include "core/json.h"
#include "core/safetensors_file.h"
#include "core/source_text.h"
#include "core/value.h"

namespace tpsim {
namespace {

struct ElementType {
  std::string_view name;
  int bits;
};

// safetensors 0.6, enum Dtype, and the fnuz types that some writers use.
constexpr std::array kElementTypes = {
    ElementType{"BOOL", 8},    ElementType{"F4", 4},          ElementType{"F6_E2M3", 6},     ElementType{"F6_E3M2", 6},
    ElementType{"U8", 8},      ElementType{"I8", 8},          ElementType{"F8_E5M2", 8},     ElementType{"F8_E4M3", 8},
    ElementType{"F8_E8M0", 8}, ElementType{"F8_E4M3FNUZ", 8}, ElementType{"F8_E5M2FNUZ", 8}, ElementType{"I16", 16},
    ElementType{"U16", 16},    ElementType{"F16", 16},        ElementType{"BF16", 16},       ElementType{"I32", 32},
    ElementType{"U32", 32},    ElementType{"F32", 32},        ElementType{"C64", 64},        ElementType{"F64", 64},
    ElementType{"I64", 64},    ElementType{"U64", 64},
};

std::optional<int> bits_of(std::string_view dtype) {
  for (const auto& type : kElementTypes)
    if (type.name == dtype) return type.bits;
  return std::nullopt;
}

std::string in_brackets(const Shape& shape) {
  std::string text = "[";
  for (auto extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

// One entry of the header on its way to a CheckpointTensor.
class EntryReader {
public:
  EntryReader(const std::string& path, const std::string& name, const Value& value)
      : path_(path), name_(name), value_(value) {}

  Result<CheckpointTensor> run() {
    const auto* entry = std::get_if<ValueObject>(&value_.data);
    if (entry == nullptr) return error(std::string("is ") + type_name(value_) + ", not an object");
    tensor_.name = name_;
    if (auto fault = read_dtype(*entry)) return std::move(*fault);
    if (auto fault = read_shape(*entry)) return std::move(*fault);
    if (auto fault = read_offsets(*entry)) return std::move(*fault);
    if (auto fault = check_bytes()) return std::move(*fault);
    return std::move(tensor_);
  }

private:
  Error error(const std::string& what) const {
    return input_error(base_name(path_) + ": tensor \"" + name_ + "\" " + what, path_);
  }

  std::optional<Error> read_dtype(const ValueObject& entry) {
    const Value* value = find(entry, "dtype");
    if (value == nullptr) return error("has no \"dtype\"");
    const auto* dtype = std::get_if<std::string>(&value->data);
    if (dtype == nullptr) return error(std::string("has a dtype that is ") + type_name(*value) + ", not a string");
    const auto bits = bits_of(*dtype);
    if (!bits) return error("has the unknown dtype \"" + *dtype + "\"");
    bits_ = *bits;
    tensor_.dtype = *dtype;
    return std::nullopt;
  }

  // A list of non-negative integers.
  std::optional<Error> read_sizes(const ValueObject& entry, const char* key, std::vector<std::int64_t>& sizes) const {
    const Value* value = find(entry, key);
    const std::string quoted = std::string("\"") + key + "\"";
    if (value == nullptr) return error("has no " + quoted);
    const auto* list = std::get_if<ValueList>(&value->data);
    if (list == nullptr) return error("has " + quoted + " that is " + type_name(*value) + ", not a list");
    for (const Value& item : *list) {
      const auto* size = std::get_if<std::int64_t>(&item.data);
      if (size == nullptr) return error("has " + to_json(item) + " in " + quoted + ", not a whole number of 64 bits");
      if (*size < 0) return error("has the negative number " + std::to_string(*size) + " in " + quoted);
      sizes.push_back(*size);
    }
    return std::nullopt;
  }

  std::optional<Error> read_shape(const ValueObject& entry) {
    std::vector<std::int64_t> sizes;
    if (auto fault = read_sizes(entry, "shape", sizes)) return fault;
    if (sizes.size() > std::size_t{Shape::kMaxRank})
      return error("has " + std::to_string(sizes.size()) + " dimensions; at most " + std::to_string(Shape::kMaxRank) +
                   " are read");
    tensor_.shape = Shape(sizes);
    return std::nullopt;
  }

  std::optional<Error> read_offsets(const ValueObject& entry) {
    std::vector<std::int64_t> offsets;
    if (auto fault = read_sizes(entry, "data_offsets", offsets)) return fault;
    if (offsets.size() != 2)
      return error("has " + std::to_string(offsets.size()) + " data_offsets; a begin and an end are needed");
    if (offsets[1] < offsets[0])
      return error("ends before it begins: data_offsets " + offsets_text(offsets[0], offsets[1]));
    tensor_.begin = offsets[0];
    tensor_.bytes = offsets[1] - offsets[0];
    return std::nullopt;
  }

  static std::string offsets_text(std::int64_t begin, std::int64_t end) {
    return "[" + std::to_string(begin) + ", " + std::to_string(end) + "]";
  }

  std::optional<Error> check_bytes() const {
    const auto numel = checked_numel(tensor_.shape);
    const auto bits = numel ? checked_mul(*numel, bits_) : std::nullopt;
    const std::string what = tensor_.dtype + " " + in_brackets(tensor_.shape);
    if (!bits) return error("has more bits than 64-bit arithmetic holds: " + what);
    if (*bits % 8 != 0) return error("does not fill whole bytes: " + what);
    if (*bits / 8 == tensor_.bytes) return std::nullopt;
    return error("has data_offsets " + offsets_text(tensor_.begin, tensor_.begin + tensor_.bytes) + " but " + what +
                 " needs " + std::to_string(*bits / 8) + " bytes");
  }

  const std::string& path_;
  const std::string& name_;
  const Value& value_;
  CheckpointTensor tensor_;
  int bits_ = 0;
};

std::optional<Error> read_metadata(const std::string& path, const Value& value,
                                   std::map<std::string, std::string>& metadata) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  if (object == nullptr)
    return input_error(base_name(path) + ": \"__metadata__\" is " + type_name(value) + ", not an object", path);
  for (const auto& [key, item] : *object) {
    const auto* text = std::get_if<std::string>(&item.data);
    if (text == nullptr)
      return input_error(base_name(path) + ": metadata \"" + key + "\" is " + type_name(item) + ", not a string", path);
    metadata[key] = *text;
  }
  return std::nullopt;
}

Error data_size_error(const std::string& path, std::int64_t described, std::int64_t file_size) {
  const auto text = [](std::int64_t n) { return with_separators(static_cast<std::uint64_t>(n)); };
  if (described > file_size) {
    Error error =
        file_error(path, "is cut off: header says " + text(described) + " bytes, file has " + text(file_size));
    error.fixes = {"download the file again"};
    return error;
  }
  return file_error(
      path, "holds bytes that no tensor owns: header says " + text(described) + " bytes, file has " + text(file_size));
}

// The data must be covered without holes and overlaps, as the reference reader demands.
std::optional<Error> check_layout(const std::string& path, std::vector<CheckpointTensor>& tensors,
                                  const HeaderText& header) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const CheckpointTensor& a, const CheckpointTensor& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.bytes < b.bytes;
  });
  std::int64_t end = 0;
  const CheckpointTensor* before = nullptr;
  for (const auto& tensor : tensors) {
    const std::string name = base_name(path) + ": tensor \"" + tensor.name + "\" ";
    const std::string place = "starts at byte " + std::to_string(tensor.begin) + " of the data, ";
    if (tensor.begin < end)
      return input_error(
          name + "overlaps \"" + before->name + "\": it " + place + "that one ends at " + std::to_string(end), path);
    if (tensor.begin > end)
      return input_error(name + "leaves a hole: it " + place + "the one before ends at " + std::to_string(end), path);
    end = tensor.begin + tensor.bytes;
    before = &tensor;
  }
  const auto described = checked_add(end, header.data_begin);
  if (!described || *described != header.file_size)
    return data_size_error(path, described.value_or(kSaturated), header.file_size);
  return std::nullopt;
}

Result<ValueObject> parse_header(const std::string& path, const HeaderText& header) {
  if (!header.json.starts_with('{')) return file_error(path, "has a header that does not start with '{'");
  JsonLimits limits;
  limits.bytes = std::numeric_limits<std::size_t>::max();
  auto value = parse_json(header.json, path, limits);
  if (!value) {
    Error error = std::move(value.error());
    const std::string name = base_name(path);
    if (error.message.starts_with(name)) error.message.replace(0, name.size(), name + ": the header");
    return error;
  }
  return std::get<ValueObject>(std::move(value->data));
}

}  // namespace

Result<Checkpoint> read_safetensors(const std::string& path, const SafetensorsLimits& limits) {
  const auto text = read_header_text(path, limits);
  if (!text) return text.error();
  const auto header = parse_header(path, *text);
  if (!header) return header.error();
  if (static_cast<std::int64_t>(header->size()) > limits.tensors)
    return file_error(
        path, "lists " + std::to_string(header->size()) + " tensors; the limit is " + std::to_string(limits.tensors));
  Checkpoint checkpoint;
  checkpoint.files = {path};
  for (const auto& [name, value] : *header) {
    if (name == "__metadata__") {
      if (auto error = read_metadata(path, value, checkpoint.metadata)) return std::move(*error);
      continue;
    }
    auto tensor = EntryReader(path, name, value).run();
    if (!tensor) return std::move(tensor.error());
    checkpoint.tensors.push_back(std::move(*tensor));
  }
  if (auto error = check_layout(path, checkpoint.tensors, *text)) return std::move(*error);
  for (auto& tensor : checkpoint.tensors) {
    tensor.begin += text->data_begin;
    checkpoint.total_size += tensor.bytes;
  }
  std::sort(checkpoint.tensors.begin(), checkpoint.tensors.end(),
            [](const CheckpointTensor& a, const CheckpointTensor& b) { return a.name < b.name; });
  return checkpoint;
}

}  // namespace tpsim
