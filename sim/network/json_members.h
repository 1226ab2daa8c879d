// Members of JSON objects to and from plain structs.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/value.h"

namespace tpsim {

// Four significant digits: more than any measurement has.
inline Value rounded(double x) {
  if (x == 0) return Value{0.0};
  const double scale = std::pow(10, 3 - std::floor(std::log10(std::abs(x))));
  return Value{std::round(x * scale) / scale};
}
inline Value text(std::string_view s) { return Value{std::string(s)}; }
// Nothing where the number is what its absence means.
inline void add(ValueObject& object, const char* key, double x, double absent = 0) {
  if (x != absent) object.emplace_back(key, rounded(x));
}
inline void add_count(ValueObject& object, const char* key, int x, int absent) {
  if (x != absent) object.emplace_back(key, Value{std::int64_t{x}});
}

// Reads the members of one object; the first problem is kept.
class JsonMembers {
public:
  JsonMembers(const Value& value, std::string what) : what_(std::move(what)) {
    object_ = std::get_if<ValueObject>(&value.data);
    if (object_ == nullptr) fail("", "an object", value);
  }

  const Value* get(const char* key) const { return object_ == nullptr ? nullptr : tpsim::find(*object_, key); }

  void number(const char* key, double& x, double least, double most, double factor = 1) {
    const Value* v = get(key);
    if (v == nullptr) return;
    const auto* d = std::get_if<double>(&v->data);
    const auto* i = std::get_if<std::int64_t>(&v->data);
    const double read = d != nullptr ? *d : i != nullptr ? static_cast<double>(*i) : NAN;
    if (!(read >= least && read <= most))
      return fail(key, "a number from " + shortest(least) + " to " + shortest(most), *v);
    x = read * factor;
  }
  void count(const char* key, int& x, int least, int most) {
    const Value* v = get(key);
    if (v == nullptr) return;
    const auto* i = std::get_if<std::int64_t>(&v->data);
    if (i == nullptr || *i < least || *i > most)
      return fail(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most), *v);
    x = static_cast<int>(*i);
  }
  void flag(const char* key, bool& x) {
    if (const Value* v = get(key)) {
      if (const auto* b = std::get_if<bool>(&v->data))
        x = *b;
      else
        fail(key, "true or false", *v);
    }
  }
  void string(const char* key, std::string& x) {
    if (const Value* v = get(key)) {
      if (const auto* s = std::get_if<std::string>(&v->data))
        x = *s;
      else
        fail(key, "text", *v);
    }
  }
  template <class T, std::size_t n>
  void one_of(const char* key, T& x, const std::array<T, n>& all) {
    std::string name;
    string(key, name);
    if (get(key) == nullptr || error_) return;
    std::string names;
    for (const T& each : all) {
      if (name == to_string(each)) return void(x = each);
      names += std::string(names.empty() ? "" : ", ") + "\"" + to_string(each) + "\"";
    }
    error_ = input_error(what_ + ": \"" + key + "\" is \"" + name + "\", not one of " + names);
  }
  // Calls `each` with every entry of a list that must be there.
  template <class F>
  void list(const char* key, F each) {
    const Value* v = get(key);
    const auto* entries = v == nullptr ? nullptr : std::get_if<ValueList>(&v->data);
    if (entries == nullptr) return fail(key, "a list", v == nullptr ? Value{} : *v);
    for (const Value& entry : *entries)
      if (!error_) each(entry);
  }
  void take(std::optional<Error> error) {
    if (!error_) error_ = std::move(error);
  }
  const std::optional<Error>& error() const { return error_; }

private:
  static std::string shortest(double x) { return to_json(Value{x}); }
  void fail(const std::string& key, const std::string& expected, const Value& found) {
    if (error_) return;
    error_ = input_error(what_ + (key.empty() ? "" : ": \"" + key + "\"") + ": expected " + expected + ", found " +
                         (found.is_null() ? "nothing" : to_json(found)));
  }

  std::string what_;
  const ValueObject* object_ = nullptr;
  std::optional<Error> error_;
};

}  // namespace tpsim
