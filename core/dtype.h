// Element types and what a tensor of each takes in memory, scales of quantised formats included.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/shape.h"

namespace tpsim {

enum class DType { fp32, fp16, bf16, fp8, int8, int4, mxfp4, int64 };

// "float32" and "fp32", "bfloat16" and "bf16", "float8_e4m3fn" and "fp8" ...; none for an unknown name.
std::optional<DType> parse_dtype(std::string_view name);
const char* to_string(DType dtype);   // "bf16"
const char* torch_name(DType dtype);  // "bfloat16"
bool is_quantised(DType dtype);  // fp8, int8, int4, mxfp4: applied to the matrices of linear layers and experts only
int element_bits(DType dtype);   // without scales

// Bytes of a tensor with the scales its usual format stores beside it:
//   fp8    one fp32 scale per 128 x 128 block of the last two dims (DeepSeek-V3's block format)
//   int8   one fp16 scale per row of the last dim (per output channel)
//   int4   groups of 128 along the last dim, each with an fp16 scale and a 4-bit zero point (AWQ, GPTQ)
//   mxfp4  groups of 32 along the last dim, each with an 8-bit exponent (OCP MX)
// Plain types: numel * size. Sub-byte rows are padded to whole bytes.
std::int64_t storage_bytes(DType dtype, const Shape& shape);

}  // namespace tpsim
