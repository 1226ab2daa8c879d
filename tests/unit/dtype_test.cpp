#include "core/dtype.h"

#include <limits>

#include "tests/catch.hpp"

namespace tpsim {

TEST_CASE("dtype: names of torch, of safetensors and short ones", "[dtype]") {
  for (const char* name : {"float32", "fp32", "F32", "float", "torch.float32"}) CHECK(parse_dtype(name) == DType::fp32);
  for (const char* name : {"bfloat16", "bf16", "BF16", "torch.bfloat16"}) CHECK(parse_dtype(name) == DType::bf16);
  for (const char* name : {"float16", "half", "F16"}) CHECK(parse_dtype(name) == DType::fp16);
  for (const char* name : {"float8_e4m3fn", "float8_e5m2", "F8_E4M3", "fp8"}) CHECK(parse_dtype(name) == DType::fp8);
  CHECK(parse_dtype("mxfp4") == DType::mxfp4);
  CHECK(parse_dtype("long") == DType::int64);
  for (const char* name : {"", "bf", "float64", "uint8", "torch."}) CHECK_FALSE(parse_dtype(name));
}

TEST_CASE("dtype: every name is read back", "[dtype]") {
  for (auto dtype :
       {DType::fp32, DType::fp16, DType::bf16, DType::fp8, DType::int8, DType::int4, DType::mxfp4, DType::int64}) {
    CHECK(parse_dtype(to_string(dtype)) == dtype);
    CHECK(parse_dtype(torch_name(dtype)) == dtype);
  }
}

TEST_CASE("dtype: storage with scales", "[dtype]") {
  const Shape matrix{8192, 28672};
  const std::int64_t numel = matrix.numel();
  CHECK(storage_bytes(DType::bf16, matrix) == numel * 2);
  CHECK(storage_bytes(DType::fp32, Shape{}) == 4);
  CHECK(storage_bytes(DType::fp8, matrix) == numel + 64 * 224 * 4);
  CHECK(storage_bytes(DType::int8, matrix) == numel + 8192 * 2);
  CHECK(storage_bytes(DType::int4, matrix) == numel / 2 + 8192 * (224 * 2 + 112));
  CHECK(storage_bytes(DType::mxfp4, matrix) == numel / 2 + numel / 32);
}

TEST_CASE("dtype: blocks, groups and rows that do not divide are rounded up", "[dtype]") {
  CHECK(storage_bytes(DType::fp8, {129, 1}) == 129 + 2 * 4);
  CHECK(storage_bytes(DType::fp8, {3, 129, 129}) == 3 * 129 * 129 + 3 * 4 * 4);
  CHECK(storage_bytes(DType::int4, {2, 129}) == 2 * (65 + 2 * 2 + 1));
  CHECK(storage_bytes(DType::mxfp4, {2, 33}) == 2 * (17 + 2));
  CHECK(storage_bytes(DType::int8, {4, 0}) == 0);
  CHECK(storage_bytes(DType::fp8, {0, 4}) == 0);
}

TEST_CASE("dtype: storage that 64 bits cannot count saturates", "[dtype]") {
  const Shape huge{std::int64_t{1} << 40, std::int64_t{1} << 40};
  for (auto dtype : {DType::bf16, DType::fp8, DType::int8, DType::int4, DType::mxfp4})
    CHECK(storage_bytes(dtype, huge) == std::numeric_limits<std::int64_t>::max());
}

}  // namespace tpsim
