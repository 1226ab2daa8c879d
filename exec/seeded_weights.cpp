// Parameters drawn from a seed: element i of a parameter is a function of seed, name and i alone.
#include <cmath>

#include "exec/weights.h"

namespace tpsim::exec {
namespace {

constexpr double kSpread = 0.1;  // of norm weights and biases

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

std::uint64_t hash_of(const std::string& name, std::uint64_t seed) {
  std::uint64_t hash = mixed(seed);
  for (const char c : name) hash = mixed(hash ^ static_cast<unsigned char>(c));
  return hash;
}

// Uniform with mean 0 and standard deviation 1.
double drawn(std::uint64_t bits) {
  constexpr double kSpan = 3.4641016151377544;  // 2 sqrt(3)
  return (static_cast<double>(mixed(bits) >> 11) * 0x1.0p-53 - 0.5) * kSpan;
}

class SeededWeights final : public Weights {
public:
  explicit SeededWeights(std::uint64_t seed) : seed_(seed) {}

  Result<std::vector<float>> read(const ParameterPiece& piece) const override {
    const std::uint64_t key = hash_of(piece.name, seed_);
    const Shape& global = piece.global;
    const bool vector = global.rank() < 2;
    const bool centred = vector && piece.name.ends_with("bias");
    const double mean = vector && !centred ? 1 : 0;
    const double spread = vector ? kSpread : 1 / std::sqrt(static_cast<double>(global[-1]));
    std::int64_t outer = 1, inner = 1;
    for (int i = 0; i < global.rank(); ++i)
      if (i != piece.dim) (i < piece.dim ? outer : inner) *= global[i];
    std::vector<Range> ranges = piece.ranges;
    if (piece.dim < 0) ranges = {{0, 1}};
    const std::int64_t extent = piece.dim < 0 ? 1 : global[piece.dim];
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(piece.local().numel()));
    for (std::int64_t o = 0; o < outer; ++o)
      for (const Range& range : ranges)
        for (std::int64_t i = (o * extent + range.begin) * inner; i < (o * extent + range.end) * inner; ++i)
          values.push_back(
              static_cast<float>((mean + spread * drawn(key + static_cast<std::uint64_t>(i))) * piece.factor));
    return values;
  }

private:
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Weights> seeded_weights(std::uint64_t seed) { return std::make_unique<SeededWeights>(seed); }

}  // namespace tpsim::exec
