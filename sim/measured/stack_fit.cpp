#include "sim/measured/stack_fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
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
    {&Stack::step_us, 300, 1, 2e4, 1.5},        {&Stack::sequence_us, 2, 0.01, 200, 0.7},
    {&Stack::rank_us, 20, 0.1, 2e3, 0.5},       {&Stack::prefill_us, 300, 1, 5e4, 1.5},
    {&Stack::gemm_factor, 1, 0.7, 1.5, 0.05},   {&Stack::wide_gemm_factor, 1, 0.7, 2, 0.2},
    {&Stack::attention_factor, 1, 0.4, 3, 0.3}, {&Stack::prompt_attention_factor, 1, 0.4, 3, 0.2},
    {&Stack::experts_factor, 1, 0.4, 3, 0.25},  {&Stack::wide_experts_factor, 1, 0.3, 4, 0.3},
    {&Stack::small_factor, 1, 0.3, 5, 0.25},    {&Stack::collective_factor, 1, 0.5, 4, 0.2},
};
// Training: kernels of other libraries, launched one by one.
constexpr StackNumber kTrainingNumbers[] = {
    {&Stack::launch_us, 6, 0.5, 200, 1.5},
    {&Stack::step_us, 300, 1, 2e4, 1.5},
    {&Stack::gemm_factor, 1, 0.7, 3, 0.15},
    {&Stack::wide_gemm_factor, 1, 0.7, 3, 0.3},
    {&Stack::prompt_attention_factor, 1, 0.4, 3, 0.3},
    {&Stack::experts_factor, 1, 0.4, 3, 0.25},
    {&Stack::small_factor, 1, 0.3, 5, 0.3},
    {&Stack::collective_factor, 1, 0.3, 4, 0.3},
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

bool trains(const StackRow& row) { return row.parts.launches > 0; }

Stack with_numbers(Stack stack, std::span<const StackNumber> numbers, std::span<const double> values) {
  for (std::size_t i = 0; i < numbers.size(); ++i) stack.*numbers[i].member = values[i];
  return stack;
}

// Numbers that fit the rows, near those of `prior`.
Stack fit_one(const RowList& rows, const Stack& prior, double pull, double reach = 1) {
  const std::span<const StackNumber> numbers =
      trains(*rows.front()) ? std::span<const StackNumber>(kTrainingNumbers) : std::span<const StackNumber>(kNumbers);
  std::vector<FitParameter> parameters;
  for (const StackNumber& n : numbers) {
    const double known = prior.*n.member;
    parameters.push_back(
        {std::clamp(known > 0 ? known : n.start, n.low, n.high), n.low, n.high * reach, n.sigma * pull * reach});
  }
  const Residuals residuals = [&](std::span<const double> values, std::span<double> out) {
    const Stack stack = with_numbers(prior, numbers, values);
    const double weight = std::sqrt(std::min(1.0, kIndependentRows / static_cast<double>(rows.size())));
    for (std::size_t i = 0; i < rows.size(); ++i)
      out[i] = std::log(stack_time(rows[i]->parts, stack) / rows[i]->us) * weight / noise_of(*rows[i]);
  };
  FitOptions options;
  options.iterations = static_cast<int>(kMostIterations);
  options.soft_l1 = 2;
  return with_numbers(prior, numbers, least_squares(parameters, rows.size(), residuals, options).values);
}

bool at(const StackRow& row, std::size_t file, std::size_t entry) {
  return row.place.file == file && row.place.entry == entry;
}

// Rows of a file whose entries hold on any hardware, and that train or do not as `like` does.
template <class Keep>
RowList rows_alike(const std::vector<StackRow>& rows, const std::vector<StackFile>& files, const StackRow& like,
                   const Keep& keep) {
  RowList list;
  for (const StackRow& row : rows) {
    const bool alike = row.place.file == like.place.file && trains(row) == trains(like);
    if (alike && keep(row) && files[row.place.file].entries[row.place.entry].hardware.empty()) list.push_back(&row);
  }
  return list;
}

// What a fit of an entry starts from: what no row says stays.
Stack start_of(const StackEntry& entry, bool training, Stack numbers) {
  numbers.name = entry.stack.name;
  numbers.all_reduce = entry.stack.all_reduce;
  if (!training) numbers.launch_us = entry.stack.launch_us;
  numbers.static_scales = entry.stack.static_scales;
  numbers.graphs_in_prefill = entry.stack.graphs_in_prefill;
  numbers.prompt_share = entry.stack.prompt_share;
  numbers.origin = entry.stack.origin;
  return numbers;
}

template <class Keep>
Stack fit_entry(const std::vector<StackRow>& rows, const std::vector<StackFile>& files, const StackRow& first,
                const Keep& keep) {
  const StackEntry& entry = files[first.place.file].entries[first.place.entry];
  RowList own;
  for (const StackRow& row : rows)
    if (at(row, first.place.file, first.place.entry) && keep(row)) own.push_back(&row);
  const bool alone = own.size() >= kOwnRows;
  const RowList all = alone ? RowList() : rows_alike(rows, files, first, keep);
  const Stack start = start_of(entry, trains(first), all.empty() ? Stack{} : fit_one(all, Stack{}, 1));
  const bool far = !entry.hardware.empty();
  if (own.empty()) return start;
  return fit_one(own, start, far || alone ? 1 : kEntryPull, far ? kUncalibratedReach : 1);
}

// Fits on the rows that `keep` says, of entries that have any.
template <class Keep>
std::vector<StackFile> fit_kept(const std::vector<StackRow>& rows, const std::vector<StackFile>& files,
                                const Keep& keep) {
  std::vector<StackFile> fitted = files;
  std::set<std::pair<std::size_t, std::size_t>> done;
  for (const StackRow& row : rows)
    if (done.emplace(row.place.file, row.place.entry).second)
      fitted[row.place.file].entries[row.place.entry].stack = fit_entry(rows, files, row, keep);
  return fitted;
}

std::string origin_of(const std::vector<StackRow>& rows, std::size_t file, std::size_t entry) {
  std::string kind = "end-to-end rows";
  std::vector<std::string> sources;
  std::size_t n = 0;
  for (const StackRow& row : rows) {
    if (row.place.file != file || (row.place.entry != entry)) continue;
    ++n;
    if (trains(row)) kind = "training rows";
    if (std::find(sources.begin(), sources.end(), row.row.source) == sources.end()) sources.push_back(row.row.source);
  }
  std::string list;
  for (const auto& source : sources) list += (list.empty() ? "" : ", ") + source;
  return "least squares on " + std::to_string(n) + " published " + kind + " (" + list + ")";
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
  const bool training = trains(rows[own.front()]);
  const Places of_stack =
      places_of(rows, [&](const StackRow& row) { return row.place.file == file && trains(row) == training; });
  const auto several_groups = [&](const Places& places) {
    return std::any_of(places.begin(), places.end(),
                       [&](std::size_t i) { return rows[i].group != rows[places.front()].group; });
  };
  if (own.size() >= enough && several_groups(own)) return own;
  if (several_groups(of_stack)) return of_stack;
  return places_of(rows, [&](const StackRow& row) { return trains(row) == training; });
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

}  // namespace

HeldOut held_out(const std::vector<StackRow>& rows, const std::vector<StackFile>& files, const GroupOf& group_of) {
  std::vector<std::string> groups;
  for (const StackRow& row : rows) groups.push_back(group_of(row));
  constexpr int folds = 32;
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
