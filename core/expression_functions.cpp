#include "core/expression_functions.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/checked.h"

namespace tpsim {

bool truthy(const Value& value) {
  struct Truth {
    bool operator()(std::nullptr_t) const { return false; }
    bool operator()(bool b) const { return b; }
    bool operator()(std::int64_t i) const { return i != 0; }
    bool operator()(double d) const { return d != 0; }
    bool operator()(const std::string& s) const { return !s.empty(); }
    bool operator()(const ValueList& l) const { return !l.empty(); }
    bool operator()(const ValueObject& o) const { return !o.empty(); }
  };
  return std::visit(Truth{}, value.data);
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return *i;
  if (const auto* b = std::get_if<bool>(&value.data)) return *b ? 1 : 0;
  return std::nullopt;
}

std::optional<double> as_real(const Value& value) {
  if (const auto* d = std::get_if<double>(&value.data)) return *d;
  if (const auto i = as_integer(value)) return static_cast<double>(*i);
  return std::nullopt;
}

std::optional<std::partial_ordering> order(const Value& a, const Value& b) {
  const auto i = as_integer(a), j = as_integer(b);
  if (i && j) return *i <=> *j;
  const auto x = as_real(a), y = as_real(b);
  if (x && y) return *x <=> *y;
  const auto* s = std::get_if<std::string>(&a.data);
  const auto* t = std::get_if<std::string>(&b.data);
  if (s != nullptr && t != nullptr) return s->compare(*t) <=> 0;
  return std::nullopt;
}

bool equal(const Value& a, const Value& b) {
  if (const auto relation = order(a, b)) return *relation == 0;
  return a == b;
}

std::optional<bool> contains(const Value& container, const Value& item) {
  if (const auto* list = std::get_if<ValueList>(&container.data)) {
    return std::any_of(list->begin(), list->end(), [&](const Value& v) { return equal(v, item); });
  }
  const auto* key = std::get_if<std::string>(&item.data);
  if (key == nullptr) return std::nullopt;
  if (const auto* object = std::get_if<ValueObject>(&container.data)) return find(*object, *key) != nullptr;
  if (const auto* text = std::get_if<std::string>(&container.data)) return text->find(*key) != std::string::npos;
  return std::nullopt;
}

namespace {

std::optional<std::int64_t> to_integer(double x) {
  if (!(std::abs(x) < 9.2e18)) return std::nullopt;
  return static_cast<std::int64_t>(x);
}

std::optional<Value> extreme(const ValueList& arguments, bool greatest) {
  const auto* list = std::get_if<ValueList>(&arguments[0].data);
  const Value* best = nullptr;
  for (const auto& value : arguments.size() == 1 && list != nullptr ? *list : arguments) {
    if (best == nullptr) best = &value;
    const auto relation = order(value, *best);
    if (!relation) return std::nullopt;
    if (greatest ? *relation > 0 : *relation < 0) best = &value;
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

std::optional<Value> total(const ValueList& arguments) {
  const auto* list = std::get_if<ValueList>(&arguments[0].data);
  if (list == nullptr) return std::nullopt;
  std::int64_t integers = 0;
  double reals = 0;
  bool exact = true;
  for (const auto& value : *list) {
    const auto x = as_real(value);
    if (!x) return std::nullopt;
    const auto i = as_integer(value);
    const auto next = i ? checked_add(integers, *i) : std::nullopt;
    exact = exact && next.has_value();
    integers = next.value_or(0);
    reals += *x;
  }
  return exact ? Value{integers} : Value{reals};
}

std::optional<Value> rounded(const Value& value, double (*to_whole)(double)) {
  const auto x = as_real(value);
  if (!x) return std::nullopt;
  if (as_integer(value)) return Value{*as_integer(value)};
  const auto integer = to_integer(to_whole(*x));
  return integer ? std::optional(Value{*integer}) : std::nullopt;
}

std::optional<Value> length(const ValueList& arguments) {
  const Value& value = arguments[0];
  if (const auto* list = std::get_if<ValueList>(&value.data)) return Value{static_cast<std::int64_t>(list->size())};
  if (const auto* object = std::get_if<ValueObject>(&value.data))
    return Value{static_cast<std::int64_t>(object->size())};
  if (const auto* text = std::get_if<std::string>(&value.data)) return Value{static_cast<std::int64_t>(text->size())};
  return std::nullopt;
}

std::optional<Value> absolute(const ValueList& arguments) {
  const Value& value = arguments[0];
  if (const auto i = as_integer(value)) return *i == INT64_MIN ? std::nullopt : std::optional(Value{std::abs(*i)});
  if (const auto x = as_real(value)) return Value{std::abs(*x)};
  return std::nullopt;
}

std::optional<Value> square_root(const ValueList& arguments) {
  const auto x = as_real(arguments[0]);
  return x && *x >= 0 ? std::optional(Value{std::sqrt(*x)}) : std::nullopt;
}

std::optional<Value> natural_logarithm(const ValueList& arguments) {
  const auto x = as_real(arguments[0]);
  return x && *x > 0 ? std::optional(Value{std::log(*x)}) : std::nullopt;
}

std::optional<Value> version_number(const ValueList& arguments) {
  const auto a = as_integer(arguments[0]), b = as_integer(arguments[1]);
  if (!a || !b || *a < 0 || *a > 999 || *b < 0 || *b > 999) return std::nullopt;
  return Value{*a * 1000 + *b};
}

// get(object, key[, default]). The default where the object is none, the key is missing or its value is null.
std::optional<Value> member(const ValueList& arguments) {
  const Value missing = arguments.size() > 2 ? arguments[2] : Value{};
  const auto* key = std::get_if<std::string>(&arguments[1].data);
  if (key == nullptr) return std::nullopt;
  if (arguments[0].is_null()) return missing;
  const auto* object = std::get_if<ValueObject>(&arguments[0].data);
  if (object == nullptr) return std::nullopt;
  const Value* value = find(*object, *key);
  return value == nullptr || value->is_null() ? missing : *value;
}

// member_at(object, i): of the key that reads as i, with leading zeros or without; none where there is none.
std::optional<Value> numbered_member(const ValueList& arguments) {
  const auto index = as_integer(arguments[1]);
  if (!index) return std::nullopt;
  if (arguments[0].is_null()) return Value{};
  const auto* object = std::get_if<ValueObject>(&arguments[0].data);
  if (object == nullptr) return std::nullopt;
  const std::string wanted = std::to_string(*index);
  for (const auto& [key, value] : *object) {
    const auto zeros = std::min(key.find_first_not_of('0'), key.empty() ? 0 : key.size() - 1);
    if (key.substr(zeros) == wanted) return value;
  }
  return Value{};
}

std::optional<Value> real(const ValueList& arguments) {
  const auto x = as_real(arguments[0]);
  return x ? std::optional(Value{*x}) : std::nullopt;
}

std::optional<Value> any_true(const ValueList& arguments) {
  const auto* list = std::get_if<ValueList>(&arguments[0].data);
  if (list == nullptr) return std::nullopt;
  return Value{std::any_of(list->begin(), list->end(), truthy)};
}

std::optional<Value> all_true(const ValueList& arguments) {
  const auto* list = std::get_if<ValueList>(&arguments[0].data);
  if (list == nullptr) return std::nullopt;
  return Value{std::all_of(list->begin(), list->end(), truthy)};
}

constexpr std::int64_t kMostForPrimes = std::int64_t{1} << 31, kMostPrimes = 4096;

std::int64_t power_modulo(std::int64_t base, std::int64_t exponent, std::int64_t n) {
  std::int64_t result = 1;
  for (base %= n; exponent > 0; exponent /= 2, base = base * base % n)
    if (exponent % 2 == 1) result = result * base % n;
  return result;
}

// Miller-Rabin with the witnesses that decide every number below 2^31.
bool is_prime(std::int64_t n) {
  constexpr std::array<std::int64_t, 4> kWitnesses{2, 3, 5, 7};
  if (n < 2) return false;
  for (const std::int64_t p : kWitnesses)
    if (n % p == 0) return n == p;
  std::int64_t odd = n - 1, halvings = 0;
  for (; odd % 2 == 0; odd /= 2) ++halvings;
  return std::all_of(kWitnesses.begin(), kWitnesses.end(), [&](std::int64_t witness) {
    std::int64_t x = power_modulo(witness, odd, n);
    bool passes = x == 1 || x == n - 1;
    for (std::int64_t i = 1; i < halvings && !passes; ++i) passes = (x = x * x % n) == n - 1;
    return passes;
  });
}

// prime_after(n, k): the k-th prime above n.
std::optional<Value> prime_after(const ValueList& arguments) {
  const auto start = as_integer(arguments[0]), count = as_integer(arguments[1]);
  if (!start || !count || *start < 0 || *count < 1 || *count > kMostPrimes) return std::nullopt;
  std::int64_t n = *start;
  for (std::int64_t left = *count; left > 0 && n < kMostForPrimes; left -= is_prime(n) ? 1 : 0) ++n;
  return n < kMostForPrimes ? std::optional(Value{n}) : std::nullopt;
}

constexpr std::array<ExpressionFunction, 19> kFunctions{{
    {"min", 1, 16, [](const ValueList& a) { return extreme(a, false); }},
    {"max", 1, 16, [](const ValueList& a) { return extreme(a, true); }},
    {"len", 1, 1, length},
    {"int", 1, 1, [](const ValueList& a) { return rounded(a[0], std::trunc); }},
    {"float", 1, 1, real},
    {"round", 1, 1, [](const ValueList& a) { return rounded(a[0], std::nearbyint); }},
    {"ceil", 1, 1, [](const ValueList& a) { return rounded(a[0], std::ceil); }},
    {"floor", 1, 1, [](const ValueList& a) { return rounded(a[0], std::floor); }},
    {"sum", 1, 1, total},
    {"abs", 1, 1, absolute},
    {"sqrt", 1, 1, square_root},
    {"log", 1, 1, natural_logarithm},
    {"any", 1, 1, any_true},
    {"all", 1, 1, all_true},
    {"get", 2, 3, member},
    {"member_at", 2, 2, numbered_member},
    {"version", 2, 2, version_number},
    {"prime_after", 2, 2, prime_after},
    {"is_list", 1, 1,
     [](const ValueList& a) { return std::optional(Value{std::holds_alternative<ValueList>(a[0].data)}); }},
}};

}  // namespace

std::span<const ExpressionFunction> expression_functions() { return kFunctions; }

}  // namespace tpsim
