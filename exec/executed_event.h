// What a rank notes while it runs.
#pragma once

#include <string>

#include "core/collective.h"
#include "core/shape.h"

namespace tpsim::exec {

struct ExecutedEvent {
  CollectiveOp op = CollectiveOp::all_reduce;
  std::string module;
  Shape input;
  bool operator==(const ExecutedEvent&) const = default;
};

}  // namespace tpsim::exec
