// From the merged object of a description to Architecture::Data.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/architecture_data.h"

namespace tpsim {

// JSON pointer of a member.
std::string operator/(const std::string& pointer, std::string_view key);

// Reads values of a description; errors have their place.
class DescriptionFaults {
public:
  explicit DescriptionFaults(const std::vector<DescriptionLayer>& layers) : layers_(layers) {}

  Error at(const std::string& pointer, std::string message) const;
  Error at(const std::string& pointer, Error error) const;  // adds the place
  Result<const ValueObject*> object(const Value& value, const std::string& pointer) const;
  Result<const ValueList*> list(const Value& value, const std::string& pointer) const;
  Result<std::string> text(const Value& value, const std::string& pointer) const;
  Result<std::vector<std::string>> texts(const Value& value, const std::string& pointer) const;
  // Every key is among `known`.
  Result<void> keys(const ValueObject& object, const std::string& pointer, const std::vector<std::string>& known) const;

private:
  const std::vector<DescriptionLayer>& layers_;
};

// Fills data.blocks and data.root.
Result<void> parse_blocks(const ValueObject& blocks, const DescriptionFaults& faults, Architecture::Data& data);

}  // namespace tpsim
