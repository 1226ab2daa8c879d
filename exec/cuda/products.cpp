#include "exec/cuda/products.h"

#include <cublasLt.h>

#include "exec/cuda/cuda_calls.h"

namespace tpsim::exec::cuda {
namespace {

cudaDataType_t input_type(ProductKind kind) {
  switch (kind) {
    case ProductKind::fp32:
    case ProductKind::tf32: return CUDA_R_32F;
    case ProductKind::bf16: return CUDA_R_16BF;
    case ProductKind::fp16: return CUDA_R_16F;
    case ProductKind::fp8: return CUDA_R_8F_E4M3;
  }
  return CUDA_R_32F;
}

cudaDataType_t output_type(ProductKind kind) { return kind == ProductKind::fp8 ? CUDA_R_16BF : input_type(kind); }

// A matrix as the library sees it: column-major.
cublasLtMatrixLayout_t layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns, std::int64_t batch) {
  cublasLtMatrixLayout_t made = nullptr;
  check_cublas(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows),
                                          static_cast<std::uint64_t>(columns), rows),
               "layout");
  const auto count = static_cast<std::int32_t>(batch);
  const std::int64_t stride = rows * columns;
  cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
  cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride);
  return made;
}

}  // namespace

// The library's c^T [n, m] = b^T a^T, all column-major: our row-major matrices without copies.
struct Products::Plan {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t left = nullptr, right = nullptr, out = nullptr;
  cublasLtMatmulHeuristicResult_t choice{};
  bool found = false;

  ~Plan() {
    for (const auto one : {left, right, out})
      if (one != nullptr) cublasLtMatrixLayoutDestroy(one);
    if (operation != nullptr) cublasLtMatmulDescDestroy(operation);
  }

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check_cublas(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value), "attribute");
  }

  void describe(const ProductOp& op, ProductKind kind) {
    const auto compute = kind == ProductKind::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    check_cublas(cublasLtMatmulDescCreate(&operation, compute, CUDA_R_32F), "description");
    set(CUBLASLT_MATMUL_DESC_TRANSA, op.transposed ? CUBLAS_OP_N : CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    if (op.bias != nullptr) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    left = layout(input_type(kind), op.transposed ? op.n : op.k, op.transposed ? op.k : op.n, op.batch);
    right = layout(input_type(kind), op.k, op.m, op.batch);
    out = layout(output_type(kind), op.n, op.m, op.batch);
  }

  void choose(cublasLtHandle_t library, std::size_t workspace) {
    cublasLtMatmulPreference_t preference = nullptr;
    check_cublas(cublasLtMatmulPreferenceCreate(&preference), "preference");
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                         sizeof workspace);
    int count = 0;
    const auto status =
        cublasLtMatmulAlgoGetHeuristic(library, operation, left, right, out, out, preference, 1, &choice, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    found = status == CUBLAS_STATUS_SUCCESS && count == 1;
  }
};

Products::Products(void* workspace, std::size_t workspace_bytes)
    : workspace_(workspace), workspace_bytes_(workspace_bytes) {
  cublasLtHandle_t library = nullptr;
  check_cublas(cublasLtCreate(&library), "cublasLtCreate");
  library_ = library;
}

Products::~Products() {
  plans_.clear();
  cublasLtDestroy(static_cast<cublasLtHandle_t>(library_));
}

Products::Plan* Products::plan_of(const ProductOp& op, ProductKind kind) {
  auto& plan = plans_[{kind, op.m, op.n, op.k, op.batch, op.transposed, op.bias != nullptr}];
  if (plan == nullptr) {
    plan = std::make_unique<Plan>();
    plan->describe(op, kind);
    plan->choose(static_cast<cublasLtHandle_t>(library_), workspace_bytes_);
  }
  return plan.get();
}

bool Products::can(const ProductOp& op, ProductKind kind) { return plan_of(op, kind)->found; }

void Products::run(const ProductOp& op, ProductKind kind, void* stream) {
  Plan* plan = plan_of(op, kind);
  if (!plan->found)
    throw DeviceFailure("cuBLASLt has no algorithm for " + std::to_string(op.m) + " x " + std::to_string(op.n) + " x " +
                        std::to_string(op.k));
  if (op.bias != nullptr) plan->set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, op.bias);
  const float one = 1, zero = 0;
  check_cublas(cublasLtMatmul(static_cast<cublasLtHandle_t>(library_), plan->operation, &one, op.b, plan->left, op.a,
                              plan->right, &zero, op.c, plan->out, op.c, plan->out, &plan->choice.algo, workspace_,
                              workspace_bytes_, static_cast<cudaStream_t>(stream)),
               "product");
}

}  // namespace tpsim::exec::cuda
