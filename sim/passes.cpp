#include "sim/passes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace tpsim {
namespace {

// Attention reads the cache in blocks of so many tokens; more of them are never needed at once.
constexpr std::int64_t kBlock = 128;
constexpr std::int64_t kFew = 8;     // terms that are added one by one
constexpr double kAgreement = 2e-5;  // of both ways to add up a range

// Adds up `times` passes for every index of a range, over which the time is smooth.
class SmoothSum {
public:
  using At = std::function<Prediction(std::int64_t)>;
  SmoothSum(PassSum& sum, double times, At at) : sum_(sum), times_(times), at_(std::move(at)) {}

  void add(std::int64_t first, std::int64_t last) {
    const std::int64_t count = last - first + 1;
    if (count <= kFew) {
      for (std::int64_t i = first; i <= last; ++i) sum_.add(known(i), times_);
      return;
    }
    if (count % 2 == 0) {
      sum_.add(known(last), times_);
      return add(first, last - 1);
    }
    const std::int64_t middle = first + count / 2;
    const double halves = rule(first, middle) + rule(middle, last) - us(middle);
    if (std::abs(halves - rule(first, last)) <= kAgreement * halves) return add_rule(first, last);
    add(first, middle - 1);
    add(middle, last);
  }

private:
  const Prediction& known(std::int64_t index) {
    const auto [it, fresh] = known_.try_emplace(index);
    if (fresh) it->second = at_(index);
    return it->second;
  }
  double us(std::int64_t index) { return microseconds(known(index).total); }

  // Exact for cubics: the ends' share of the second moment of `count` whole numbers.
  static double end_weight(double count) { return count * (count + 1) / (6 * (count - 1)); }
  double rule(std::int64_t first, std::int64_t last) {
    const std::int64_t count = last - first + 1;
    if (count % 2 == 0) return rule(first, last - 1) + us(last);
    const double n = static_cast<double>(count), end = end_weight(n);
    return end * (us(first) + us(last)) + (n - 2 * end) * us(first + count / 2);
  }
  void add_rule(std::int64_t first, std::int64_t last) {
    const double n = static_cast<double>(last - first + 1), end = end_weight(n);
    sum_.add(known(first), times_ * end);
    sum_.add(known(last), times_ * end);
    sum_.add(known(first + (last - first) / 2), times_ * (n - 2 * end));
  }

  PassSum& sum_;
  double times_;
  At at_;
  std::map<std::int64_t, Prediction> known_;
};

// Of an even number of contexts the lower and the upper middle in turn.
std::int64_t middle_of_block(std::int64_t block) { return kBlock * block + kBlock / 2 + block % 2; }

Load decode_load(std::int64_t sequences, std::int64_t context) {
  Load load;
  load.rows = load.head_rows = sequences;
  load.groups.assign(1, {sequences, 1, context});
  return load;
}

}  // namespace

void PassSum::add(const Prediction& pass, double times) {
  sum_.total += pass.total * times;
  sum_.compute += pass.compute * times;
  sum_.communication += pass.communication * times;
  sum_.host += pass.host * times;
  for (std::size_t i = 0; i < kTimeParts; ++i) sum_.part_us[i] += pass.part_us[i] * times;
  kernels_ += static_cast<double>(pass.kernels) * times;
  band_s_ += pass.total.count() * pass.band * times;
  by_source_[static_cast<std::size_t>(pass.source)] += pass.total.count() * times;
}

Prediction PassSum::sum() const {
  Prediction p = sum_;
  p.kernels = std::llround(kernels_);
  p.band = p.total.count() > 0 ? band_s_ / p.total.count() : 0;
  p.low = p.total * std::exp(-p.band);
  p.high = p.total * std::exp(p.band);
  p.source = NumberSource::measured;
  for (const auto source : {NumberSource::calibrated, NumberSource::transferred, NumberSource::spec})
    if (by_source_[static_cast<std::size_t>(source)] > 0.1 * p.total.count()) p.source = source;
  return p;
}

Prediction predict_chunk(Predictor& predictor, const Analysis& analysis, const ChunkedPrompt& prompt,
                         std::int64_t pass) {
  Load load;
  load.rows = prompt.sequences * prompt.length(pass);
  load.head_rows = prompt.sequences;
  load.groups.assign(1, {prompt.sequences, prompt.length(pass), prompt.cached(pass) + prompt.length(pass)});
  return predictor.summary(analysis, load);
}

Prediction predict_chunks(Predictor& predictor, const Analysis& analysis, const ChunkedPrompt& prompt) {
  PassSum sum;
  const std::int64_t last = prompt.passes() - 1;
  const auto at = [&](std::int64_t pass) { return predict_chunk(predictor, analysis, prompt, pass); };
  SmoothSum(sum, 1, at).add(0, last - 1);
  sum.add(at(last), 1);
  return sum.sum();
}

Prediction predict_steps(Predictor& predictor, const Analysis& analysis, std::int64_t sequences, std::int64_t first,
                         std::int64_t last) {
  PassSum sum;
  const auto at = [&](std::int64_t context) { return predictor.summary(analysis, decode_load(sequences, context)); };
  const auto add_linear = [&](std::int64_t from, std::int64_t to) {
    if (from > to) return;
    const double half = static_cast<double>(to - from + 1) / 2;
    const std::int64_t lower = from + (to - from) / 2, upper = from + (to - from + 1) / 2;
    if (lower == upper) return sum.add(at(lower), 2 * half);
    sum.add(at(lower), half);
    sum.add(at(upper), half);
  };
  // Blocks hold the contexts kBlock * i + 1 .. kBlock * (i + 1).
  const std::int64_t first_block = (first - 1 + kBlock - 1) / kBlock, end_block = last / kBlock;
  if (first_block >= end_block) {
    const std::int64_t bound = std::clamp((first - 1) / kBlock * kBlock + kBlock, first - 1, last);
    add_linear(first, bound);
    add_linear(bound + 1, last);
    return sum.sum();
  }
  add_linear(first, first_block * kBlock);
  SmoothSum(sum, kBlock, [&](std::int64_t block) {
    return at(middle_of_block(block));
  }).add(first_block, end_block - 1);
  add_linear(end_block * kBlock + 1, last);
  return sum.sum();
}

}  // namespace tpsim
