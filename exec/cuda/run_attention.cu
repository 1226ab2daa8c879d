#include <string>

#include "exec/cuda/kernel_device.h"
#include "exec/cuda/kernels/attention.cuh"
#include "exec/cuda/kernels/queue.cuh"

namespace tpsim::exec::cuda {

void KernelDevice::run(const AttentionOp& op) {
  const AttentionTiling tiling = tile_attention(op, {shared_bytes(), multiprocessors()});
  if (tiling.shared_bytes > shared_bytes())
    throw DeviceFailure("attention with heads of " + std::to_string(op.width) +
                        " numbers does not fit into a block's shared memory");
  const std::int64_t numbers = part_numbers(op, tiling);
  void* parts = numbers == 0 ? nullptr : allocate(static_cast<std::size_t>(numbers) * sizeof(float));
  launch_attention(op, tiling, static_cast<float*>(parts), stream_of(queue()));
  if (parts != nullptr) release(parts);
}

}  // namespace tpsim::exec::cuda
