// Tokens on their way to the ranks that hold their experts, and back: each rank takes its share of the tokens, sends
// every token to the experts chosen for it, computes what it receives, and returns the results.
#pragma once

#include <vector>

#include "exec/communicator.h"
#include "exec/executed_event.h"
#include "exec/tensor.h"

namespace tpsim::exec {

template <class Real>
class TokenExchange {
public:
  struct Received {
    Tensor<Real> rows, indices, weights;  // [R, H], [R, 1] counted from this rank's first expert, [R, 1] of ones
  };

  TokenExchange(Communicator& communicator, std::int64_t experts) : communicator_(communicator), experts_(experts) {}

  // x [T, H], indices and weights [T, k], the same on all ranks.
  Result<Received> send(const Tensor<Real>& x, const Tensor<Real>& indices, const Tensor<Real>& weights,
                        std::vector<ExecutedEvent>& events, const std::string& module);
  // What the experts made of the rows -> [T, H] on every rank.
  Result<Tensor<Real>> bring_back(const Tensor<Real>& rows, std::vector<ExecutedEvent>& events,
                                  const std::string& module);

  // The way back of the two, in this order. `of_all` [T, H]: of what bring_back gave -> of what it was given.
  Result<Tensor<Real>> bring_back_gradient(const Tensor<Real>& of_all, std::vector<ExecutedEvent>& events,
                                           const std::string& module);
  struct SentGradients {
    Tensor<Real> x, weights;  // [T, H], [T, k]
  };
  // `of_rows`: of the rows that `send` gave.
  Result<SentGradients> send_gradient(const Tensor<Real>& of_rows, std::vector<ExecutedEvent>& events,
                                      const std::string& module);

private:
  struct Route {
    std::int64_t token = 0;  // of this rank's share
    std::int64_t expert = 0;
    Real weight = 0;
    std::int64_t place = 0;  // among the choices of this rank's share
  };

  std::vector<std::int64_t> rows_by_rank(const std::vector<std::int64_t>& by_expert) const;

  Communicator& communicator_;
  std::int64_t experts_;
  std::int64_t tokens_ = 0;                    // of all ranks
  Range share_;                                // this rank's
  std::vector<Route> routes_;                  // by expert
  std::vector<std::int64_t> sent_, received_;  // rows, by rank
  std::int64_t choices_ = 0;                   // of a token
  std::vector<Real> returned_, of_weights_;    // rows that came back; gradients of the weights, by route
};

}  // namespace tpsim::exec
