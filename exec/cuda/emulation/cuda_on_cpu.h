// Enough of CUDA's device language to run kernels on the CPU: the threads of a block are fibers of one thread, blocks
// come one after the other. A barrier that not all threads reach is an error, and shared memory starts as NaNs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __shared__ static thread_local
#define __launch_bounds__(threads)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  dim3(unsigned a, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}  // NOLINT: as in CUDA
};

namespace tpsim::exec::cuda::emulation {

// In which order the threads of a block run up to the next barrier: results that differ show a missing barrier.
enum class Order { ascending, descending };
void set_order(Order order);

// Throws std::logic_error where the threads of a block, or of a warp, do not meet at the same barrier.
void run(dim3 grid, unsigned threads, std::size_t shared_bytes, const std::function<void()>& kernel);

unsigned char* shared_memory();
void block_barrier();
void warp_barrier();
// What the thread with this lane of the own warp has put in.
std::uint32_t exchange(std::uint32_t value, unsigned lane);
unsigned lane();

struct Place {
  dim3 thread, block, block_size, grid;
};
const Place& place();

}  // namespace tpsim::exec::cuda::emulation

#define threadIdx (::tpsim::exec::cuda::emulation::place().thread)
#define blockIdx (::tpsim::exec::cuda::emulation::place().block)
#define blockDim (::tpsim::exec::cuda::emulation::place().block_size)
#define gridDim (::tpsim::exec::cuda::emulation::place().grid)

inline void __syncthreads() { tpsim::exec::cuda::emulation::block_barrier(); }
inline void __syncwarp() { tpsim::exec::cuda::emulation::warp_barrier(); }

template <class T>
T __shfl_xor_sync(unsigned, T value, unsigned mask) {
  static_assert(sizeof(T) == 4);
  namespace emulation = tpsim::exec::cuda::emulation;
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  bits = emulation::exchange(bits, emulation::lane() ^ mask);
  __builtin_memcpy(&value, &bits, sizeof bits);
  return value;
}
