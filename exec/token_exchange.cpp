#include "exec/token_exchange.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

namespace tpsim::exec {
namespace {

template <class Real>
Numbers numbers_of(std::vector<Real>& values) {
  constexpr Scalar kScalar = std::is_same_v<Real, double>  ? Scalar::float64
                             : std::is_same_v<Real, float> ? Scalar::float32
                                                           : Scalar::int64;
  return {values.data(), static_cast<std::int64_t>(values.size()), kScalar};
}

std::vector<std::int64_t> times(std::vector<std::int64_t> counts, std::int64_t width) {
  for (std::int64_t& count : counts) count *= width;
  return counts;
}

std::int64_t sum(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

}  // namespace

template <class Real>
std::vector<std::int64_t> TokenExchange<Real>::rows_by_rank(const std::vector<std::int64_t>& by_expert) const {
  const auto per_rank = static_cast<std::size_t>(experts_ / communicator_.size());
  std::vector<std::int64_t> rows(static_cast<std::size_t>(communicator_.size()));
  for (std::size_t i = 0; i < by_expert.size(); ++i) rows[i / per_rank] += by_expert[i];
  return rows;
}

template <class Real>
Result<typename TokenExchange<Real>::Received> TokenExchange<Real>::send(const Tensor<Real>& x,
                                                                         const Tensor<Real>& indices,
                                                                         const Tensor<Real>& weights,
                                                                         std::vector<ExecutedEvent>& events,
                                                                         const std::string& module) {
  const int ranks = communicator_.size();
  const std::int64_t width = x.columns(), k = indices.columns(), per_rank = experts_ / ranks;
  tokens_ = x.shape[0];
  share_ = chunk_range(tokens_, ranks, communicator_.rank());
  for (std::int64_t i = share_.begin * k; i < share_.end * k; ++i)
    routes_.push_back({i / k - share_.begin, indices.ids()[i], weights.data()[i], i - share_.begin * k});
  choices_ = k;
  std::stable_sort(routes_.begin(), routes_.end(), [](const Route& a, const Route& b) { return a.expert < b.expert; });

  std::vector<std::int64_t> wanted(static_cast<std::size_t>(experts_)), coming(wanted.size());
  std::vector<Real> rows;
  for (const Route& route : routes_) {
    ++wanted[static_cast<std::size_t>(route.expert)];
    const Real* row = x.data() + (share_.begin + route.token) * width;
    rows.insert(rows.end(), row, row + width);
  }
  const std::vector<std::int64_t> table(static_cast<std::size_t>(ranks), per_rank);
  events.push_back({CollectiveOp::all_to_all, module, Shape{ranks, per_rank}});
  if (auto done = communicator_.all_to_all(numbers_of(wanted), table, numbers_of(coming), table); !done)
    return done.error();
  sent_ = rows_by_rank(wanted);
  received_ = rows_by_rank(coming);
  events.push_back({CollectiveOp::all_to_all, module, Shape{static_cast<std::int64_t>(routes_.size()), width}});
  const Shape arrived{sum(received_), width};
  Received result{make_tensor<Real>(arrived), {}, make_tensor<Real>(arrived.with(1, 1))};
  std::fill(result.weights.real->begin(), result.weights.real->end(), Real(1));
  if (auto done = communicator_.all_to_all(numbers_of(rows), times(sent_, width), numbers_of(*result.rows.real),
                                           times(received_, width));
      !done)
    return done.error();
  std::vector<std::int64_t> own;
  for (std::size_t i = 0; i < coming.size(); ++i)
    own.insert(own.end(), static_cast<std::size_t>(coming[i]), static_cast<std::int64_t>(i) % per_rank);
  result.indices = make_ids<Real>(arrived.with(1, 1), std::move(own));
  return result;
}

template <class Real>
Result<Tensor<Real>> TokenExchange<Real>::bring_back(const Tensor<Real>& rows, std::vector<ExecutedEvent>& events,
                                                     const std::string& module) {
  const std::int64_t width = rows.columns();
  std::vector<Real> made = *rows.real, returned(routes_.size() * static_cast<std::size_t>(width));
  events.push_back({CollectiveOp::all_to_all, module, rows.shape});
  if (auto done = communicator_.all_to_all(numbers_of(made), times(received_, width), numbers_of(returned),
                                           times(sent_, width));
      !done)
    return done.error();
  std::vector<Real> own(static_cast<std::size_t>(share_.size() * width));
  for (std::size_t i = 0; i < routes_.size(); ++i)
    for (std::int64_t c = 0; c < width; ++c)
      own[static_cast<std::size_t>(routes_[i].token * width + c)] +=
          routes_[i].weight * returned[i * static_cast<std::size_t>(width) + static_cast<std::size_t>(c)];
  Tensor<Real> all = make_tensor<Real>(Shape{tokens_, width});
  events.push_back({CollectiveOp::all_gather, module, Shape{share_.size(), width}});
  if (auto done = communicator_.all_gather(numbers_of(own), numbers_of(*all.real)); !done) return done.error();
  returned_ = std::move(returned);
  return all;
}

template <class Real>
Result<Tensor<Real>> TokenExchange<Real>::bring_back_gradient(const Tensor<Real>& of_all,
                                                              std::vector<ExecutedEvent>& events,
                                                              const std::string& module) {
  const std::int64_t width = of_all.columns();
  const auto routes = static_cast<std::int64_t>(routes_.size());
  std::vector<Real> of_returned;
  of_weights_.clear();
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const Real* g = of_all.data() + (share_.begin + routes_[i].token) * width;
    const Real* row = returned_.data() + i * static_cast<std::size_t>(width);
    of_weights_.push_back(std::inner_product(g, g + width, row, Real(0)));
    for (std::int64_t c = 0; c < width; ++c) of_returned.push_back(routes_[i].weight * g[c]);
  }
  Tensor<Real> of_rows = make_tensor<Real>(Shape{sum(received_), width});
  events.push_back({CollectiveOp::all_to_all, module, Shape{routes, width}});
  if (auto done = communicator_.all_to_all(numbers_of(of_returned), times(sent_, width), numbers_of(*of_rows.real),
                                           times(received_, width));
      !done)
    return done.error();
  return of_rows;
}

template <class Real>
Result<typename TokenExchange<Real>::SentGradients> TokenExchange<Real>::send_gradient(
    const Tensor<Real>& of_rows, std::vector<ExecutedEvent>& events, const std::string& module) {
  const std::int64_t width = of_rows.columns();
  std::vector<Real> made = *of_rows.real, of_sent(routes_.size() * static_cast<std::size_t>(width));
  events.push_back({CollectiveOp::all_to_all, module, of_rows.shape});
  if (auto done =
          communicator_.all_to_all(numbers_of(made), times(received_, width), numbers_of(of_sent), times(sent_, width));
      !done)
    return done.error();
  std::vector<Real> of_x(static_cast<std::size_t>(share_.size() * width)),
      of_weights(static_cast<std::size_t>(share_.size() * choices_));
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    of_weights[static_cast<std::size_t>(routes_[i].place)] = of_weights_[i];
    for (std::int64_t c = 0; c < width; ++c)
      of_x[static_cast<std::size_t>(routes_[i].token * width + c)] +=
          of_sent[i * static_cast<std::size_t>(width) + static_cast<std::size_t>(c)];
  }
  SentGradients result{make_tensor<Real>(Shape{tokens_, width}), make_tensor<Real>(Shape{tokens_, choices_})};
  events.push_back({CollectiveOp::all_gather, module, Shape{share_.size(), choices_}});
  if (auto done = communicator_.all_gather(numbers_of(of_weights), numbers_of(*result.weights.real)); !done)
    return done.error();
  events.push_back({CollectiveOp::all_gather, module, Shape{share_.size(), width}});
  if (auto done = communicator_.all_gather(numbers_of(of_x), numbers_of(*result.x.real)); !done) return done.error();
  return result;
}

template class TokenExchange<float>;
template class TokenExchange<double>;

}  // namespace tpsim::exec
