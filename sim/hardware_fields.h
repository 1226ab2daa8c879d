// The constants of a hardware profile: what each is called, what it may be, where it goes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/hardware.h"
#include "sim/quantity.h"

namespace tpsim {

enum class FieldKind { text, amount, count, fraction, flag, number_source };

struct ProfileField {
  std::string path;
  FieldKind kind = FieldKind::text;
  Quantity quantity = Quantity::bytes;  // amount
  double least = 0, most = 0;           // amount, count, fraction
  bool required = true;
  void (*set)(Hardware&, double) = nullptr;
  void (*set_text)(Hardware&, const std::string&) = nullptr;
};

const std::vector<ProfileField>& profile_fields();

struct FieldMatch {
  const ProfileField* field = nullptr;
  double factor = 0;  // of the unit in the key, 0 = none there
};
// By its path, or by its path and a unit: "link.latency", "link.latency_us" (which then holds a plain number).
FieldMatch match_field(std::string_view path);

}  // namespace tpsim
