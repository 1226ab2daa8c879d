#include "cli/sweep_cell.h"

#include <algorithm>

#include "cli/text.h"

namespace tpsim::cli {
namespace {

constexpr std::int64_t kForgetAfter = 200'000;  // predictions: bounds what the predictors remember
constexpr std::size_t kMostBases = 64, kMostContexts = 10'000;

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

std::string codes(const Analysis& forward) { return joined(distinct(forward.verdict_reasons), " "); }

SweepTime of_phase(const PhaseResult& p) {
  return {p.time.total, p.time.low, p.time.high, p.speedup, p.comm_share, p.time.source};
}

bool same(const SweepResult& a, const SweepResult& b) {
  const auto memory = [](const MemoryFit& m) {
    return std::vector<std::int64_t>{m.weights, m.kv_cache, m.activations, m.communication, m.runtime, m.total};
  };
  return a.devices == b.devices && a.verdict == b.verdict && a.reason == b.reason &&
         memory(a.memory) == memory(b.memory) && a.prefill == b.prefill && a.decode == b.decode &&
         a.generation == b.generation;
}

Load prefill_load(const Lengths& l) {
  Load load;
  load.rows = l.batch * l.prompt;
  load.head_rows = l.batch;
  load.groups.assign(1, {l.batch, l.prompt, l.prompt});
  return load;
}

Load decode_load(const Lengths& l) {
  Load load;
  load.rows = load.head_rows = l.batch;
  load.groups.assign(1, {l.batch, 1, l.context});
  return load;
}

Lengths one(Lengths l) {
  l.batch = 1;
  return l;
}

SweepGeneration of_generation(const Generation& g) {
  return {g.total.total, g.total.low, g.total.high, g.first_token, g.per_token, g.tokens_per_s, g.speedup};
}

SweepTime timed(const Prediction& p, Seconds alone) {
  const double before = alone.count();
  return {p.total, p.low, p.high, ratio(before, p.total.count()), ratio(p.communication.count(), p.total.count()),
          p.source};
}

// Predictions that a point may add to what predictors remember.
std::int64_t predictions_of(const Lengths& l) {
  constexpr std::int64_t most_of_a_sum = 64;
  const std::int64_t chunks = l.chunk > 0 ? (l.prompt + l.chunk - 1) / l.chunk : 1;
  return std::min(chunks, most_of_a_sum) + (l.generate > 0 ? std::min(l.generate, most_of_a_sum) : 0);
}

}  // namespace

struct SweepCell::Bases {
  Analysis forward, prefill, alone;
  RankMemoryLine memory;  // of prefill
};

SweepCell::SweepCell(Scenario scenario, int tp, Lengths largest)
    : scenario_(std::move(scenario)), tp_(tp), most_(largest.batch) {
  scales_ = both_ways_agree(largest);
}
SweepCell::SweepCell(SweepCell&&) noexcept = default;
SweepCell& SweepCell::operator=(SweepCell&&) noexcept = default;
SweepCell::~SweepCell() = default;

Result<SweepResult> SweepCell::result(const Lengths& l) {
  if (l.context < l.prompt + l.generate) {
    SweepResult none;
    none.lengths = l;
    none.verdict = Verdict::unknown;
    none.reason = l.context < l.prompt ? "ctx is shorter than the prompt"
                                       : "ctx is shorter than the prompt and what is generated";
    return none;
  }
  return scales_ ? scaled(l) : analysed(l);
}

Result<SweepResult> SweepCell::analysed(const Lengths& l) {
  const Scenario s = with_lengths(scenario_, l);
  const auto baseline = measure_baseline(s);
  if (!baseline) return baseline.error();
  const auto size = size_up(s, tp_, *baseline);
  if (!size) return size.error();
  SweepResult r;
  r.lengths = l;
  r.devices = size->devices();
  r.verdict = size->forward.verdict;
  r.reason = codes(size->forward);
  r.memory = size->memory;
  if (size->prefill) r.prefill = of_phase(*size->prefill);
  if (size->decode) r.decode = of_phase(*size->decode);
  if (size->generation) r.generation = of_generation(*size->generation);
  return r;
}

bool SweepCell::both_ways_agree(const Lengths& largest) {
  const Lengths small = one(largest);
  for (const Lengths& l : {largest, small}) {
    const auto direct = analysed(l), short_way = scaled(l);
    if (!direct || !short_way || !same(*direct, *short_way)) return false;
  }
  return true;
}

void SweepCell::forget_if_many(const Lengths& l) {
  predicted_ += predictions_of(l);
  if (predictor_ && predicted_ < kForgetAfter) return;
  predicted_ = 0;
  predictor_.emplace(scenario_.hardware, PredictOptions{scenario_.stack, {}});
  alone_.emplace(scenario_.hardware, PredictOptions{scenario_.stack, {}});
}

Result<const SweepCell::Bases*> SweepCell::bases(const Lengths& l) {
  const std::pair key{l.prompt, l.chunk};
  if (const auto it = by_prompt_.find(key); it != by_prompt_.end()) return static_cast<const Bases*>(it->second.get());
  if (by_prompt_.size() >= kMostBases) by_prompt_.clear();
  const Scenario s = with_lengths(scenario_, one(l));
  auto forward = analyze(s.model(), request_for(s, tp_, Pass::forward));
  auto prefill = analyze(s.model(), request_for(s, tp_, Pass::prefill));
  auto alone = analyze(s.model(), baseline_request(s, Pass::prefill));
  if (!forward) return forward.error();
  if (!prefill) return prefill.error();
  if (!alone) return alone.error();
  auto memory = memory_by_batch(l, Pass::prefill);
  if (!memory) return memory.error();
  auto made =
      std::make_unique<Bases>(Bases{std::move(*forward), std::move(*prefill), std::move(*alone), std::move(*memory)});
  return static_cast<const Bases*>((by_prompt_[key] = std::move(made)).get());
}

Result<RankMemoryLine> SweepCell::memory_by_batch(const Lengths& l, Pass pass) const {
  return RankMemoryLine::of(most_, [&](std::int64_t batch) -> Result<std::vector<RankMemory>> {
    Lengths own = l;
    own.batch = batch;
    return pass_memory(with_lengths(scenario_, own), tp_, pass);
  });
}

Result<const RankMemoryLine*> SweepCell::decode_memory(const Lengths& l) {
  if (const auto it = decode_by_context_.find(l.context); it != decode_by_context_.end())
    return static_cast<const RankMemoryLine*>(&it->second);
  if (decode_by_context_.size() >= kMostContexts) decode_by_context_.clear();
  auto memory = memory_by_batch(l, Pass::decode);
  if (!memory) return memory.error();
  return static_cast<const RankMemoryLine*>(&decode_by_context_.emplace(l.context, std::move(*memory)).first->second);
}

// Memory grows with the context; which kernels a step runs does not change.
Result<void> SweepCell::prepare_decode(const Lengths& l) {
  if (decode_) return {};
  const Scenario s = with_lengths(scenario_, one(l));
  auto decode = analyze(s.model(), request_for(s, tp_, Pass::decode));
  if (!decode) return decode.error();
  auto alone = analyze(s.model(), baseline_request(s, Pass::decode));
  if (!alone) return alone.error();
  decode_ = std::move(*decode);
  decode_alone_ = std::move(*alone);
  return {};
}

// As memory_fit() sees an analysis of the whole batch.
Result<MemoryFit> SweepCell::memory(const Bases& b, const Lengths& l) {
  const auto growing = decode_memory(l);
  if (!growing) return growing.error();
  Analysis prefill, decode;
  prefill.parallelism = decode.parallelism = b.prefill.parallelism;
  prefill.memory = b.memory.at(l.batch);
  decode.memory = (*growing)->at(l.batch);
  const std::int64_t kv =
      decode.memory.empty() ? 0 : decode.memory[static_cast<std::size_t>(heaviest_rank(decode))].kv_cache;
  return memory_fit(prefill, kv, scenario_.hardware);
}

void SweepCell::predict_prefill(const Bases& b, const Lengths& l) {
  const Lengths key{l.batch, l.prompt, 0, 0, l.chunk};
  if (key == last_prefill_) return;
  last_prefill_ = key;
  const ChunkedPrompt chunks = with_lengths(scenario_, l).chunks();
  const bool cut = chunks.passes() > 1;
  prefill_ = cut ? predict_chunks(*predictor_, b.prefill, chunks) : predictor_->summary(b.prefill, prefill_load(l));
  prefill_alone_ = cut ? predict_chunks(*alone_, b.alone, chunks).total : alone_->total(b.alone, prefill_load(l));
}

Generation SweepCell::predict_generation(const Lengths& l) {
  const std::int64_t first = l.prompt + 1, last = l.prompt + l.generate - 1;
  const Prediction steps = predict_steps(*predictor_, *decode_, l.batch, first, last);
  const Seconds alone = predict_steps(*alone_, *decode_alone_, l.batch, first, last).total;
  return generation_of(l.batch, l.generate, prefill_, steps, {prefill_alone_, {}, alone});
}

Result<SweepResult> SweepCell::scaled(const Lengths& l) {
  const auto base = bases(l);
  if (!base) return base.error();
  if (auto ready = prepare_decode(l); !ready) return ready.error();
  forget_if_many(l);
  const Bases& b = **base;
  const auto memory_of_batch = memory(b, l);
  if (!memory_of_batch) return memory_of_batch.error();
  SweepResult r;
  r.lengths = l;
  r.devices = b.forward.ranks();
  r.verdict = b.forward.verdict;
  r.reason = codes(b.forward);
  r.memory = *memory_of_batch;
  if (r.verdict != Verdict::right && r.verdict != Verdict::wrong) return r;
  if (scenario_.phase != Phase::decode) {
    predict_prefill(b, l);
    r.prefill = timed(prefill_, prefill_alone_);
  }
  if (scenario_.phase != Phase::prefill)
    r.decode = timed(predictor_->summary(*decode_, decode_load(l)), alone_->total(*decode_alone_, decode_load(l)));
  if (l.generate > 0 && scenario_.phase == Phase::both) r.generation = of_generation(predict_generation(l));
  return r;
}

}  // namespace tpsim::cli
