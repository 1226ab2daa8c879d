// One rank of a run: its parameters, its state from step to step, and the replay of a recording.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis.h"
#include "core/model.h"
#include "core/module_path.h"
#include "core/recording.h"
#include "core/units.h"
#include "exec/communicator.h"
#include "exec/executed_event.h"
#include "exec/kernels/workers.h"
#include "exec/operations.h"
#include "exec/tensor.h"
#include "exec/token_exchange.h"
#include "exec/weights.h"

namespace tpsim::exec {

// To which type results are rounded after each operation; computation is in `Real`.
enum class Rounding { none, bf16, fp16 };

// What a run shows while it goes on.
template <class Real>
class RunObserver {
public:
  virtual ~RunObserver() = default;
  // A module's call returned `value` on this rank. `module`: full path.
  virtual void module_returned(const RecordedOutput& output, const std::string& module, const Tensor<Real>& value) = 0;
  // Entry `index` of the trace of `step` took that long on this rank; `events`: collectives of the pass so far.
  virtual void operation_ran(std::size_t /*step*/, std::size_t /*index*/, Seconds /*time*/, std::size_t /*events*/) {}
};

// A model under a plan, recorded for one shape of input.
struct Recorded {
  Analysis analysis;
  Recording recording;
};

// Whether ranks meet in it.
bool is_communication(Primitive primitive);

// What a forward pass leaves for the way back: every value, and the tokens' ways to their experts.
template <class Real>
struct Tape {
  std::vector<Tensor<Real>> pass;                // values of the pass
  std::vector<std::vector<Tensor<Real>>> steps;  // of each layer, by step; those of the ends are the pass'
  std::map<std::pair<std::size_t, std::size_t>, std::shared_ptr<TokenExchange<Real>>> exchanges;  // step, operation
};

template <class Real>
class RankRun {
public:
  // `threads` of this rank; 0 = its share of the machine's.
  RankRun(const Model& model, const Weights& weights, Communicator& communicator, Rounding rounding, int threads = 0)
      : model_(model),
        weights_(weights),
        communicator_(communicator),
        rounding_(rounding),
        workers_(threads > 0 ? threads : share_of_threads(communicator.size())) {}

  // Logits of new tokens [batch, tokens] behind `past` ones of earlier calls. Parameters are read when they are first
  // needed.
  Result<Tensor<Real>> forward(const Recorded& pass, const Tensor<Real>& ids, std::int64_t past,
                               RunObserver<Real>* observer, Tape<Real>* tape = nullptr);

  // A collective of the recording on this rank's tensors; noted among the events.
  Result<std::vector<Tensor<Real>>> communicated(const RecordedOp& op, const std::string& module,
                                                 const std::vector<const Tensor<Real>*>& inputs);
  // This rank's part of a parameter, by its full name; packed for the product that is all that happens to it.
  Result<Tensor<Real>> parameter(const Recorded& pass, const std::string& name,
                                 const RecordedOp* only_product = nullptr);
  void round(Tensor<Real>& value) const;
  Communicator& communicator() { return communicator_; }
  std::vector<ExecutedEvent>& events() { return events_; }

  // What operations keep from pass to pass, to run one pass again and again.
  using States = std::map<std::pair<std::size_t, std::size_t>, OperationState<Real>>;  // by step and operation
  const States& states() const { return states_; }
  void set_states(const States& states) { states_ = states; }

private:
  using Values = std::vector<Tensor<Real>>;
  using ExchangePointer = std::shared_ptr<TokenExchange<Real>>;

  Result<void> run_step(const Recorded& pass, std::size_t step, Values& values, RunObserver<Real>* observer);
  Result<void> run_one(const Recorded& pass, std::size_t step, std::size_t index, Values& values);
  Result<Tensor<Real>> reduced(const Tensor<Real>& x);
  Result<Tensor<Real>> gathered(const RecordedOp& op, const Tensor<Real>& x);
  Result<Tensor<Real>> scattered(const RecordedOp& op, const Tensor<Real>& x);

  const Model& model_;
  const Weights& weights_;
  Communicator& communicator_;
  Rounding rounding_;
  Workers workers_;
  std::int64_t past_ = 0;
  Tape<Real>* tape_ = nullptr;
  std::map<std::string, Tensor<Real>> parameters_, packed_;
  States states_;
  std::vector<ExchangePointer> exchanges_;  // tokens that are away
  ExchangePointer returned_;                // the last ones that came back
  std::vector<ExecutedEvent> events_;
};

// The first operation of a recording that cannot be executed, as an error.
Result<void> check_executable(const Recorded& pass);

}  // namespace tpsim::exec
