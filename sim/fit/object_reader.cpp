#include "sim/fit/object_reader.h"

#include <cmath>
#include <limits>

namespace tpsim {

ObjectReader::ObjectReader(const Value& value, std::string where) : where_(std::move(where)) {
  object_ = std::get_if<ValueObject>(&value.data);
  if (object_ == nullptr) fail(std::string("expected an object, not ") + type_name(value));
}

double ObjectReader::number(const char* name, double low, double high) {
  const Value* v = member(name);
  if (v == nullptr) return low;
  const auto* i = std::get_if<std::int64_t>(&v->data);
  const auto* d = std::get_if<double>(&v->data);
  const double x = i != nullptr   ? static_cast<double>(*i)
                   : d != nullptr ? *d
                                  : std::numeric_limits<double>::quiet_NaN();
  if (x >= low && x <= high) return x;
  fail("\"" + std::string(name) + "\" is " + to_json(*v).substr(0, 40) + ": expected a number from " +
       to_json(Value{low}) + " to " + to_json(Value{high}));
  return low;
}

std::string ObjectReader::text(const char* name) {
  const Value* v = member(name);
  const auto* t = v == nullptr ? nullptr : std::get_if<std::string>(&v->data);
  if (v != nullptr && t == nullptr) fail("\"" + std::string(name) + "\": expected text");
  return t == nullptr ? std::string() : *t;
}

bool ObjectReader::flag(const char* name) {
  const Value* v = member(name);
  const auto* b = v == nullptr ? nullptr : std::get_if<bool>(&v->data);
  if (v != nullptr && b == nullptr) fail("\"" + std::string(name) + "\": expected true or false");
  return b != nullptr && *b;
}

NumberSource ObjectReader::source(const char* name) {
  const std::string written = text(name);
  for (NumberSource s :
       {NumberSource::measured, NumberSource::calibrated, NumberSource::transferred, NumberSource::spec})
    if (written == to_string(s)) return s;
  fail("\"" + std::string(name) + "\": expected measured, calibrated, transferred or spec");
  return NumberSource::spec;
}

const Value* ObjectReader::member(const char* name) {
  const Value* v = object_ == nullptr ? nullptr : find(*object_, name);
  if (v == nullptr) fail("\"" + std::string(name) + "\" is missing");
  return v;
}

void ObjectReader::fail(const std::string& what) {
  if (!error_) error_ = input_error(where_ + ": " + what);
}

Value shortened(double x) {
  if (x == 0 || !std::isfinite(x)) return Value{0.0};
  const double digits = 3 - std::floor(std::log10(std::abs(x)));
  const double unit = std::pow(10.0, std::abs(digits));  // exact, unlike its inverse
  return Value{digits >= 0 ? std::round(x * unit) / unit : std::round(x / unit) * unit};
}

}  // namespace tpsim
