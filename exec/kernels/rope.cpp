#include "exec/kernels/rope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "exec/kernels/workers.h"

namespace tpsim::exec {
namespace {

constexpr std::array<std::string_view, 7> kKinds{"default",  "linear", "dynamic",     "yarn",
                                                 "longrope", "llama3", "proportional"};

// Radians per position, by angle.
struct Frequencies {
  std::vector<double> values;
  double amplitude = 1;  // of cos and sin
};

// `width`: numbers that are turned, as the exponents count them.
std::vector<double> plain_frequencies(double theta, std::size_t angles, double width) {
  std::vector<double> f(angles);
  for (std::size_t i = 0; i < angles; ++i) f[i] = std::pow(theta, -2 * static_cast<double>(i) / width);
  return f;
}

double width_of(const Rotary& r, std::size_t angles) { return 2 * static_cast<double>(angles) - (r.odd ? 1 : 0); }

// Llama 3.1: long waves are stretched, short ones kept, those in between blended.
void stretch_long_waves(const Rotary& r, std::vector<double>& frequencies) {
  for (double& f : frequencies) {
    const double turns = r.original_positions * f / (2 * std::numbers::pi);
    if (turns >= r.high_freq_factor) continue;
    const double keep = std::max(0.0, (turns - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor));
    f = turns < r.low_freq_factor ? f / r.factor : (1 - keep) * f / r.factor + keep * f;
  }
}

double yarn_scale(double factor, double by) { return factor <= 1 ? 1.0 : 0.1 * by * std::log(factor) + 1.0; }

// arXiv 2309.00071: between two angles a ramp from the plain to the stretched frequencies.
Frequencies yarn(const Rotary& r, std::size_t angles) {
  Frequencies result{plain_frequencies(r.theta, angles, width_of(r, angles)), r.attention_factor};
  const double dim = width_of(r, angles);
  const double factor = r.factor > 0 ? r.factor : r.max_positions / r.original_positions;
  const auto angle_of = [&](double turns) {
    return dim * std::log(r.original_positions / (turns * 2 * std::numbers::pi)) / (2 * std::log(r.theta));
  };
  double low = angle_of(r.beta_fast), high = angle_of(r.beta_slow);
  if (r.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < angles; ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    result.values[i] = result.values[i] / factor * ramp + result.values[i] * (1 - ramp);
  }
  if (result.amplitude == 0)
    result.amplitude = r.mscale != 0 && r.mscale_all_dim != 0
                           ? yarn_scale(factor, r.mscale) / yarn_scale(factor, r.mscale_all_dim)
                           : yarn_scale(factor, 1);
  return result;
}

// arXiv 2402.13753: a factor per angle, one list for short and one for long sequences.
Frequencies longrope(const Rotary& r, std::size_t angles, std::int64_t length) {
  Frequencies result{plain_frequencies(r.theta, angles, width_of(r, angles)), r.attention_factor};
  const bool beyond = static_cast<double>(length) > r.original_positions;
  const std::vector<double>& factors = beyond ? r.long_factor : r.short_factor;
  for (std::size_t i = 0; i < angles && i < factors.size(); ++i) result.values[i] /= factors[i];
  const double factor = r.factor > 1 ? r.factor : r.max_positions / r.original_positions;
  if (result.amplitude == 0)
    result.amplitude = factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(r.original_positions));
  return result;
}

Frequencies frequencies_of(const Rotary& r, std::int64_t length) {
  const auto angles = static_cast<std::size_t>(r.half ? r.columns : r.columns / 2);
  if (r.kind == "yarn") return yarn(r, angles);
  if (r.kind == "longrope") return longrope(r, angles, length);
  double theta = r.theta;
  if (r.kind == "dynamic" && static_cast<double>(length) > r.original_positions) {
    const double dim = width_of(r, angles), stretched = r.factor * static_cast<double>(length) / r.original_positions;
    theta *= std::pow(stretched - (r.factor - 1), dim / (dim - 2));
  }
  Frequencies result{plain_frequencies(theta, angles, width_of(r, angles)), 1};
  if (r.kind == "linear")
    for (double& f : result.values) f /= r.factor;
  if (r.kind == "proportional")
    for (std::size_t i = 0; i < angles; ++i)
      result.values[i] =
          static_cast<double>(i) < std::floor(r.turned * static_cast<double>(angles)) ? result.values[i] / r.factor : 0;
  if (r.kind == "llama3") stretch_long_waves(r, result.values);
  return result;
}

// Pairs (a, b), `step` numbers apart, turned by their angles.
template <int step, class Real>
void turn(const Real* a, const Real* b, const Real* cos, const Real* sin, Real* to_a, Real* to_b, std::int64_t angles) {
  for (std::int64_t i = 0; i < angles; ++i) {
    const Real x = a[i * step], y = b[i * step];
    to_a[i * step] = x * cos[i] - y * sin[i];
    to_b[i * step] = y * cos[i] + x * sin[i];
  }
}

}  // namespace

bool is_known_rotary(std::string_view kind) { return std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end(); }

template <class Real>
Angles<Real> rotary_angles(const Rotary& rotary, const Tensor<Real>& positions, std::int64_t length) {
  const Frequencies f = frequencies_of(rotary, length);
  Shape shape = positions.shape;
  shape.push_back(rotary.columns);
  Angles<Real> result{make_tensor<Real>(shape), make_tensor<Real>(shape)};
  for (std::int64_t p = 0; p < positions.numel(); ++p)
    for (std::int64_t c = 0; c < rotary.columns; ++c) {
      // torch multiplies positions and frequencies in float32
      const auto at = static_cast<std::size_t>(c) % f.values.size();
      const double angle =
          static_cast<double>(static_cast<float>(positions.ids()[p]) * static_cast<float>(f.values[at]));
      result.cos.data()[p * rotary.columns + c] = static_cast<Real>(std::cos(angle) * f.amplitude);
      result.sin.data()[p * rotary.columns + c] = static_cast<Real>(std::sin(angle) * f.amplitude);
    }
  return result;
}

template <class Real>
Tensor<Real> rotated(const Tensor<Real>& x, const Tensor<Real>& cos, const Tensor<Real>& sin,
                     const Rotation& rotation) {
  Tensor<Real> result{x.shape, std::make_shared<std::vector<Real>>(*x.real), nullptr};
  const std::int64_t d = x.columns(), columns = cos.columns(), angles = rotation.half ? columns : columns / 2;
  const std::int64_t positions = x.shape[-2], known = cos.shape[-2];
  parallel_for(x.rows(), worth_a_thread(d), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t p = known == 1 ? 0 : row % positions;
      const Real *c = cos.data() + p * columns, *s = sin.data() + p * columns;
      const Real* from = x.data() + row * d;
      if (rotation.interleaved)
        turn<2>(from, from + 1, c, s, result.data() + row * d, result.data() + row * d + 1, angles);
      else
        turn<1>(from, from + angles, c, s, result.data() + row * d, result.data() + row * d + angles, angles);
    }
  });
  return result;
}

#define TPSIM_INSTANTIATE(Real)                                                          \
  template Angles<Real> rotary_angles(const Rotary&, const Tensor<Real>&, std::int64_t); \
  template Tensor<Real> rotated(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&, const Rotation&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
