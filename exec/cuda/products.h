// Matrix products by cuBLASLt. The fastest algorithm that its heuristic offers is kept for each shape.
#pragma once

#include <map>
#include <memory>
#include <tuple>

#include "exec/device_ops.h"

namespace tpsim::exec::cuda {

enum class ProductKind : int { fp32, tf32, bf16, fp16, fp8 };

class Products {
public:
  // `workspace`: memory of the GPU for the library.
  Products(void* workspace, std::size_t workspace_bytes);
  ~Products();

  void run(const ProductOp& op, ProductKind kind, void* stream);
  // Whether the library has an algorithm for it on this chip.
  bool can(const ProductOp& op, ProductKind kind);

private:
  struct Plan;
  using Key = std::tuple<ProductKind, std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool, bool>;
  Plan* plan_of(const ProductOp& op, ProductKind kind);

  void* library_ = nullptr;
  void* workspace_;
  std::size_t workspace_bytes_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace tpsim::exec::cuda
