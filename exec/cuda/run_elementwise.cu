#include "exec/cuda/kernel_device.h"
#include "exec/cuda/kernels/elementwise.cuh"
#include "exec/cuda/kernels/queue.cuh"
#include "exec/cuda/kernels/rows.cuh"

namespace tpsim::exec::cuda {

void KernelDevice::run(const CopyOp& op) { launch_copy(op, stream_of(queue())); }
void KernelDevice::run(const BinaryOp& op) { launch_binary(op, stream_of(queue())); }
void KernelDevice::run(const UnaryOp& op) { launch_unary(op, stream_of(queue())); }
void KernelDevice::run(const ShiftIdsOp& op) { launch_shift_ids(op, stream_of(queue())); }
void KernelDevice::run(const RowsOp& op) { launch_rows(op, stream_of(queue())); }
void KernelDevice::run(const NormOp& op) { launch_norm(op, stream_of(queue())); }
void KernelDevice::run(const RotateOp& op) { launch_rotate(op, stream_of(queue())); }
void KernelDevice::run(const EmbeddingOp& op) { launch_embedding(op, stream_of(queue())); }
void KernelDevice::run(const SumOp& op) { launch_sum(op, stream_of(queue())); }
void KernelDevice::run(const SumPartsOp& op) { launch_sum_parts(op, stream_of(queue())); }

}  // namespace tpsim::exec::cuda
