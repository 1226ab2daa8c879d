// What the models of kernels share.
#pragma once

#include <algorithm>
#include <cmath>

#include "sim/kernels/gemm.h"

namespace tpsim {

// Two times that overlap: the longer one for large powers, their sum for 1.
inline double joined(double a, double b, double power) {
  const double high = std::max(a, b), low = std::min(a, b);
  return high <= 0 ? 0 : high * std::pow(1 + std::pow(low / high, power), 1 / power);
}

// A model measured on another device, with bands of at least `band` (half width in ln).
template <class Model>
Model moved_to(const GemmDevice& device, Model model, double band) {
  model.device = device;
  model.source = NumberSource::transferred;
  for (double& width : model.band.widths) width = std::max(width, band);
  model.far_band = std::max(model.far_band, band);
  return model;
}

}  // namespace tpsim
