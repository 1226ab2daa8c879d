// Members of one JSON object of a calibration, with one clear error for the first fault.
#pragma once

#include <optional>
#include <string>

#include "core/result.h"
#include "core/value.h"
#include "sim/hardware.h"

namespace tpsim {

// Every reading function returns something usable after a fault; ask for error() in the end.
class ObjectReader {
public:
  // `where` begins messages: "gemm.models[0]".
  ObjectReader(const Value& value, std::string where);

  double number(const char* name, double low, double high);
  std::string text(const char* name);
  bool flag(const char* name);
  NumberSource source(const char* name);
  const Value* member(const char* name);  // nullptr and a fault where it is missing
  void fail(const std::string& what);
  const std::optional<Error>& error() const { return error_; }

private:
  std::string where_;
  const ValueObject* object_ = nullptr;
  std::optional<Error> error_;
};

// Four significant digits: fitted constants are not better known.
Value shortened(double x);

}  // namespace tpsim
