#include "sim/measured/stack_fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "sim/fit/errors.h"
#include "sim/fit/holdout.h"
#include "sim/fit/least_squares.h"

namespace tpsim {
namespace {

// What a fit may change: where it starts from if the stack says nothing, its range, and how far rows may pull it.
struct StackNumber {
  double Stack::*member;
  double start, low, high, sigma;
};
constexpr StackNumber kNumbers[] = {
    {&Stack::step_us, 300, 1, 2e4, 1.5},         {&Stack::sequence_us, 2, 0.01, 200, 1.5},
    {&Stack::rank_us, 20, 0.1, 2e3, 1.0},        {&Stack::prefill_us, 300, 1, 5e4, 1.5},
    {&Stack::gemm_factor, 1, 0.7, 1.5, 0.05},    {&Stack::wide_gemm_factor, 1, 0.7, 2, 0.2},
    {&Stack::attention_factor, 1, 0.4, 3, 0.3},  {&Stack::prompt_attention_factor, 1, 0.4, 3, 0.2},
    {&Stack::experts_factor, 1, 0.4, 3, 0.25},   {&Stack::small_factor, 1, 0.3, 5, 0.25},
    {&Stack::collective_factor, 1, 0.5, 4, 0.2},
};
constexpr std::size_t kMostIterations = 60;
// An entry's own rows may pull it this much less from its stack's numbers than those from the start.
constexpr double kEntryPull = 0.5;
// An entry with this many rows stands on its own: other versions of its stack say less than they do.
constexpr std::size_t kOwnRows = 20;
// Entries of hardware without a calibration stand for its kernels, too.
constexpr double kUncalibratedReach = 6;
// Of one row, in ln: what even a right model misses. Rows of one sweep err alike, so many count as this many.
constexpr double kNoise = 0.05, kIndependentRows = 40;

// Of the share of a step that prompts of others take: how they meet it is up to their queue.
constexpr double kPromptNoise = 0.2;

double noise_of(const StackRow& row) {
  const auto& p = row.parts;
  const double own = std::accumulate(p.us.begin(), p.us.end(), 0.0);
  const double others = std::accumulate(p.prompt_us.begin(), p.prompt_us.end(), 0.0);
  return std::hypot(kNoise, own + others > 0 ? kPromptNoise * others / (own + others) : 0);
}

using RowList = std::vector<const StackRow*>;

Stack with_numbers(Stack stack, std::span<const double> values) {
  for (std::size_t i = 0; i < std::size(kNumbers); ++i) stack.*kNumbers[i].member = values[i];
  return stack;
}

// Numbers that fit the rows, near those of `prior`.
Stack fit_one(const RowList& rows, const Stack& prior, double pull, double reach = 1) {
  std::vector<FitParameter> parameters;
  for (const StackNumber& n : kNumbers) {
    const double known = prior.*n.member;
    parameters.push_back(
        {std::clamp(known > 0 ? known : n.start, n.low, n.high), n.low, n.high * reach, n.sigma * pull * reach});
  }
  const Residuals residuals = [&](std::span<const double> values, std::span<double> out) {
    const Stack stack = with_numbers(prior, values);
    const double weight = std::sqrt(std::min(1.0, kIndependentRows / static_cast<double>(rows.size())));
    for (std::size_t i = 0; i < rows.size(); ++i)
      out[i] = std::log(stack_time(rows[i]->parts, stack) / rows[i]->us) * weight / noise_of(*rows[i]);
  };
  FitOptions options;
  options.iterations = static_cast<int>(kMostIterations);
  options.soft_l1 = 2;
  return with_numbers(prior, least_squares(parameters, rows.size(), residuals, options).values);
}

bool at(const StackRow& row, std::size_t file, std::size_t entry) {
  return row.place.file == file && row.place.entry == entry;
}

// Fits on the rows that `keep` says.
template <class Keep>
std::vector<StackFile> fit_kept(const std::vector<StackRow>& rows, std::vector<StackFile> files, const Keep& keep) {
  for (std::size_t f = 0; f < files.size(); ++f) {
    RowList all;
    for (const StackRow& row : rows)
      if (row.place.file == f && keep(row) && files[f].entries[row.place.entry].hardware.empty()) all.push_back(&row);
    Stack neutral;
    neutral.name = files[f].name;
    const Stack common = all.empty() ? neutral : fit_one(all, neutral, 1);
    for (std::size_t e = 0; e < files[f].entries.size(); ++e) {
      RowList own;
      for (const StackRow& row : rows)
        if (at(row, f, e) && keep(row)) own.push_back(&row);
      const bool measured = std::any_of(rows.begin(), rows.end(), [&](const StackRow& row) { return at(row, f, e); });
      if (!measured) continue;
      StackEntry& entry = files[f].entries[e];
      Stack start = own.size() >= kOwnRows ? neutral : common;
      start.all_reduce = entry.stack.all_reduce;
      start.launch_us = entry.stack.launch_us;
      start.static_scales = entry.stack.static_scales;
      start.prompt_share = entry.stack.prompt_share;
      start.origin = entry.stack.origin;
      const bool far = !entry.hardware.empty();
      const double pull = far || own.size() >= kOwnRows ? 1 : kEntryPull;
      entry.stack = own.empty() ? start : fit_one(own, start, pull, far ? kUncalibratedReach : 1);
    }
  }
  return files;
}

std::string origin_of(const std::vector<StackRow>& rows, std::size_t file, std::size_t entry) {
  std::vector<std::string> sources;
  std::size_t n = 0;
  for (const StackRow& row : rows) {
    if (row.place.file != file || (row.place.entry != entry)) continue;
    ++n;
    if (std::find(sources.begin(), sources.end(), row.row.source) == sources.end()) sources.push_back(row.row.source);
  }
  std::string list;
  for (const auto& source : sources) list += (list.empty() ? "" : ", ") + source;
  return "least squares on " + std::to_string(n) + " published end-to-end rows (" + list + ")";
}

using Places = std::vector<std::size_t>;

template <class Wanted>
Places places_of(const std::vector<StackRow>& rows, const Wanted& wanted) {
  Places places;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (wanted(rows[i])) places.push_back(i);
  return places;
}

// Rows whose errors say what to expect of an entry: its own if they are enough, else those of its stack, else all. Rows
// of one group say nothing: held out, nothing of the stack is left.
Places judges_of(const std::vector<StackRow>& rows, const Places& own) {
  constexpr std::size_t enough = 20;
  const auto file = rows[own.front()].place.file;
  const Places of_stack = places_of(rows, [&](const StackRow& row) { return row.place.file == file; });
  const auto several_groups = [&](const Places& places) {
    return std::any_of(places.begin(), places.end(),
                       [&](std::size_t i) { return rows[i].group != rows[places.front()].group; });
  };
  if (own.size() >= enough && several_groups(own)) return own;
  if (several_groups(of_stack)) return of_stack;
  return places_of(rows, [](const StackRow&) { return true; });
}

// What holds 90 % of the rows at `places`.
void set_band(const std::vector<StackRow>& rows, const std::vector<double>& errors, const Places& places,
              Stack& stack) {
  std::vector<double> kernels, wanted;
  for (const std::size_t i : places) kernels.push_back(rows[i].band);
  stack.kernel_band = quantile(kernels, 0.5);
  stack.band = 0;
  for (const std::size_t i : places)
    wanted.push_back(std::sqrt(std::max(0.0, errors[i] * errors[i] - std::pow(pass_band(rows[i].band, stack), 2))));
  stack.band = quantile(wanted, 0.9);
}

// Errors of uncalibrated hardware must not pass for the stack's.
bool is_calibrated(const E2eRow& row) {
  const auto name = hardware_name_of(row.gpu);
  const auto hardware = name ? load_hardware(*name) : Result<Hardware>(name.error());
  return hardware && !hardware->calibration.empty();
}

double measured_us(const E2eRow& row, const E2eParts& parts) {
  if (!row.value || !(*row.value > 0)) return 0;
  return parts.count > 0 ? parts.count / *row.value * 1e6 : *row.value * 1e3;
}

}  // namespace

double stack_time(const E2eParts& p, const Stack& s) {
  const double factors[kTimeParts] = {
      s.gemm_factor,    s.wide_gemm_factor, s.attention_factor, s.prompt_attention_factor,
      s.experts_factor, s.small_factor,     s.collective_factor};
  const bool mixed = p.prompt_us != std::array<double, kTimeParts>{};
  double us = s.step_us * p.passes + s.sequence_us * p.sequences + s.rank_us * p.doublings +
              s.prefill_us * p.prompt_passes * (mixed ? s.prompt_share : 1);
  for (std::size_t i = 0; i < kTimeParts; ++i) us += factors[i] * (p.us[i] + s.prompt_share * p.prompt_us[i]);
  return us;
}

std::vector<StackRow> stack_rows(const std::vector<E2eRow>& rows, const std::vector<StackFile>& files) {
  E2eTimes times;
  std::vector<StackRow> result;
  for (const E2eRow& row : rows) {
    const auto hardware = hardware_name_of(row.gpu);
    const auto place = hardware ? find_entry(files, row.framework, *hardware) : std::nullopt;
    if (!place || row.grade == "C" || !row.group.starts_with("inference")) continue;
    if (!is_calibrated(row) && files[place->file].entries[place->entry].hardware.empty()) continue;
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

HeldOut held_out(const std::vector<StackRow>& rows, const std::vector<StackFile>& files, const GroupOf& group_of) {
  std::vector<std::string> groups;
  for (const StackRow& row : rows) groups.push_back(group_of(row));
  constexpr int folds = 8;
  HeldOut result;
  result.fold = group_folds(groups, folds);
  for (int out = 0; out < folds; ++out) {
    const auto fitted = fit_kept(rows, files, [&](const StackRow& row) {
      return result.fold[static_cast<std::size_t>(&row - rows.data())] != out;
    });
    std::vector<double>& us = result.us.emplace_back();
    for (const StackRow& row : rows)
      us.push_back(stack_time(row.parts, fitted[row.place.file].entries[row.place.entry].stack));
  }
  return result;
}

std::vector<double> held_out_errors(const std::vector<StackRow>& rows, const std::vector<StackFile>& files) {
  const HeldOut held = held_out(rows, files, [](const StackRow& row) { return row.group; });
  std::vector<double> errors;
  for (std::size_t i = 0; i < rows.size(); ++i) errors.push_back(std::log(rows[i].us / held.own(i)));
  return errors;
}

std::vector<StackFile> fit_stacks(const std::vector<StackRow>& rows, const std::vector<StackFile>& files) {
  auto fitted = fit_kept(rows, files, [](const StackRow&) { return true; });
  const auto errors = held_out_errors(rows, files);
  for (std::size_t f = 0; f < fitted.size(); ++f) {
    for (std::size_t e = 0; e < fitted[f].entries.size(); ++e) {
      const auto own = places_of(rows, [&](const StackRow& row) { return at(row, f, e); });
      if (own.empty()) continue;
      set_band(rows, errors, judges_of(rows, own), fitted[f].entries[e].stack);
      fitted[f].entries[e].stack.origin = origin_of(rows, f, e);
    }
  }
  return fitted;
}

}  // namespace tpsim
