#include "sim/measured/operator_time.h"

#include <algorithm>

#include "sim/calibration.h"
#include "sim/kernels/attention_fit.h"
#include "sim/kernels/elementwise_fit.h"
#include "sim/kernels/gemm_fit.h"
#include "sim/kernels/moe_fit.h"
#include "sim/kernels/published.h"
#include "sim/measured/e2e_model.h"
#include "sim/network/collectives_fit.h"

namespace tpsim {
namespace {

struct Form {
  RowFamily family;
  std::vector<std::string_view> columns;  // all of them, with others
};

const std::vector<Form>& forms() {
  static const std::vector<Form> all = {
      {RowFamily::e2e, {"framework", "metric"}},
      {RowFamily::e2e, {"model_params", "metric"}},
      {RowFamily::alltoall, {"tokens_per_rank", "ranks", "time_us"}},
      {RowFamily::moe, {"tokens", "hidden", "inter", "experts", "time_us"}},
      {RowFamily::mla, {"heads_local", "kv_len", "time_us"}},
      {RowFamily::attention_decode, {"n_q", "n_kv", "kv_len", "head_dim", "time_us"}},
      {RowFamily::collective, {"op", "bytes", "ranks", "time_us"}},
      {RowFamily::elementwise, {"op", "tokens", "width", "time_us"}},
      {RowFamily::gemm, {"m", "n", "k", "time_us"}},
  };
  return all;
}

}  // namespace

const char* to_string(RowFamily family) {
  switch (family) {
    case RowFamily::gemm: return "gemm";
    case RowFamily::attention_prefill: return "attention_prefill";
    case RowFamily::attention_decode: return "attention_decode";
    case RowFamily::mla: return "mla";
    case RowFamily::moe: return "moe";
    case RowFamily::elementwise: return "elementwise";
    case RowFamily::collective: return "collective";
    case RowFamily::alltoall: return "moe_alltoall";
    case RowFamily::e2e: return "e2e";
  }
  return "";
}

std::optional<RowFamily> table_family(const MeasuredTable& table) {
  for (const Form& form : forms())
    if (std::all_of(form.columns.begin(), form.columns.end(), [&](auto column) { return table.has(column); }))
      return form.family;
  return std::nullopt;
}

Result<const Hardware*> OperatorTimes::hardware_of(const std::string& gpu) {
  if (profile_) return static_cast<const Hardware*>(&*profile_);
  if (const auto it = hardware_.find(gpu); it != hardware_.end()) return static_cast<const Hardware*>(&it->second);
  const auto name = hardware_name_of(gpu);
  if (!name) return name.error();
  auto hardware = load_hardware(*name);
  if (!hardware) return hardware.error();
  // Published tables tell apart what one data sheet covers ("A100-80GB" and "A100-SXM").
  const auto sets = calibration_names();
  const std::string own = calibration_name(gpu);
  if (std::find(sets.begin(), sets.end(), own) != sets.end()) hardware->calibration = own;
  if (auto usable = check_calibration(*hardware); !usable) return usable.error();
  return static_cast<const Hardware*>(&hardware_.emplace(gpu, std::move(*hardware)).first->second);
}

namespace {

// A table of one row, for readers of whole tables.
MeasuredTable one_row(const MeasuredTable& table, const MeasuredRow& row) { return {table.file, table.columns, {row}}; }

struct ProductType {
  DType dtype = DType::bf16;
  bool block_scaled = false;
};
Result<ProductType> product_type(const std::string& kernel) {
  if (kernel == "fp8_block") return ProductType{DType::fp8, true};
  if (const auto dtype = parse_dtype(kernel)) return ProductType{*dtype, false};
  return input_error("products of type \"" + kernel + "\" are not known");
}

Result<OperatorEstimate> gemm_row(const MeasuredTable& table, const MeasuredRow& row, const Hardware& hardware) {
  const auto rows = read_gemm_rows(one_row(table, row));
  if (!rows) return rows.error();
  const GemmRow& r = rows->front();
  const auto type = product_type(r.kernel);
  if (!type) return type.error();
  const auto calibration = calibration_of(hardware);
  const bool fitted = calibration && calibration->gemm;
  const GemmModel model = gemm_model(fitted ? &*calibration->gemm : nullptr, hardware, type->dtype, type->block_scaled);
  return OperatorEstimate{r.kernel, gemm_time(r.shape, model)};
}

Result<OperatorEstimate> elementwise_row(const MeasuredTable& table, const MeasuredRow& row, const Hardware& hardware) {
  const auto rows = read_elementwise_rows(one_row(table, row));
  if (!rows) return rows.error();
  const ElementwiseRow& r = rows->front();
  const auto calibration = calibration_of(hardware);
  const bool fitted = calibration && calibration->elementwise;
  const ElementwiseModel model = elementwise_model(fitted ? &*calibration->elementwise : nullptr, hardware, r.op);
  return OperatorEstimate{to_string(r.op), elementwise_time(r.shape, model)};
}

Result<OperatorEstimate> collective_row(const MeasuredTable& table, const MeasuredRow& row, const Hardware& hardware) {
  const auto r = CollectiveReader(table).read(row);
  if (!r) return r.error();
  const auto calibration = calibration_of(hardware);
  const bool fitted = calibration && calibration->collectives;
  const CollectiveNetwork network = network_of(hardware, fitted ? &*calibration->collectives : nullptr, r->topo);
  const std::string key =
      std::string(to_string(r->shape.op)) + " " + implementation_name(r->shape.stack, r->shape.eager);
  return OperatorEstimate{key, collective_time(r->shape, network).time};
}

Result<OperatorEstimate> attention_row(const MeasuredTable& table, const MeasuredRow& row, const Hardware& hardware,
                                       bool latent) {
  const auto rows = latent ? read_mla_rows(one_row(table, row)) : read_attention_rows(one_row(table, row));
  if (!rows) return rows.error();
  const AttentionRow& r = rows->front();
  const auto calibration = calibration_of(hardware);
  const auto* const set = !calibration                        ? nullptr
                          : latent && calibration->mla        ? &*calibration->mla
                          : !latent && calibration->attention ? &*calibration->attention
                                                              : nullptr;
  AttentionChoice choice;
  choice.kind = r.kind;
  choice.cache = parse_dtype(r.cache).value_or(DType::bf16);
  choice.key_dim = r.shape.key_dim;
  choice.windowed = r.shape.window > 0;
  choice.kernel = r.kernel;
  return OperatorEstimate{r.kernel + " " + r.cache, attention_time(r.shape, attention_model(set, hardware, choice))};
}

Result<OperatorEstimate> moe_row(const MeasuredTable& table, const MeasuredRow& row, const Hardware& hardware) {
  const auto rows = read_moe_rows(one_row(table, row));
  if (!rows) return rows.error();
  const MoeRow& r = rows->front();
  const auto type = product_type(r.dtype);
  if (!type) return type.error();
  const auto calibration = calibration_of(hardware);
  const bool fitted = calibration && calibration->moe;
  const MoeChoice choice{type->dtype, type->block_scaled, r.shape.routing == Routing::power_law, r.kernel};
  const MoeModel model = moe_model(fitted ? &*calibration->moe : nullptr, hardware, choice);
  return OperatorEstimate{r.dtype + (choice.skewed ? " skewed" : ""), moe_time(r.shape, model)};
}

Result<OperatorEstimate> exchange_row(const MeasuredTable& table, const MeasuredRow& row, const Hardware& hardware) {
  const auto rows = read_exchanges(one_row(table, row));
  if (!rows) return rows.error();
  const MeasuredExchange& r = rows->front();
  const auto calibration = calibration_of(hardware);
  if (!calibration || !calibration->collectives || calibration->collectives->exchange.models.empty())
    return input_error("the exchange of tokens between experts was not measured on " + hardware.name);
  return OperatorEstimate{to_string(r.shape.phase), exchange_time(r.shape, calibration->collectives->exchange)};
}

}  // namespace

Result<OperatorEstimate> OperatorTimes::predict(const MeasuredTable& table, RowFamily family, const MeasuredRow& row) {
  const auto hardware = hardware_of(std::string(MeasuredColumn(table, "gpu").text(row)));
  if (!hardware) return hardware.error();
  switch (family) {
    case RowFamily::gemm: return gemm_row(table, row, **hardware);
    case RowFamily::elementwise: return elementwise_row(table, row, **hardware);
    case RowFamily::collective: return collective_row(table, row, **hardware);
    case RowFamily::alltoall: return exchange_row(table, row, **hardware);
    case RowFamily::attention_prefill:
    case RowFamily::attention_decode: return attention_row(table, row, **hardware, false);
    case RowFamily::mla: return attention_row(table, row, **hardware, true);
    case RowFamily::moe: return moe_row(table, row, **hardware);
    case RowFamily::e2e: break;
  }
  return input_error(std::string("rows of ") + to_string(family) + " are not predicted yet");
}

}  // namespace tpsim
