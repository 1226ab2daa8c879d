#include "exec/cuda/kernel_device.h"
#include "exec/cuda/kernels/experts.cuh"
#include "exec/cuda/kernels/queue.cuh"
#include "exec/cuda/kernels/routing.cuh"

namespace tpsim::exec::cuda {

void KernelDevice::run(const TopkOp& op) { launch_topk(op, stream_of(queue())); }
void KernelDevice::run(const ScatterRoutesOp& op) { launch_scatter_routes(op, stream_of(queue())); }
void KernelDevice::run(const OwnRoutesOp& op) { launch_own_routes(op, stream_of(queue())); }
void KernelDevice::run(const SortRoutesOp& op) { launch_sort_routes(op, stream_of(queue())); }
void KernelDevice::run(const GatherRowsOp& op) { launch_gather_rows(op, stream_of(queue())); }
void KernelDevice::run(const GroupedProductOp& op) { launch_grouped_product(op, stream_of(queue())); }
void KernelDevice::run(const GateOp& op) { launch_gate(op, stream_of(queue())); }
void KernelDevice::run(const CombineRowsOp& op) { launch_combine_rows(op, stream_of(queue())); }

}  // namespace tpsim::exec::cuda
