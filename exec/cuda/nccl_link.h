// NCCL, loaded at run time: tpsim starts, and computes on one GPU, without it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "exec/device.h"

namespace tpsim::exec::cuda {

struct NcclState {
  std::optional<int> version;
  std::string reason;  // why it cannot be used
};
NcclState nccl_state();

// Streams of the device that collectives are ordered with.
struct LinkStreams {
  void* compute = nullptr;
  void* communication = nullptr;
};
Result<std::unique_ptr<DeviceLink>> nccl_link(Communicator& communicator, LinkStreams streams, bool (*stopped)());

}  // namespace tpsim::exec::cuda
