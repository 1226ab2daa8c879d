#include "exec/cuda/cuda_device.h"

#include <cuda_runtime_api.h>

#include <thread>
#include <vector>

#include "exec/cuda/cuda_calls.h"
#include "exec/cuda/kernel_device.h"
#include "exec/cuda/nccl_link.h"
#include "exec/cuda/products.h"

namespace tpsim::exec::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{64} << 20;  // for cuBLASLt

ProductKind kind_of(const ProductOp& op) {
  switch (op.stored) {
    case Stored::fp32: return op.tf32 ? ProductKind::tf32 : ProductKind::fp32;
    case Stored::bf16: return ProductKind::bf16;
    case Stored::fp16: return ProductKind::fp16;
  }
  return ProductKind::fp32;
}

class CudaDevice final : public KernelDevice {
public:
  CudaDevice(int gpu, bool (*stopped)()) : stopped_(stopped) {
    check_cuda(cudaSetDevice(gpu), "cudaSetDevice");
    check_cuda(cudaGetDeviceProperties(&properties_, gpu), "properties");
    int least = 0, most = 0;
    check_cuda(cudaDeviceGetStreamPriorityRange(&least, &most), "priorities");
    check_cuda(cudaStreamCreateWithPriority(&compute_, cudaStreamNonBlocking, least), "stream");
    check_cuda(cudaStreamCreateWithPriority(&communication_, cudaStreamNonBlocking, most), "stream");
    products_ = std::make_unique<Products>(pool_.allocate(kWorkspace), kWorkspace);
  }

  ~CudaDevice() override {
    cudaStreamSynchronize(compute_);
    products_.reset();
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
    for (const cudaEvent_t mark : marks_) cudaEventDestroy(mark);
    cudaStreamDestroy(communication_);
    cudaStreamDestroy(compute_);
  }

  std::string name() const override { return properties_.name; }

  void* allocate(std::size_t bytes) override { return pool_.allocate(bytes); }
  void release(void* memory) override { pool_.release(memory); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, compute_), "upload");
    finish();
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, compute_), "download");
    finish();
  }
  void clear(void* memory, std::size_t bytes) override {
    check_cuda(cudaMemsetAsync(memory, 0, bytes, compute_), "clear");
  }
  // Another rank may be gone: then a collective on the stream never ends.
  void finish() override {
    for (;;) {
      const cudaError_t state = cudaStreamQuery(compute_);
      if (state == cudaSuccess) return;
      if (state != cudaErrorNotReady) check_cuda(state, "an operation");
      if (stopped_()) throw DeviceFailure("the run was stopped");
      std::this_thread::yield();
    }
  }

  using KernelDevice::run;
  void run(const ProductOp& op) override {
    if (op.m * op.n > 0) products_->run(op, kind_of(op), compute_);
  }
  bool run_fp8(const ProductOp& op) override {
    if (!products_->can(op, ProductKind::fp8)) return false;
    products_->run(op, ProductKind::fp8, compute_);
    return true;
  }

  void reset_marks() override { used_marks_ = 0; }
  int mark() override {
    if (used_marks_ == static_cast<int>(marks_.size())) {
      cudaEvent_t event = nullptr;
      check_cuda(cudaEventCreate(&event), "event");
      marks_.push_back(event);
    }
    check_cuda(cudaEventRecord(marks_[static_cast<std::size_t>(used_marks_)], compute_), "event");
    return used_marks_++;
  }
  double seconds_between(int first, int second) override {
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, marks_.at(static_cast<std::size_t>(first)),
                                    marks_.at(static_cast<std::size_t>(second))),
               "time between marks");
    return static_cast<double>(milliseconds) * 1e-3;
  }

  void begin_graph() override {
    check_cuda(cudaStreamBeginCapture(compute_, cudaStreamCaptureModeThreadLocal), "capture");
  }
  void end_graph() override {
    cudaGraph_t captured = nullptr;
    check_cuda(cudaStreamEndCapture(compute_, &captured), "capture");
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
    graph_ = nullptr;
    const cudaError_t made = cudaGraphInstantiate(&graph_, captured, 0);
    cudaGraphDestroy(captured);
    check_cuda(made, "graph");
  }
  void run_graph() override { check_cuda(cudaGraphLaunch(graph_, compute_), "graph"); }

  Result<std::unique_ptr<DeviceLink>> link(Communicator& communicator) override {
    return nccl_link(communicator, {compute_, communication_}, stopped_);
  }

protected:
  QueuePointer queue() const override { return compute_; }
  std::size_t shared_bytes() const override { return properties_.sharedMemPerBlockOptin; }
  int multiprocessors() const override { return properties_.multiProcessorCount; }

private:
  bool (*stopped_)();
  cudaDeviceProp properties_{};
  cudaStream_t compute_ = nullptr, communication_ = nullptr;
  MemoryPool pool_;
  std::unique_ptr<Products> products_;
  std::vector<cudaEvent_t> marks_;
  int used_marks_ = 0;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace

std::unique_ptr<Device> cuda_device(int gpu, bool (*stopped)()) { return std::make_unique<CudaDevice>(gpu, stopped); }

}  // namespace tpsim::exec::cuda
