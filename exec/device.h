// What computes a rank's operations in memory of its own: a GPU, or its emulation in the tests. Operations are queued
// and run in the order of the calls; `finish` waits for them. Failures are thrown.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

#include "exec/communicator.h"
#include "exec/device_ops.h"

namespace tpsim::exec {

// A device that does not do what it should: no memory, an error of its driver, another rank that is lost.
struct DeviceFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Collectives of a device's own library, on its memory, queued with its operations.
class DeviceLink {
public:
  virtual ~DeviceLink() = default;
  virtual void all_reduce(void* values, std::int64_t count, Stored stored) = 0;
  virtual void all_gather(const void* mine, void* all, std::int64_t count, Stored stored) = 0;  // of equal counts
  virtual void reduce_scatter(const void* all, void* mine, std::int64_t count, Stored stored) = 0;
  virtual std::string library() const = 0;  // "NCCL 2.28.9"
};

class Device {
public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;

  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) = 0;  // may be given out again to operations that are called later
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;  // waits
  virtual void clear(void* memory, std::size_t bytes) = 0;
  virtual void finish() = 0;

  virtual void run(const CopyOp&) = 0;
  virtual void run(const BinaryOp&) = 0;
  virtual void run(const UnaryOp&) = 0;
  virtual void run(const ShiftIdsOp&) = 0;
  virtual void run(const RowsOp&) = 0;
  virtual void run(const NormOp&) = 0;
  virtual void run(const RotateOp&) = 0;
  virtual void run(const EmbeddingOp&) = 0;
  virtual void run(const ProductOp&) = 0;
  virtual void run(const AttentionOp&) = 0;
  virtual void run(const TopkOp&) = 0;
  virtual void run(const ScatterRoutesOp&) = 0;
  virtual void run(const OwnRoutesOp&) = 0;
  virtual void run(const SortRoutesOp&) = 0;
  virtual void run(const GatherRowsOp&) = 0;
  virtual void run(const GroupedProductOp&) = 0;
  virtual void run(const GateOp&) = 0;
  virtual void run(const CombineRowsOp&) = 0;
  virtual void run(const SumOp&) = 0;
  virtual void run(const SumPartsOp&) = 0;

  // c [m, n] (bf16) = a [m, k] times b [n, k] of 8-bit numbers (e4m3); false where the chip has none.
  virtual bool run_fp8(const ProductOp&) = 0;

  // Marks in the queue, to be timed; numbers count from 0 after each reset.
  virtual void reset_marks() = 0;
  virtual int mark() = 0;
  virtual double seconds_between(int first, int second) = 0;  // after finish()

  // What is queued between the two is kept as one graph instead of being run.
  virtual void begin_graph() = 0;
  virtual void end_graph() = 0;
  virtual void run_graph() = 0;

  // Joins the other ranks' devices, each of which has one of its own; meets them by `communicator`.
  virtual Result<std::unique_ptr<DeviceLink>> link(Communicator& communicator) = 0;
};

}  // namespace tpsim::exec
