#include "core/dtype.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "core/checked.h"

namespace tpsim {
namespace {

struct DTypeName {
  std::string_view name;
  DType dtype;
};

// torch's names, safetensors' names, and short ones.
constexpr DTypeName kNames[] = {
    {"float32", DType::fp32},      {"fp32", DType::fp32},
    {"f32", DType::fp32},          {"float", DType::fp32},
    {"float16", DType::fp16},      {"fp16", DType::fp16},
    {"f16", DType::fp16},          {"half", DType::fp16},
    {"bfloat16", DType::bf16},     {"bf16", DType::bf16},
    {"float8_e4m3fn", DType::fp8}, {"float8_e4m3fnuz", DType::fp8},
    {"float8_e5m2", DType::fp8},   {"float8_e5m2fnuz", DType::fp8},
    {"f8_e4m3", DType::fp8},       {"f8_e5m2", DType::fp8},
    {"float8", DType::fp8},        {"fp8", DType::fp8},
    {"int8", DType::int8},         {"i8", DType::int8},
    {"int4", DType::int4},         {"i4", DType::int4},
    {"mxfp4", DType::mxfp4},       {"int64", DType::int64},
    {"i64", DType::int64},         {"long", DType::int64},
};

// A tensor as a stack of matrices: the leading extents multiplied, then the last two (1 where there are none).
struct Matrices {
  std::int64_t count = 1;
  std::int64_t rows = 1;
  std::int64_t columns = 1;
};

Matrices as_matrices(const Shape& shape) {
  Matrices m;
  const int rank = shape.rank();
  for (int i = 0; i + 2 < rank; ++i) m.count = saturating_mul(m.count, shape[i]);
  if (rank >= 2) m.rows = shape[-2];
  if (rank >= 1) m.columns = shape[-1];
  return m;
}

std::int64_t scale_bytes_of_blocks(const Matrices& m) {
  constexpr std::int64_t block = 128, scale = 4;
  const std::int64_t blocks = saturating_mul(ceil_div(m.rows, block), ceil_div(m.columns, block));
  return saturating_mul(m.count, saturating_mul(blocks, scale));
}

std::int64_t row_bytes(DType dtype, std::int64_t columns) {
  constexpr std::int64_t awq_group = 128, mx_group = 32, half = 2;
  const std::int64_t packed = ceil_div(columns, 2);
  const std::int64_t groups = ceil_div(columns, dtype == DType::int4 ? awq_group : mx_group);
  if (dtype == DType::int8) return saturating_add(columns, columns > 0 ? half : 0);
  if (dtype == DType::int4) return packed + groups * half + ceil_div(groups, 2);
  return packed + groups;
}

}  // namespace

std::optional<DType> parse_dtype(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::string_view prefix = "torch.";
  std::string_view key = lower;
  if (key.starts_with(prefix)) key.remove_prefix(prefix.size());
  for (const auto& entry : kNames)
    if (entry.name == key) return entry.dtype;
  return std::nullopt;
}

const char* to_string(DType dtype) {
  switch (dtype) {
    case DType::fp32: return "fp32";
    case DType::fp16: return "fp16";
    case DType::bf16: return "bf16";
    case DType::fp8: return "fp8";
    case DType::int8: return "int8";
    case DType::int4: return "int4";
    case DType::mxfp4: return "mxfp4";
    case DType::int64: return "int64";
  }
  return "";
}

const char* torch_name(DType dtype) {
  switch (dtype) {
    case DType::fp32: return "float32";
    case DType::fp16: return "float16";
    case DType::bf16: return "bfloat16";
    case DType::fp8: return "float8_e4m3fn";
    case DType::int8: return "int8";
    case DType::int4: return "int4";
    case DType::mxfp4: return "mxfp4";
    case DType::int64: return "int64";
  }
  return "";
}

bool is_quantised(DType dtype) {
  switch (dtype) {
    case DType::fp8:
    case DType::int8:
    case DType::int4:
    case DType::mxfp4: return true;
    case DType::fp32:
    case DType::fp16:
    case DType::bf16:
    case DType::int64: return false;
  }
  return false;
}

int element_bits(DType dtype) {
  switch (dtype) {
    case DType::fp32: return 32;
    case DType::fp16:
    case DType::bf16: return 16;
    case DType::fp8:
    case DType::int8: return 8;
    case DType::int4:
    case DType::mxfp4: return 4;
    case DType::int64: return 64;
  }
  return 0;
}

std::int64_t storage_bytes(DType dtype, const Shape& shape) {
  const std::int64_t numel = checked_numel(shape).value_or(kSaturated);
  if (!is_quantised(dtype)) return saturating_mul(numel, element_bits(dtype) / 8);
  const Matrices m = as_matrices(shape);
  if (dtype == DType::fp8) return saturating_add(numel, scale_bytes_of_blocks(m));
  return saturating_mul(saturating_mul(m.count, m.rows), row_bytes(dtype, m.columns));
}

}  // namespace tpsim
