#include "exec/cuda/nccl_link.h"

#ifdef TPSIM_HAVE_NCCL
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nccl.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "exec/cuda/cuda_calls.h"

namespace tpsim::exec::cuda {
namespace {

constexpr int kOldest = 21800;  // ncclConfig_t as it is used here
constexpr auto kTimeToJoin = std::chrono::seconds(60);

struct Functions {
  decltype(&ncclGetVersion) get_version = nullptr;
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRankConfig) init = nullptr;
  decltype(&ncclCommGetAsyncError) state = nullptr;
  decltype(&ncclCommAbort) abort = nullptr;
  decltype(&ncclCommDestroy) destroy = nullptr;
  decltype(&ncclGetErrorString) error_text = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclAllGather) all_gather = nullptr;
  decltype(&ncclReduceScatter) reduce_scatter = nullptr;
  int version = 0;
  std::string reason;  // empty: all were found
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Functions load() {
  Functions f;
  void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    f.reason = dlerror();
    return f;
  }
  const bool all = find(library, "ncclGetVersion", f.get_version) &&
                   find(library, "ncclGetUniqueId", f.get_unique_id) &&
                   find(library, "ncclCommInitRankConfig", f.init) && find(library, "ncclCommGetAsyncError", f.state) &&
                   find(library, "ncclCommAbort", f.abort) && find(library, "ncclCommDestroy", f.destroy) &&
                   find(library, "ncclGetErrorString", f.error_text) && find(library, "ncclAllReduce", f.all_reduce) &&
                   find(library, "ncclAllGather", f.all_gather) && find(library, "ncclReduceScatter", f.reduce_scatter);
  if (all) f.get_version(&f.version);
  if (f.version < kOldest) f.reason = "libnccl.so.2 is older than 2.18";
  return f;
}

const Functions& nccl() {
  static const Functions functions = load();
  return functions;
}

void check(ncclResult_t code, const char* what) {
  if (code != ncclSuccess && code != ncclInProgress)
    throw DeviceFailure(std::string("NCCL: ") + what + ": " + nccl().error_text(code));
}

ncclDataType_t type_of(Stored stored) {
  switch (stored) {
    case Stored::fp32: return ncclFloat32;
    case Stored::bf16: return ncclBfloat16;
    case Stored::fp16: return ncclFloat16;
  }
  return ncclFloat32;
}

Result<ncclUniqueId> common_id(Communicator& communicator) {
  ncclUniqueId id{};
  std::int64_t words[sizeof(ncclUniqueId) / 8];
  if (communicator.rank() == 0) check(nccl().get_unique_id(&id), "ncclGetUniqueId");
  std::memcpy(words, &id, sizeof id);
  const Numbers numbers{words, static_cast<std::int64_t>(std::size(words)), Scalar::int64};
  if (auto sent = communicator.broadcast(numbers, 0); !sent) return sent.error();
  std::memcpy(&id, words, sizeof id);
  return id;
}

// Collectives run on a stream of their own: the compute stream waits for them, and they for what it had queued.
class NcclLink final : public DeviceLink {
public:
  NcclLink(LinkStreams streams, bool (*stopped)()) : streams_(streams), stopped_(stopped) {
    for (cudaEvent_t* event : {&before_, &after_})
      check_cuda(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "event");
  }
  ~NcclLink() override {
    if (link_ != nullptr) stopped_() ? nccl().abort(link_) : nccl().destroy(link_);
    cudaEventDestroy(before_);
    cudaEventDestroy(after_);
  }

  void join(int ranks, int rank, const ncclUniqueId& id) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that it can be given up
    check(nccl().init(&link_, ranks, id, rank, &config), "ncclCommInitRank");
    settle(std::chrono::steady_clock::now() + kTimeToJoin);
  }

  void all_reduce(void* values, std::int64_t count, Stored stored) override {
    between([&](cudaStream_t stream) {
      return nccl().all_reduce(values, values, static_cast<std::size_t>(count), type_of(stored), ncclSum, link_,
                               stream);
    });
  }
  void all_gather(const void* mine, void* all, std::int64_t count, Stored stored) override {
    between([&](cudaStream_t stream) {
      return nccl().all_gather(mine, all, static_cast<std::size_t>(count), type_of(stored), link_, stream);
    });
  }
  void reduce_scatter(const void* all, void* mine, std::int64_t count, Stored stored) override {
    between([&](cudaStream_t stream) {
      return nccl().reduce_scatter(all, mine, static_cast<std::size_t>(count), type_of(stored), ncclSum, link_, stream);
    });
  }
  std::string library() const override {
    const int v = nccl().version;
    return "NCCL " + std::to_string(v / 10000) + "." + std::to_string(v % 10000 / 100) + "." + std::to_string(v % 100);
  }

private:
  // Waits until the library has done what it was told, or gives it up.
  void settle(std::chrono::steady_clock::time_point until) {
    ncclResult_t state = ncclInProgress;
    for (;;) {
      check(nccl().state(link_, &state), "ncclCommGetAsyncError");
      if (state == ncclSuccess) return;
      if (state == ncclInProgress && !stopped_() && std::chrono::steady_clock::now() < until) {
        std::this_thread::yield();
        continue;
      }
      nccl().abort(link_);
      link_ = nullptr;
      check(state, "a collective");
      throw DeviceFailure("NCCL: another rank has stopped, or does not join within 60 s");
    }
  }

  template <class Call>
  void between(Call call) {
    const auto compute = static_cast<cudaStream_t>(streams_.compute),
               communication = static_cast<cudaStream_t>(streams_.communication);
    check_cuda(cudaEventRecord(before_, compute), "event");
    check_cuda(cudaStreamWaitEvent(communication, before_, 0), "event");
    check(call(communication), "a collective");
    settle(std::chrono::steady_clock::now() + kTimeToJoin);
    check_cuda(cudaEventRecord(after_, communication), "event");
    check_cuda(cudaStreamWaitEvent(compute, after_, 0), "event");
  }

  LinkStreams streams_;
  bool (*stopped_)();
  ncclComm_t link_ = nullptr;
  cudaEvent_t before_ = nullptr, after_ = nullptr;
};

}  // namespace

NcclState nccl_state() {
  const Functions& f = nccl();
  if (f.reason.empty()) return {f.version, {}};
  return {std::nullopt, f.reason};
}

Result<std::unique_ptr<DeviceLink>> nccl_link(Communicator& communicator, LinkStreams streams, bool (*stopped)()) {
  if (!nccl().reason.empty()) throw DeviceFailure("NCCL: " + nccl().reason);
  const auto id = common_id(communicator);
  if (!id) return id.error();
  auto link = std::make_unique<NcclLink>(streams, stopped);
  link->join(communicator.size(), communicator.rank(), *id);
  return std::unique_ptr<DeviceLink>(std::move(link));
}

}  // namespace tpsim::exec::cuda

#else

namespace tpsim::exec::cuda {

NcclState nccl_state() { return {std::nullopt, "tpsim was built without nccl.h"}; }

Result<std::unique_ptr<DeviceLink>> nccl_link(Communicator&, LinkStreams, bool (*)()) {
  throw DeviceFailure("NCCL: " + nccl_state().reason);
}

}  // namespace tpsim::exec::cuda
#endif
