// Time from an Analysis: its kernels and collectives one after the other on a Hardware, and what the stack adds. The
// Analysis says what happens; this file only says how long it takes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "sim/estimate.h"
#include "sim/hardware.h"
#include "sim/kernel_list.h"
#include "sim/network/collectives.h"
#include "sim/stack.h"

namespace tpsim {

struct OperationTime {
  int trace = 0, index = 0;  // Analysis::traces[trace].operations[index]
  std::int64_t count = 1;    // passes over that trace
  Seconds time{};            // of one: its share of the kernel's time
  Estimate kernel;           // it runs in
  KernelCall call;
};

struct CollectiveTime {
  int trace = 0, index = 0;  // Analysis::traces[trace].forward[index]
  std::int64_t count = 1;
  Seconds time{};
  Estimate estimate;
  std::string algorithm;        // "ring"
  double algbw = 0, busbw = 0;  // bytes per second, as nccl-tests defines them
};

// Families whose time a stack may scale. Products of few rows wait for weights, wide ones compute: the time of a
// product, or of experts, is shared out between both by its rows.
enum class TimePart { gemm, wide_gemm, attention, prompt_attention, experts, wide_experts, small, collective };
inline constexpr std::size_t kTimeParts = 8;

// One forward pass, or several one after the other.
struct Prediction {
  Seconds total{}, compute{}, communication{};
  Seconds host{};                            // of `total`: neither kernels nor collectives
  Seconds low{}, high{};                     // 90 % band of `total`
  NumberSource source = NumberSource::spec;  // the weakest that makes up a tenth of the time
  double band = 0.35;                        // half width in ln(measured / total)
  std::int64_t kernels = 0;
  std::array<double, kTimeParts> part_us{};  // by TimePart, over the pass
  std::vector<OperationTime> operations;
  std::vector<CollectiveTime> collectives;
};

struct PredictOptions {
  Stack stack;
  std::optional<Precision> precision;  // else that of the Analysis's workload
};

// Predicts passes on one Hardware and remembers the kernels it has worked out. Not for several threads at a time.
class Predictor {
public:
  explicit Predictor(Hardware hardware, PredictOptions options = {});
  ~Predictor();
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;

  // Of the Analysis's own workload, or of another load of its model.
  Prediction predict(const Analysis& analysis);
  Prediction predict(const Analysis& analysis, const Load& load);
  // The same without the lists of operations and collectives.
  Prediction summary(const Analysis& analysis, const Load& load);
  // `total` alone.
  Seconds total(const Analysis& analysis);
  Seconds total(const Analysis& analysis, const Load& load);

  // One kernel; one collective of `bytes` (as CollectiveShape counts them) over `ranks` that are every `stride`th
  // device.
  Estimate kernel(const KernelCall& call);
  CollectiveEstimate collective(CollectiveOp op, double bytes, int ranks, int stride = 1);

  const Hardware& hardware() const;
  const Stack& stack() const;
  Precision precision(const Analysis& analysis) const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

Prediction predict(const Analysis& analysis, const Hardware& hardware);

// Memory of the heaviest rank on that hardware.
struct MemoryFit {
  std::int64_t weights = 0, kv_cache = 0, activations = 0, communication = 0, runtime = 0, total = 0, capacity = 0;
  bool fits = false;
  // Cached positions that the rest of the memory can hold, over all sequences. Layers whose cache is full (windows) or
  // does not grow (states) keep what they hold for the workload's batch. 0 where no layer's cache grows.
  std::int64_t max_kv_tokens = 0;
};
// `prefill` gives weights, activations and buffers; `kv_bytes` is the cache of the heaviest rank at the workload's
// context.
MemoryFit memory_fit(const Analysis& prefill, std::int64_t kv_bytes, const Hardware& hardware);

}  // namespace tpsim
