// What a sweep goes over: a list of values per flag, and the points of their grid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "core/result.h"

namespace tpsim::cli {

struct Axis {
  std::string flag;                 // "hw"
  std::vector<std::string> values;  // as that flag takes them, one by one
};

// Flags of a sweep that take lists.
bool is_sweep_axis(std::string_view flag);
// Of these, the lengths of the workload: batch, prompt, chunk, gen, ctx.
bool is_length_axis(std::string_view flag);

// "1,2,4", "1..8" (each), "1..64*2" (times 2), "1Ki..16Ki+1Ki" (steps); names and files by commas. Errors: an empty
// list, a value that the flag refuses, more than 2^40 points.
Result<std::vector<Axis>> sweep_axes(const Options& options);

// Points in order: the last axis (ctx) runs fastest.
class SweepGrid {
public:
  explicit SweepGrid(std::vector<Axis> axes);
  std::int64_t points() const { return points_; }
  // Points that differ in lengths only are neighbours: how many, and how many such cells there are.
  std::int64_t points_per_cell() const { return per_cell_; }
  std::int64_t cells() const { return points_ / per_cell_; }
  // The options with the values of a cell put in.
  Options options_of(const Options& base, std::int64_t cell) const;
  // The value of an axis of lengths at a point inside a cell; none where the flag was not given.
  std::optional<std::int64_t> value(std::string_view flag, std::int64_t inner) const;
  std::optional<std::int64_t> largest(std::string_view flag) const;

private:
  std::vector<Axis> axes_;
  std::vector<std::vector<std::int64_t>> numbers_;  // of the axes inside a cell
  std::size_t outer_ = 0;
  std::int64_t points_ = 1, per_cell_ = 1;
};

}  // namespace tpsim::cli
