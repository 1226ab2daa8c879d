// The ranks that run a model symbolically, and what they have done so far in the current trace.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/analysis.h"
#include "core/partition.h"
#include "core/tensor_state.h"

namespace tpsim {

// A tensor that took part where a cause was noted.
struct Operand {
  std::vector<std::string> modules;      // full paths of the modules with weights that it comes from, nearest first
  std::vector<std::string> collectives;  // modules whose collectives lie in between
  bool from_outside = false;             // of the layer: the residual stream
  Content content = Content::replicated;
  int dim = 0;
  double scale = 1;
  Shape ideal, local;  // local: rank 0's
};

// Why a tensor stopped being what the unsharded model has, or why the run stopped.
struct Cause {
  std::string code;     // diagnostic code
  std::string module;   // full path of the module whose call it happened in
  int rule = -1;        // rule in effect on that module, or on its parameter; -1 = none
  std::string message;  // one line with the values
  std::string library;  // what Transformers or torch say or do there
  std::vector<std::string> details;
  std::vector<Operand> operands;
  std::int64_t operations = 0;  // that the run had done before
};

class Recorder;

class Machine {
public:
  Machine(int ranks, const Dialect& dialect, const Workload& workload)
      : ranks_(ranks), dialect_(dialect), workload_(workload) {}

  int ranks() const { return ranks_; }
  const Dialect& dialect() const { return dialect_; }
  const Workload& workload() const { return workload_; }
  PartitionTable partitions;

  // The first fault ends the run: everything after it is void, and callers return as soon as they see it.
  bool failed() const { return failed_; }
  const Cause& fault() const { return fault_; }
  void fail(std::string code, std::string message, std::string library = {});

  // A tensor of these shapes that is not what the unsharded model has.
  Layout wrong(std::string code, std::string message);
  const std::vector<Cause>& causes() const { return causes_; }
  // Says where a cause lies that was noted before the run was anywhere.
  void place_cause(int index, const std::string& path, int rule_index);
  // Operations and causes so far, and what took part in the causes that came after the first `known`.
  std::int64_t operations() const { return operations_; }
  void explain_causes(std::size_t known, const std::vector<Operand>& operands);

  // Where the run is: for causes, operations and events.
  std::string module;  // path below the step's prefix
  std::string prefix;  // of the step
  int rule = -1;
  std::string full_module() const;

  std::vector<std::string> outside;  // modules with weights that feed the first layer

  int group = 0;  // ranks of the collectives; 0 = all
  bool data_dependent = false;
  bool gradients = true;  // false: under torch.no_grad

  std::unordered_map<const ModuleType*, std::size_t> rotary_calls;  // so far, by module type

  Recorder* recorder = nullptr;  // null: nothing is written down for execution

  Trace* trace = nullptr;
  void record(Operation operation);
  // `input`: the tensor each rank puts in; `payload`: elements of the full tensor; group: ranks.
  enum class When { inference, training, both, backward };
  void communicate(CollectiveOp op, const TensorState& input, std::int64_t payload_elements, When when,
                   bool depends_on_data = false);
  void communicate(CollectiveOp op, const Shape& input, std::int64_t payload_elements, DType dtype, When when,
                   bool depends_on_data = false);

  // Activation memory by liveness: allocations on the heaviest rank.
  int allocate(const TensorState& state);
  void retain(int storage);
  void release(int storage);  // the last release frees
  void let_go(int storage);   // one user less, the memory stays
  void start_trace(Trace* into);
  std::int64_t live_bytes() const { return live_; }

private:
  struct Allocation {
    std::int64_t bytes = 0;
    int users = 0;
  };
  int ranks_;
  Dialect dialect_;
  Workload workload_;
  bool failed_ = false;
  std::int64_t operations_ = 0;
  Cause fault_;
  std::vector<Cause> causes_;
  std::vector<Allocation> allocations_;
  std::int64_t live_ = 0;
};

DType element_type(const TensorState& state, const Workload& workload);
std::int64_t bytes_on(const TensorState& state, int rank, const Workload& workload);
std::int64_t heaviest_bytes(const TensorState& state, const Machine& machine);

}  // namespace tpsim
