#include "sim/network/collectives.h"

namespace tpsim {

const char* to_string(CollectiveStack stack) {
  switch (stack) {
    case CollectiveStack::fastest: return "fastest";
    case CollectiveStack::nccl: return "nccl";
    case CollectiveStack::vllm: return "vllm";
    case CollectiveStack::sglang: return "sglang";
    case CollectiveStack::trtllm: return "trtllm";
  }
  return "";
}

std::optional<CollectiveStack> parse_collective_stack(std::string_view name) {
  if (name.empty()) return CollectiveStack::fastest;
  for (auto stack : {CollectiveStack::fastest, CollectiveStack::nccl, CollectiveStack::vllm, CollectiveStack::sglang,
                     CollectiveStack::trtllm})
    if (name == to_string(stack)) return stack;
  return std::nullopt;
}

const char* to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::ring: return "ring";
    case Algorithm::nvls: return "NVLS";
    case Algorithm::direct: return "direct";
    case Algorithm::one_shot: return "one-shot";
    case Algorithm::two_shot: return "two-shot";
    case Algorithm::multimem: return "multimem";
  }
  return "";
}

const char* to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::none: return "";
    case Protocol::ll: return "LL";
    case Protocol::ll128: return "LL128";
    case Protocol::simple: return "Simple";
  }
  return "";
}

const char* algorithm_name(const CollectiveEstimate& e) {
  if (e.time.us == 0) return "none";
  if (e.hierarchical) return "hierarchical";
  if (e.algorithm != Algorithm::ring) return to_string(e.algorithm);
  switch (e.protocol) {
    case Protocol::ll: return "ring LL";
    case Protocol::ll128: return "ring LL128";
    case Protocol::none:
    case Protocol::simple: return "ring";
  }
  return "ring";
}

}  // namespace tpsim
