#include <array>
#include <utility>

#include "traces/kineto.h"

namespace tpsim {
namespace {

// Lower case without '_' and '-'.
std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name)
    if (c != '_' && c != '-') text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

struct Part {
  std::string_view text, family;
};

// In order: the first that occurs in the kernel's name counts.
constexpr std::array kFamilies = {
    Part{"nccl", "collective"},
    Part{"rccl", "collective"},
    Part{"allreduce", "collective"},
    Part{"allgather", "collective"},
    Part{"reducescatter", "collective"},
    Part{"alltoall", "collective"},
    Part{"crossdevicereduce", "collective"},
    Part{"moe", "experts"},
    Part{"groupedgemm", "experts"},
    Part{"topk", "experts"},
    Part{"flash", "attention"},
    Part{"fmha", "attention"},
    Part{"attention", "attention"},
    Part{"attn", "attention"},
    Part{"mha", "attention"},
    Part{"pagedkv", "attention"},
    Part{"gemm", "gemm"},
    Part{"gemv", "gemm"},
    Part{"cutlass", "gemm"},
    Part{"nvjet", "gemm"},
    Part{"cublas", "gemm"},
    Part{"cijk", "gemm"},
    Part{"matmul", "gemm"},
    Part{"splitk", "gemm"},
    Part{"xmma", "gemm"},
    Part{"rmsnorm", "norm"},
    Part{"layernorm", "norm"},
    Part{"norm", "norm"},
    Part{"memcpy", "copy"},
    Part{"memset", "copy"},
    Part{"copy", "copy"},
    Part{"catarray", "copy"},
    Part{"elementwise", "elementwise"},
    Part{"activation", "elementwise"},
    Part{"silu", "elementwise"},
    Part{"gelu", "elementwise"},
    Part{"rotary", "elementwise"},
    Part{"rope", "elementwise"},
    Part{"softmax", "elementwise"},
    Part{"reduce", "elementwise"},
    Part{"embedding", "elementwise"},
    Part{"triton", "elementwise"},
};

}  // namespace

std::string_view kernel_family(std::string_view kernel) {
  const std::string name = plain(kernel);
  for (const Part& part : kFamilies)
    if (name.find(part.text) != std::string::npos) return part.family;
  return "other";
}

std::optional<CollectiveOp> collective_named(std::string_view name) {
  const std::string text = plain(name);
  constexpr std::array<std::pair<std::string_view, CollectiveOp>, 9> names = {
      {{"reducescatter", CollectiveOp::reduce_scatter},
       {"allreduce", CollectiveOp::all_reduce},
       {"crossdevicereduce", CollectiveOp::all_reduce},
       {"allgather", CollectiveOp::all_gather},
       {"alltoall", CollectiveOp::all_to_all},
       {"broadcast", CollectiveOp::broadcast},
       {"send", CollectiveOp::send},
       {"recv", CollectiveOp::send},
       {"p2p", CollectiveOp::send}}};
  // All_to_all's kernels are called SendRecv: only what launched them knows.
  if (text.find("sendrecv") != std::string::npos || text.find("barrier") != std::string::npos ||
      text.find("coalesced") != std::string::npos)
    return std::nullopt;
  for (const auto& [part, op] : names)
    if (text.find(part) != std::string::npos) return op;
  return std::nullopt;
}

std::optional<DType> dtype_named(std::string_view torch) {
  const auto colon = torch.rfind(':');
  const std::string name = plain(colon == std::string_view::npos ? torch : torch.substr(colon + 1));
  if (name == "bfloat16") return DType::bf16;
  if (name == "half" || name == "float16") return DType::fp16;
  if (name == "float" || name == "float32") return DType::fp32;
  if (name.starts_with("float8") || name.starts_with("fp8")) return DType::fp8;
  if (name == "char" || name == "byte" || name == "signedchar" || name == "unsignedchar" || name == "int8" ||
      name == "uint8")
    return DType::int8;
  if (name == "long" || name == "longint" || name == "int64") return DType::int64;
  return std::nullopt;
}

}  // namespace tpsim
