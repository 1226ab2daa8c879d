// Time of one kernel: from the hardware's calibration where it has the family, else from the data sheet.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "sim/calibration.h"
#include "sim/estimate.h"
#include "sim/hardware.h"
#include "sim/kernel.h"

namespace tpsim {

GemmShape gemm_shape(const KernelCall& call);
AttentionShape attention_shape(const KernelCall& call);
MoeShape moe_shape(const KernelCall& call);

// The models of one hardware, chosen once. Where the calibration was fitted on another device (the same GPU with other
// memory, a slower card), its constants are transferred.
class KernelTimes {
public:
  explicit KernelTimes(const Hardware& hardware);

  Estimate time(const KernelCall& call);
  // The formula with the values put in: "gemm 8 x 10240 x 8192 bf16: start 2.4, compute 1.2, memory 50.1 -> 52.4 us,
  // x 1.03 as measured = 54.0 us (memory, measured, +-6%)".
  std::string explain(const KernelCall& call);
  const CollectiveNetwork& network() const { return network_; }
  const Calibration* calibration() const { return calibration_.get(); }

private:
  std::string parts_text(const KernelCall& call);
  Estimate gemm(const KernelCall& call);
  Estimate small(const KernelCall& call);
  Estimate attention(const KernelCall& call);
  Estimate experts(const KernelCall& call);
  const GemmModel& gemm_model_for(const KernelCall& call);
  const ElementwiseModel& elementwise_model_for(ElementwiseOp op);
  const MoeModel& moe_model_for(DType products, bool block_scaled);
  DType expert_products(const KernelCall& call) const;
  MoeShape experts_shape(const KernelCall& call) const;
  const AttentionModel& attention_model_for(const AttentionChoice& choice);
  const AttentionModel& attention_model_for(const KernelCall& call);

  Hardware hardware_;
  std::shared_ptr<const Calibration> calibration_;
  CollectiveNetwork network_;
  std::map<std::tuple<DType, bool, bool>, GemmModel> gemm_;  // by type, scales per block, static scales
  std::map<ElementwiseOp, ElementwiseModel> elementwise_;
  std::map<std::pair<DType, bool>, MoeModel> experts_;
  // By kind, cache type, key width, window.
  std::map<std::tuple<AttentionKind, DType, std::int64_t, bool>, AttentionModel> attention_;
};

}  // namespace tpsim
