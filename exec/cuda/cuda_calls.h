// CUDA's answers as exceptions, and memory that is kept for the next operation.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/device.h"

namespace tpsim::exec::cuda {

// `code`: a cudaError_t or cublasStatus_t; 0 = success.
void check_cuda(int code, const char* what);
void check_cublas(int code, const char* what);

// Memory of one GPU. What is released is given out again, in the order of one stream, without asking the driver.
class MemoryPool {
public:
  ~MemoryPool();
  void* allocate(std::size_t bytes);
  void release(void* memory);

private:
  void free_unused();

  std::map<std::size_t, std::vector<void*>> unused_;  // by size
  std::unordered_map<void*, std::size_t> sizes_;
};

// Sizes that memory is given out in: few enough that it is used again.
std::size_t rounded_size(std::size_t bytes);

}  // namespace tpsim::exec::cuda
