// What the device did in a trace, and which of its communication nothing hid.
#pragma once

#include <string>

#include "traces/kineto.h"

namespace tpsim {

// Times in us; overlapping kernels of one sort count once.
struct DeviceBusy {
  std::int64_t kernels = 0, collectives = 0;  // collectives: kernels of theirs
  double span = 0;                            // first begin to last end
  double computation = 0, communication = 0;
  double overlapped = 0;  // of both at a time
  double exposed() const { return communication - overlapped; }
  double idle() const { return span - computation - exposed(); }
};
// Of kernels; where a trace has none, of host operations that call no other (traces of a CPU).
DeviceBusy device_busy(const KinetoTrace& trace);

// Events that take the time: kernels, or host operations that call no other.
std::vector<int> working_events(const KinetoTrace& trace);

bool has_kernels(const KinetoTrace& trace);
// Collectives by name or by what their event says.
bool is_collective(const KinetoEvent& event);

// Passes that annotations mark: ProfilerStep#N, vLLM's execute_..., 0 = none.
int marked_steps(const KinetoTrace& trace);

// Modules that repeat, from Python stacks ("nn.Module: LlamaDecoderLayer_3"): class and number; "" and 0 without.
struct RepeatedModule {
  std::string name;
  int count = 0;
};
RepeatedModule repeated_module(const KinetoTrace& trace);

}  // namespace tpsim
