#include <algorithm>
#include <cmath>

#include "sim/measured/stack_fit.h"
#include "sim/training/training_time.h"

namespace tpsim {
namespace {

// Errors of uncalibrated hardware must not pass for the stack's.
bool is_calibrated(const E2eRow& row) {
  const auto name = hardware_name_of(row.gpu);
  const auto hardware = name ? load_hardware(*name) : Result<Hardware>(name.error());
  return hardware && !hardware->calibration.empty();
}

// Of rows that a fit may use.
std::optional<StackPlace> place_of(const E2eRow& row, const std::vector<StackFile>& files) {
  const auto hardware = hardware_name_of(row.gpu);
  const auto place = hardware ? find_entry(files, row.framework, *hardware) : std::nullopt;
  if (!place || row.grade == "C") return std::nullopt;
  const bool usable = is_calibrated(row) || !files[place->file].entries[place->entry].hardware.empty();
  return usable ? place : std::nullopt;
}

std::string training_group(const E2eRow& row) {
  std::string group = row.model + "|" + row.gpu;
  for (const int n : {row.tp, row.pp, row.dp, row.gpus}) group += "|" + std::to_string(n);
  return group;
}

// A stack that scales one part, or launches only.
Stack probe(std::size_t part) {
  Stack s;
  double* const factors[kTimeParts] = {
      &s.gemm_factor,    &s.wide_gemm_factor,    &s.attention_factor, &s.prompt_attention_factor,
      &s.experts_factor, &s.wide_experts_factor, &s.small_factor,     &s.collective_factor};
  if (part < kTimeParts) *factors[part] = 2;
  return s;
}
constexpr double kProbedLaunch = 1e6;  // us, longer than any kernel; of a pass, too

struct Probed {
  double us = 0, band = 0;  // 0 = no prediction
};

std::vector<Probed> times_with(const std::vector<StackRow>& rows, const std::vector<StackFile>& files, Stack stack) {
  E2eTimes times;
  for (const StackRow& row : rows) {
    stack.all_reduce = files[row.place.file].entries[row.place.entry].stack.all_reduce;
    times.use_stack(row.row.framework, stack);
  }
  std::vector<Probed> probed;
  for (const StackRow& row : rows) {
    const auto estimate = times.predict(row.row);
    probed.push_back(estimate ? Probed{time_us(row.row, estimate->value), estimate->band} : Probed{});
  }
  return probed;
}

// Steps of training: a step's time is linear in the factors of its parts, so each is found by doubling it.
std::vector<StackRow> training_stack_rows(const std::vector<E2eRow>& rows, const std::vector<StackFile>& files) {
  std::vector<StackRow> result;
  for (const E2eRow& row : rows) {
    const auto place = is_training_step(row) && row.value && *row.value > 0 ? place_of(row, files) : std::nullopt;
    if (place) result.push_back({row, {}, time_us(row, *row.value), 0, *place, training_group(row)});
  }
  const auto base = times_with(result, files, Stack{});
  for (std::size_t part = 0; part < kTimeParts; ++part) {
    const auto doubled = times_with(result, files, probe(part));
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i].parts.us[part] = std::max(0.0, doubled[i].us - base[i].us);
  }
  Stack launching, waiting;
  launching.launch_us = kProbedLaunch;
  waiting.step_us = kProbedLaunch;
  const auto launched = times_with(result, files, launching), waited = times_with(result, files, waiting);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i].parts.launches = std::max(0.0, launched[i].us - base[i].us) / kProbedLaunch;
    result[i].parts.passes = std::max(0.0, waited[i].us - base[i].us) / kProbedLaunch;
    result[i].band = base[i].band;
  }
  std::erase_if(result, [](const StackRow& row) { return !(row.parts.launches > 0); });
  return result;
}

double measured_us(const E2eRow& row, const E2eParts& parts) {
  if (!row.value || !(*row.value > 0)) return 0;
  return parts.count > 0 ? parts.count / *row.value * 1e6 : *row.value * 1e3;
}

}  // namespace

double time_us(const E2eRow& row, double value) { return is_rate(row) ? 1e6 / value : value * 1e3; }

double stack_time(const E2eParts& p, const Stack& s) {
  const double factors[kTimeParts] = {
      s.gemm_factor,    s.wide_gemm_factor,    s.attention_factor, s.prompt_attention_factor,
      s.experts_factor, s.wide_experts_factor, s.small_factor,     s.collective_factor};
  const bool mixed = p.prompt_us != std::array<double, kTimeParts>{};
  const double host = s.step_us * p.passes + s.sequence_us * p.sequences + s.rank_us * p.doublings +
                      s.prefill_us * p.prompt_passes * (mixed ? s.prompt_share : 1);
  double us = 0;
  for (std::size_t i = 0; i < kTimeParts; ++i) us += factors[i] * (p.us[i] + s.prompt_share * p.prompt_us[i]);
  return host + launched_us(us, s.launch_us * p.launches);
}

std::vector<StackRow> stack_rows(const std::vector<E2eRow>& rows, const std::vector<StackFile>& files) {
  std::vector<StackRow> result = training_stack_rows(rows, files);
  E2eTimes times;
  for (const E2eRow& row : rows) {
    const auto place = row.group.starts_with("inference") ? place_of(row, files) : std::nullopt;
    if (!place) continue;
    Stack neutral;
    const Stack& own = files[place->file].entries[place->entry].stack;
    neutral.all_reduce = own.all_reduce;
    neutral.static_scales = own.static_scales;
    times.use_stack(row.framework, neutral);
    const auto estimate = times.predict(row);
    if (!estimate) continue;
    const double us = measured_us(row, estimate->parts);
    if (us > 0)
      result.push_back(
          {row, estimate->parts, us, estimate->band, *place, row.model + "|" + row.gpu + "|" + std::to_string(row.tp)});
  }
  return result;
}

}  // namespace tpsim
