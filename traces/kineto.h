// Traces of the PyTorch profiler (Kineto): JSON in Chrome's trace format, of any version since 2021, gzip too where
// zlib is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/collective.h"
#include "core/dtype.h"
#include "core/result.h"
#include "core/shape.h"

namespace tpsim {

enum class KinetoCategory {
  kernel,
  memory,  // copies and memsets on the device
  cpu_op,
  runtime,  // cudaLaunchKernel, cuLaunchKernelEx, hipGraphLaunch ...
  annotation,
  gpu_annotation,
  python,
  other
};

// What a collective's event says about it; what it does not say is none or 0.
struct KinetoCollective {
  std::string name;                // as written: "allreduce", "_allgather_base"
  std::optional<CollectiveOp> op;  // none: not one of tpsim's (barriers, coalesced ones)
  std::int64_t in_elements = 0, out_elements = 0;
  std::optional<DType> dtype;
  int group = 0;
};

struct KinetoEvent {
  std::string name;
  KinetoCategory category = KinetoCategory::other;
  double start_us = 0, duration_us = 0;
  std::int64_t process = 0;
  std::string thread;            // of the host
  int device = -1, stream = -1;  // of kernels and copies
  std::int64_t correlation = -1, external_id = -1;
  std::vector<std::vector<std::int64_t>> shapes;  // of an operation's inputs; an empty one stands for no tensor
  std::vector<std::string> types;                 // of the same inputs: "c10::BFloat16", "float"
  std::optional<KinetoCollective> collective;
};

struct KinetoTrace {
  std::string file;
  int rank = -1, world_size = 0;     // -1, 0: not told
  std::vector<std::string> devices;  // names of the devices, by index
  std::vector<KinetoEvent> events;   // those with a duration, by start
  std::vector<std::string> notes;    // what was left out and why
};

// Errors: no JSON, no trace events. A file cut off after some events is read up to there, with a note.
Result<KinetoTrace> parse_kineto(std::string_view text, const std::string& file);
// A file, gzip or plain.
Result<KinetoTrace> read_kineto(const std::string& path);
// Whether the text (the first few kilobytes do) looks like such a trace, or like gzip.
bool looks_like_kineto(std::string_view text);

// For each event that is a kernel: the index of the operation that launched it, the innermost one around its launch
// that has shapes or is a collective; -1 for other events, and where none is found (graph replays).
std::vector<int> launching_operations(const KinetoTrace& trace);

// Where kernels of that name belong: "gemm", "attention", "collective", "norm", "elementwise", "experts", "copy",
// "other".
std::string_view kernel_family(std::string_view kernel);

// The collective that a name means: "allreduce", "ncclKernel_AllReduce_RING_LL_Sum_float(...)", "all_to_allv".
std::optional<CollectiveOp> collective_named(std::string_view name);
std::optional<DType> dtype_named(std::string_view torch);  // "c10::BFloat16", "BFloat16", "float"

}  // namespace tpsim
