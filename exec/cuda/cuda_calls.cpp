#include "exec/cuda/cuda_calls.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <bit>

namespace tpsim::exec::cuda {

void check_cuda(int code, const char* what) {
  if (code != cudaSuccess)
    throw DeviceFailure(std::string("CUDA: ") + what + ": " + cudaGetErrorString(static_cast<cudaError_t>(code)));
}

void check_cublas(int code, const char* what) {
  if (code != CUBLAS_STATUS_SUCCESS)
    throw DeviceFailure(std::string("cuBLASLt: ") + what + ": " +
                        cublasLtGetStatusString(static_cast<cublasStatus_t>(code)));
}

std::size_t rounded_size(std::size_t bytes) {
  constexpr std::size_t kLeast = 512, kSteps = 8;  // steps per power of two: at most 1/8 is lost
  if (bytes <= kLeast) return kLeast;
  const std::size_t step = std::max(kLeast, std::bit_floor(bytes) / kSteps);
  return (bytes + step - 1) / step * step;
}

MemoryPool::~MemoryPool() {
  for (const auto& [memory, bytes] : sizes_) cudaFree(memory);
}

void MemoryPool::free_unused() {
  cudaDeviceSynchronize();
  for (auto& [bytes, blocks] : unused_)
    for (void* block : blocks) {
      cudaFree(block);
      sizes_.erase(block);
    }
  unused_.clear();
}

void* MemoryPool::allocate(std::size_t bytes) {
  const std::size_t size = rounded_size(bytes);
  std::vector<void*>& blocks = unused_[size];
  if (!blocks.empty()) {
    void* memory = blocks.back();
    blocks.pop_back();
    return memory;
  }
  void* memory = nullptr;
  if (cudaMalloc(&memory, size) == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the error would stay
    free_unused();
    check_cuda(cudaMalloc(&memory, size), ("no memory for " + std::to_string(size) + " bytes").c_str());
  }
  if (memory == nullptr) check_cuda(cudaGetLastError(), "cudaMalloc");
  sizes_[memory] = size;
  return memory;
}

void MemoryPool::release(void* memory) { unused_[sizes_.at(memory)].push_back(memory); }

}  // namespace tpsim::exec::cuda
