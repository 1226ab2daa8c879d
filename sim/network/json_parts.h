// What calibrations of networks share when they are read.
#pragma once

#include <array>
#include <string>

#include "sim/fit/object_reader.h"
#include "sim/fit/residual_grid.h"

namespace tpsim {

inline Value text_value(std::string_view text) { return Value{std::string(text)}; }
inline Value count_value(std::int64_t count) { return Value{count}; }

// One of the names that to_string gives to `all`.
template <class T, std::size_t n>
T named(ObjectReader& reader, const char* member, const std::array<T, n>& all) {
  const std::string name = reader.text(member);
  std::string names;
  for (const T& each : all) {
    if (name == to_string(each)) return each;
    names += std::string(names.empty() ? "\"" : ", \"") + to_string(each) + "\"";
  }
  reader.fail("\"" + std::string(member) + "\" is \"" + name + "\", expected one of " + names);
  return all.front();
}

inline int whole(ObjectReader& reader, const char* member, int low, int high) {
  const double x = reader.number(member, low, high);
  if (x != static_cast<int>(x)) reader.fail("\"" + std::string(member) + "\": expected a whole number");
  return static_cast<int>(x);
}

// Calls `each` with the entries of a list, until the first fault.
template <class F>
void for_each_entry(ObjectReader& reader, const char* member, F each, std::size_t most = 64) {
  const Value* value = reader.member(member);
  const auto* list = value == nullptr ? nullptr : std::get_if<ValueList>(&value->data);
  if (value != nullptr && list == nullptr) reader.fail("\"" + std::string(member) + "\": expected a list");
  if (list != nullptr && list->size() > most)
    reader.fail("\"" + std::string(member) + "\": expected at most " + std::to_string(most) + " entries");
  for (std::size_t i = 0; list != nullptr && i < list->size() && !reader.error(); ++i) each((*list)[i]);
}

inline void take(ObjectReader& reader, const std::optional<Error>& error) {
  if (error) reader.fail(error->message);
}

template <class T>
void take(ObjectReader& reader, Result<T> read, T& into) {
  if (read)
    into = std::move(*read);
  else
    reader.fail(read.error().message);
}

// A correction over two coordinates, or none at all.
inline ResidualGrid residual_in(ObjectReader& reader) {
  ResidualGrid grid;
  if (const Value* value = reader.member("residual")) take(reader, read_residual_grid(*value), grid);
  if (grid.empty()) return grid;
  constexpr std::size_t kMostKnots = 64;
  const bool fits =
      grid.axes().size() == 2 && grid.axes()[0].knots.size() <= kMostKnots && grid.axes()[1].knots.size() <= kMostKnots;
  if (!fits) reader.fail("\"residual\": expected two axes of at most 64 knots");
  return fits ? grid : ResidualGrid{};
}

}  // namespace tpsim
