// A validator for the JSON Schema (draft 7) keywords that docs/schema uses.
#pragma once

#include <string>
#include <vector>

#include "core/value.h"

namespace tpsim::test {

// Loads docs/schema/NAME.schema.json.
Value load_schema(const std::string& name);

// What does not conform, as "path: reason". A member that the schema does not name is a fault, too, so that schema and
// documents stay equal; keywords that the validator does not know are faults.
std::vector<std::string> validate(const Value& document, const Value& schema);

}  // namespace tpsim::test
