// A device whose operations are the kernels of `kernels/`; memory, streams and products are left to what runs them.
#pragma once

#include "exec/device.h"

namespace tpsim::exec::cuda {

// What kernels are queued on: a CUDA stream, as a pointer without CUDA's headers.
using QueuePointer = void*;

class KernelDevice : public Device {
public:
  using Device::run;
  void run(const CopyOp&) override;
  void run(const BinaryOp&) override;
  void run(const UnaryOp&) override;
  void run(const ShiftIdsOp&) override;
  void run(const RowsOp&) override;
  void run(const NormOp&) override;
  void run(const RotateOp&) override;
  void run(const EmbeddingOp&) override;
  void run(const AttentionOp&) override;
  void run(const TopkOp&) override;
  void run(const ScatterRoutesOp&) override;
  void run(const OwnRoutesOp&) override;
  void run(const SortRoutesOp&) override;
  void run(const GatherRowsOp&) override;
  void run(const GroupedProductOp&) override;
  void run(const GateOp&) override;
  void run(const CombineRowsOp&) override;
  void run(const SumOp&) override;
  void run(const SumPartsOp&) override;

protected:
  virtual QueuePointer queue() const = 0;
  virtual std::size_t shared_bytes() const = 0;  // that a block can have
  virtual int multiprocessors() const = 0;
};

}  // namespace tpsim::exec::cuda
