#include "cli/sweep_axes.h"

#include <algorithm>
#include <array>

#include "cli/flags.h"
#include "cli/values.h"

namespace tpsim::cli {
namespace {

// Outermost first. The last five are inside a cell.
constexpr std::array<std::string_view, 14> kAxes = {"model", "plan", "dialect", "hw",     "stack", "dtype", "kv-dtype",
                                                    "ep",    "tp",   "batch",   "prompt", "chunk", "gen",   "ctx"};
constexpr std::size_t kInner = 5;
constexpr std::int64_t kMostPoints = std::int64_t{1} << 40;
constexpr std::size_t kMostValues = 10'000'000;

bool is_number(std::string_view flag) { return flag == "ep" || flag == "tp" || is_length_axis(flag); }

Error bad_range(std::string_view flag, std::string_view text) {
  Error error = usage_error("--" + std::string(flag) + ": \"" + std::string(text) + "\" is no range");
  error.fixes = {"--" + std::string(flag) + " 1..8   or 1..64*2   or 1Ki..16Ki+1Ki"};
  return error;
}

// "A..B", "A..B*F", "A..B+S"
Result<void> add_range(std::string_view flag, std::string_view text, std::vector<std::string>& values) {
  const auto dots = text.find("..");
  const auto step_at = text.find_first_of("*+", dots);
  const auto first = parse_size(text.substr(0, dots));
  const auto last = parse_size(text.substr(dots + 2, step_at == text.npos ? text.npos : step_at - dots - 2));
  const auto step = step_at == text.npos ? std::optional<std::int64_t>(1) : parse_size(text.substr(step_at + 1));
  const bool times = step_at != text.npos && text[step_at] == '*';
  if (!first || !last || !step || *first < 1 || *last < *first || *step < (times ? 2 : 1) || *last > (1LL << 40))
    return bad_range(flag, text);
  for (std::int64_t n = *first; n <= *last; n = times ? n * *step : n + *step) {
    if (values.size() >= kMostValues) return usage_error("--" + std::string(flag) + ": more than 10,000,000 values");
    values.push_back(std::to_string(n));
    if (times && n > *last / *step) break;
  }
  return {};
}

Result<void> add_values(std::string_view flag, std::string_view text, std::vector<std::string>& values) {
  for (const std::string& part : split_list(text)) {
    if (!is_number(flag) || part.find("..") == std::string::npos) {
      values.push_back(part);
      continue;
    }
    if (auto added = add_range(flag, part, values); !added) return added;
  }
  return {};
}

Error of_flag(std::string_view flag, Error error) {
  error.message = "--" + std::string(flag) + ": " + error.message;
  return error;
}

// Each value is one that the flag takes.
Result<void> check_values(const Axis& axis) {
  const Flag* const flag = find_flag(axis.flag);
  Options scratch;
  for (const std::string& value : axis.values)
    if (auto applied = flag->apply(scratch, value); !applied) return of_flag(axis.flag, applied.error());
  if (axis.flag == "tp" && std::find(axis.values.begin(), axis.values.end(), "valid") != axis.values.end())
    return usage_error("--tp: a sweep lists its sizes; rows tell at which the plan is right");
  return {};
}

}  // namespace

bool is_length_axis(std::string_view flag) { return std::find(kAxes.end() - kInner, kAxes.end(), flag) != kAxes.end(); }

bool is_sweep_axis(std::string_view flag) { return std::find(kAxes.begin(), kAxes.end(), flag) != kAxes.end(); }

Result<std::vector<Axis>> sweep_axes(const Options& options) {
  std::vector<Axis> axes;
  double points = 1;
  for (const std::string_view name : kAxes) {
    Axis axis{std::string(name), {}};
    bool given = false;
    for (const GivenAxis& part : options.axes) {
      if (part.flag != name) continue;
      given = true;
      if (auto added = add_values(name, part.values, axis.values); !added) return added.error();
    }
    if (given && axis.values.empty()) return usage_error("--" + axis.flag + ": the list is empty");
    if (auto right = check_values(axis); !right) return right.error();
    points *= static_cast<double>(std::max<std::size_t>(1, axis.values.size()));
    axes.push_back(std::move(axis));
  }
  if (points > static_cast<double>(kMostPoints)) return usage_error("the grid has more than 2^40 points");
  return axes;
}

SweepGrid::SweepGrid(std::vector<Axis> axes) : axes_(std::move(axes)), outer_(axes_.size() - kInner) {
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const auto size = static_cast<std::int64_t>(std::max<std::size_t>(1, axes_[i].values.size()));
    points_ *= size;
    if (i < outer_) continue;
    per_cell_ *= size;
    std::vector<std::int64_t> numbers;
    for (const std::string& value : axes_[i].values) numbers.push_back(parse_size(value).value_or(1));
    numbers_.push_back(std::move(numbers));
  }
}

Options SweepGrid::options_of(const Options& base, std::int64_t cell) const {
  Options options = base;
  for (std::size_t i = outer_; i-- > 0;) {
    if (axes_[i].values.empty()) continue;
    const auto size = static_cast<std::int64_t>(axes_[i].values.size());
    (void)find_flag(axes_[i].flag)->apply(options, axes_[i].values[static_cast<std::size_t>(cell % size)]);
    cell /= size;
  }
  return options;
}

std::optional<std::int64_t> SweepGrid::value(std::string_view flag, std::int64_t inner) const {
  for (std::size_t i = kInner; i-- > 0;) {
    const auto size = static_cast<std::int64_t>(std::max<std::size_t>(1, numbers_[i].size()));
    if (axes_[outer_ + i].flag == flag)
      return numbers_[i].empty() ? std::nullopt : std::optional(numbers_[i][static_cast<std::size_t>(inner % size)]);
    inner /= size;
  }
  return std::nullopt;
}

std::optional<std::int64_t> SweepGrid::largest(std::string_view flag) const {
  for (std::size_t i = 0; i < kInner; ++i)
    if (axes_[outer_ + i].flag == flag && !numbers_[i].empty())
      return *std::max_element(numbers_[i].begin(), numbers_[i].end());
  return std::nullopt;
}

}  // namespace tpsim::cli
