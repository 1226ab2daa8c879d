// Time of one kernel: from the hardware's calibration where it has the family, else from the data sheet.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "sim/calibration.h"
#include "sim/estimate.h"
#include "sim/hardware.h"
#include "sim/kernel.h"

namespace tpsim {

// The models of one hardware, chosen once. Where the calibration was fitted on another device (the same GPU with other
// memory, a slower card), its constants are transferred.
class KernelTimes {
public:
  explicit KernelTimes(const Hardware& hardware);

  Estimate time(const KernelCall& call);
  const CollectiveNetwork& network() const { return network_; }
  const Calibration* calibration() const { return calibration_.get(); }

private:
  Estimate gemm(const KernelCall& call);
  Estimate small(const KernelCall& call);
  Estimate attention(const KernelCall& call);
  const GemmModel& gemm_model_for(DType products, bool block_scaled);
  const ElementwiseModel& elementwise_model_for(ElementwiseOp op);
  const AttentionModel& attention_model_for(const AttentionChoice& choice);

  Hardware hardware_;
  std::shared_ptr<const Calibration> calibration_;
  CollectiveNetwork network_;
  std::map<std::pair<DType, bool>, GemmModel> gemm_;
  std::map<ElementwiseOp, ElementwiseModel> elementwise_;
  // By kind, cache type, key width, window.
  std::map<std::tuple<AttentionKind, DType, std::int64_t, bool>, AttentionModel> attention_;
};

}  // namespace tpsim
