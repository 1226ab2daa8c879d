#include "exec/cuda/emulation/emulated_device.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <new>
#include <stdexcept>
#include <vector>

#include "exec/cuda/kernel_device.h"
#include "exec/cuda/kernels/product.cuh"

namespace tpsim::exec::cuda {
namespace {

class EmulatedDevice final : public KernelDevice {
public:
  explicit EmulatedDevice(EmulatedLimits limits) : limits_(limits) {}
  ~EmulatedDevice() override {
    for (const auto& [memory, bytes] : held_) std::free(memory);
  }

  std::string name() const override { return "emulated GPU"; }

  void* allocate(std::size_t bytes) override {
    void* memory = std::malloc(bytes == 0 ? 1 : bytes);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0xFF, bytes);  // NaN in every type
    held_[memory] = bytes;
    return memory;
  }
  void release(void* memory) override {
    if (held_.erase(memory) == 0) throw std::logic_error("memory is released that was not allocated");
    std::free(memory);
  }
  void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void clear(void* memory, std::size_t bytes) override { std::memset(memory, 0, bytes); }
  void finish() override {}

  using KernelDevice::run;
  void run(const ProductOp& op) override { launch_product(op, 0); }

  bool run_fp8(const ProductOp&) override { return false; }

  void reset_marks() override { marks_ = 0; }
  int mark() override { return marks_++; }
  double seconds_between(int first, int second) override { return 1e-6 * (second - first); }

  void begin_graph() override {}
  void end_graph() override {}
  void run_graph() override {}

  Result<std::unique_ptr<DeviceLink>> link(Communicator&) override {
    Error error = input_error("an emulated GPU has no library for collectives");
    error.kind = ErrorKind::environment;
    return error;
  }

protected:
  QueuePointer queue() const override { return nullptr; }
  std::size_t shared_bytes() const override { return limits_.shared_bytes; }
  int multiprocessors() const override { return limits_.multiprocessors; }

private:
  EmulatedLimits limits_;
  std::map<void*, std::size_t> held_;
  int marks_ = 0;
};

}  // namespace

std::unique_ptr<Device> emulated_device(EmulatedLimits limits) { return std::make_unique<EmulatedDevice>(limits); }

}  // namespace tpsim::exec::cuda
