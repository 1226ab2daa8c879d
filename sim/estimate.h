// One predicted time with what it rests on.
#pragma once

#include "sim/hardware.h"

namespace tpsim {

// What limits an operation. Latency: its fixed time is longer than either.
enum class Bound { compute, memory, network, latency };
const char* to_string(Bound bound);

struct Estimate {
  double us = 0;
  Bound bound = Bound::latency;
  NumberSource source = NumberSource::spec;
  double band = 0.3;  // half width in ln(measured / us) that holds 90 % of rows the fit has not seen
};

}  // namespace tpsim
