// Parameters from safetensors files, with the conversions between names and forms on disk and in the module.
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "exec/mapped_file.h"
#include "exec/weights.h"

namespace tpsim::exec {
namespace {

constexpr char kSpareFix[] = "download the file again, or give the folder that holds all shards";

float from_bf16(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

float from_f16(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

template <class T>
T stored(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

using Decode = float (*)(const std::byte*);
struct StoredType {
  const char* name;
  std::size_t size;
  Decode decode;
};
constexpr StoredType kTypes[] = {
    {"F32", 4, [](const std::byte* at) { return stored<float>(at); }},
    {"BF16", 2, [](const std::byte* at) { return from_bf16(stored<std::uint16_t>(at)); }},
    {"F16", 2, [](const std::byte* at) { return from_f16(stored<std::uint16_t>(at)); }},
    {"F64", 8, [](const std::byte* at) { return static_cast<float>(stored<double>(at)); }},
    {"I64", 8, [](const std::byte* at) { return static_cast<float>(stored<std::int64_t>(at)); }},
};

// One tensor on disk.
struct Source {
  const CheckpointTensor* tensor = nullptr;
  const std::byte* data = nullptr;
  const StoredType* type = nullptr;
  float at(std::int64_t index) const { return type->decode(data + static_cast<std::size_t>(index) * type->size); }
};

// Index of an element of the module's parameter.
using Index = std::vector<std::int64_t>;

// Finds the elements of a parameter in its tensors on disk.
class Conversion {
public:
  // `rule`: null = the tensor lies on disk as in the module.
  Conversion(const CheckpointRule* rule, Shape global, std::vector<Source> sources)
      : global_(global), sources_(std::move(sources)) {
    if (rule != nullptr) {
      how_ = rule->how;
      part_ = rule->part;
      parts_ = rule->parts;
      dim_ = static_cast<std::size_t>(rule->dim);
    }
    if (how_ == CheckpointConversion::stack || how_ == CheckpointConversion::stack_concat)
      pieces_ = sources_.size() / static_cast<std::size_t>(std::max<std::int64_t>(1, global_[0]));
  }

  // Shape that the tensors on disk must have together; none = it fits.
  std::optional<std::string> misfit() const {
    std::int64_t total = 0;
    for (const Source& s : sources_) total += s.tensor->shape.numel();
    const std::int64_t wanted = global_.numel() * (how_ == CheckpointConversion::chunk ? parts_ : 1);
    const bool same_form = how_ == CheckpointConversion::rename || how_ == CheckpointConversion::prefix;
    if (total == wanted && !(same_form && !(sources_.front().tensor->shape == global_))) return std::nullopt;
    return "the file holds " + to_string(sources_.front().tensor->shape) +
           (sources_.size() > 1 ? " (" + std::to_string(sources_.size()) + " pieces)" : std::string()) +
           ", the model needs " + to_string(global_);
  }

  // Whether the elements of the last dimension lie one behind the other on disk.
  bool has_runs() const {
    const bool cut_within =
        how_ == CheckpointConversion::concat && dim_ + 1 == static_cast<std::size_t>(global_.rank());
    return global_.rank() > 1 && how_ != CheckpointConversion::transpose && how_ != CheckpointConversion::interleave &&
           !cut_within;
  }

  // The `count` elements from `index` on along the last dimension, which lie together.
  void read_run(const Index& index, std::int64_t count, float factor, std::vector<float>& into) const {
    const auto [source, flat] = find(index);
    for (std::int64_t i = 0; i < count; ++i) into.push_back(source->at(flat + i) * factor);
  }

  float operator()(const Index& index) const {
    const auto [source, flat] = find(index);
    return source->at(flat);
  }

private:
  using Place = std::pair<const Source*, std::int64_t>;

  Place find(const Index& index) const {
    switch (how_) {
      case CheckpointConversion::rename:
      case CheckpointConversion::prefix: return element(sources_.front(), index, 0);
      case CheckpointConversion::transpose:
        return element(sources_.front(), sources_.front().tensor->shape == global_ ? index : swapped(index), 0);
      case CheckpointConversion::chunk: {
        Index shifted = index;
        shifted[0] += part_ * global_[0];
        return element(sources_.front(), shifted, 0);
      }
      case CheckpointConversion::concat: return of_pieces(0, sources_.size(), index, dim_, 0);
      case CheckpointConversion::stack:
      case CheckpointConversion::stack_concat:
        return of_pieces(static_cast<std::size_t>(index[0]) * pieces_, pieces_, index, 1, 1);
      case CheckpointConversion::interleave: return element(sources_.front(), interleaved(index), 0);
    }
    return element(sources_.front(), index, 0);
  }

  // The element at index[first ...].
  static Place element(const Source& source, const Index& index, std::size_t first) {
    std::int64_t flat = 0;
    for (std::size_t i = first; i < index.size(); ++i)
      flat = flat * source.tensor->shape[static_cast<int>(i - first)] + index[i];
    return {&source, flat};
  }

  // Pieces one behind the other along dimension `dim` of the parameter; they lack its dimensions before `first`.
  Place of_pieces(std::size_t begin, std::size_t count, const Index& index, std::size_t dim, std::size_t first) const {
    Index inner = index;
    for (std::size_t i = begin; i + 1 < begin + count; ++i) {
      const std::int64_t extent = sources_[i].tensor->shape[static_cast<int>(dim - first)];
      if (inner[dim] < extent) return element(sources_[i], inner, first);
      inner[dim] -= extent;
    }
    return element(sources_[begin + count - 1], inner, first);
  }

  static Index swapped(Index index) {
    std::swap(index[index.size() - 1], index[index.size() - 2]);
    return index;
  }

  // Halves in the module, even and odd rows on disk.
  Index interleaved(Index index) const {
    const std::size_t rows = index.size() - 2;
    const std::int64_t half = global_[static_cast<int>(rows)] / 2;
    index[rows] = index[rows] < half ? 2 * index[rows] : 2 * (index[rows] - half) + 1;
    return index;
  }

  CheckpointConversion how_ = CheckpointConversion::rename;
  int part_ = 0, parts_ = 1;
  std::size_t dim_ = 0;
  Shape global_;
  std::vector<Source> sources_;
  std::size_t pieces_ = 1;
};

// Calls f(index) for every element of the piece in its own order; `runs`: for the first of each run of the last
// dimension.
template <class F>
void each_element(const ParameterPiece& piece, bool runs, F f) {
  Shape local = piece.local();
  if (runs) local[-1] = 1;
  std::vector<std::int64_t> along;
  for (const Range& range : piece.ranges)
    for (std::int64_t i = range.begin; i < range.end; ++i) along.push_back(i);
  const auto rank = static_cast<std::size_t>(local.rank());
  Index counter(rank, 0), index(rank, 0);
  for (std::int64_t n = local.numel(); n > 0; --n) {
    index = counter;
    if (piece.dim >= 0) {
      auto& cut = index[static_cast<std::size_t>(piece.dim)];
      cut = along[static_cast<std::size_t>(cut)];
    }
    f(index);
    for (std::size_t d = rank; d-- > 0;) {
      if (++counter[d] < local[static_cast<int>(d)]) break;
      counter[d] = 0;
    }
  }
}

class SafetensorsWeights final : public Weights {
public:
  SafetensorsWeights(const Model& model, const Checkpoint& checkpoint, std::vector<MappedFile> files)
      : model_(model), files_(std::move(files)) {
    for (const CheckpointTensor& tensor : checkpoint.tensors) tensors_.emplace(tensor.name, tensor);
  }

  Result<std::vector<float>> read(const ParameterPiece& piece) const override {
    auto conversion = conversion_of(piece);
    if (!conversion) return conversion.error();
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(piece.local().numel()));
    const auto factor = static_cast<float>(piece.factor);
    const bool runs = conversion->has_runs() && piece.dim != piece.global.rank() - 1;
    each_element(piece, runs, [&](const Index& index) {
      if (runs)
        conversion->read_run(index, piece.global[-1], factor, values);
      else
        values.push_back((*conversion)(index)*factor);
    });
    for (const MappedFile& file : files_)
      if (file.changed()) return file.changed_error();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i])) return not_a_number(piece, i, values[i]);
    return values;
  }

private:
  static Error not_a_number(const ParameterPiece& piece, std::size_t at, float value) {
    Error error = input_error("a weight is " + std::string(std::isnan(value) ? "NaN" : "infinite"), piece.name);
    error.details.push_back("element " + std::to_string(at) + " of a rank's " + to_string(piece.local()));
    error.fixes.push_back(kSpareFix);
    return error;
  }

  Result<Conversion> conversion_of(const ParameterPiece& piece) const {
    const CheckpointRule* rule = checkpoint_rule(model_, piece.name);
    auto sources = sources_of(piece.name, checkpoint_names(model_, piece.name));
    if (!sources && rule != nullptr) {
      // A file written from the running module has the module's names.
      if (auto same = sources_of(piece.name, {piece.name})) {
        sources = std::move(same);
        rule = nullptr;
      }
    }
    if (!sources) return sources.error();
    Conversion conversion(rule, piece.global, *std::move(sources));
    if (const auto misfit = conversion.misfit()) return input_error(*misfit, piece.name);
    return conversion;
  }

  Result<std::vector<Source>> sources_of(const std::string& parameter, const std::vector<std::string>& names) const {
    std::vector<Source> sources;
    for (const std::string& name : names) {
      const auto found = tensors_.find(name);
      if (found == tensors_.end()) return absent(parameter, name);
      const CheckpointTensor& tensor = found->second;
      const StoredType* type = nullptr;
      for (const StoredType& known : kTypes)
        if (tensor.dtype == known.name) type = &known;
      if (type == nullptr) return input_error("weights of type " + tensor.dtype + " cannot be computed with", name);
      const auto bytes = files_[static_cast<std::size_t>(tensor.file)].bytes();
      if (tensor.begin < 0 || static_cast<std::size_t>(tensor.begin + tensor.bytes) > bytes.size())
        return cut_off(name);
      sources.push_back({&tensor, bytes.data() + tensor.begin, type});
    }
    return sources;
  }

  static Error absent(const std::string& parameter, const std::string& name) {
    Error error = input_error("the checkpoint has no tensor \"" + name + "\"", parameter);
    error.fixes.push_back(kSpareFix);
    return error;
  }
  static Error cut_off(const std::string& name) {
    Error error = input_error("the file ends before this tensor does", name);
    error.fixes.push_back(kSpareFix);
    return error;
  }

  const Model& model_;
  std::vector<MappedFile> files_;
  std::map<std::string, CheckpointTensor> tensors_;
};

}  // namespace

Shape ParameterPiece::local() const {
  if (dim < 0) return global;
  std::int64_t extent = 0;
  for (const Range& range : ranges) extent += range.size();
  return global.with(dim, extent);
}

Result<std::unique_ptr<Weights>> open_weights(const Model& model, const Checkpoint& checkpoint) {
  if (!checkpoint.missing_files.empty()) {
    Error error = input_error("a file of the checkpoint is missing", checkpoint.missing_files.front());
    error.fixes.push_back(kSpareFix);
    return error;
  }
  std::vector<MappedFile> files;
  for (const std::string& path : checkpoint.files) {
    auto file = MappedFile::open(path);
    if (!file) return file.error();
    files.push_back(*std::move(file));
  }
  return std::unique_ptr<Weights>(std::make_unique<SafetensorsWeights>(model, checkpoint, std::move(files)));
}

}  // namespace tpsim::exec
