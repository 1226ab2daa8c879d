// Errors as values. `Result<T>` has std::expected's member names (g++ 12 has no <expected> in C++20).
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tpsim {

// Decides the exit code (docs: `tpsim help exit-codes`).
enum class ErrorKind { usage, input, environment, internal };

// One clear message: what is wrong, where, the offending values and, last, a fix that can be pasted.
struct Error {
  ErrorKind kind = ErrorKind::input;
  std::string code;                  // "TP101" where a diagnostic code applies, else empty
  std::string message;               // one line, no trailing period needed
  std::string where;                 // "plan.json:6:38", "config.json", "model.layers.*.mlp" or empty
  std::vector<std::string> details;  // further lines, printed indented as they are (source excerpt, values)
  std::vector<std::string> fixes;    // each a command, flag or edit
};

// The exit code that belongs to an error kind: usage 2, input 3, environment 4, internal 70.
int exit_code(ErrorKind kind);

inline Error input_error(std::string message, std::string where = {}) {
  return Error{ErrorKind::input, {}, std::move(message), std::move(where), {}, {}};
}
inline Error usage_error(std::string message) { return Error{ErrorKind::usage, {}, std::move(message), {}, {}, {}}; }

template <class T>
class [[nodiscard]] Result {
public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit on purpose

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    assert(has_value());
    return std::get<0>(state_);
  }
  const T& value() const& {
    assert(has_value());
    return std::get<0>(state_);
  }
  T&& value() && {
    assert(has_value());
    return std::move(std::get<0>(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() {
    assert(!has_value());
    return std::get<1>(state_);
  }
  const Error& error() const {
    assert(!has_value());
    return std::get<1>(state_);
  }

private:
  std::variant<T, Error> state_;
};

struct Nothing {
  bool operator==(const Nothing&) const = default;
};
template <>
class [[nodiscard]] Result<void> : public Result<Nothing> {
public:
  Result() : Result<Nothing>(Nothing{}) {}
  Result(Error error) : Result<Nothing>(std::move(error)) {}  // NOLINT: implicit on purpose
};

}  // namespace tpsim
