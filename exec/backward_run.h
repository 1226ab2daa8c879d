// One rank on its way back through a recorded pass: every operation in reverse, with the collectives that the plan's
// strategies put into the backward pass.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "exec/rank_run.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// By the parameter's name, ties resolved. Absent: no gradient reaches it.
template <class Real>
using ParameterGradients = std::map<std::string, Tensor<Real>>;

// `of_output`: the loss' gradient of what the pass returned. Collectives are noted among the rank's events.
// Errors: those of the communicator.
template <class Real>
Result<ParameterGradients<Real>> run_backward(RankRun<Real>& rank, const Model& model, const Recorded& pass,
                                              const Tape<Real>& tape, const Tensor<Real>& of_output);

// The first operation whose backward is unknown, as an error.
Result<void> check_trainable(const Recorded& pass);

}  // namespace tpsim::exec
