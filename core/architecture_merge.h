// Inheritance and version overlays of architecture files: from texts to one merged object.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/architecture_data.h"
#include "core/dialect.h"
#include "core/result.h"
#include "core/value.h"

namespace tpsim {

struct MergedDescription {
  ValueObject object;  // without extends and versions
  std::vector<DescriptionLayer> layers;
};

// Errors: unknown type, cyclic `extends`, not JSON, a bad range of versions.
Result<MergedDescription> merged_description(std::string_view model_type, const Dialect& dialect,
                                             const FindDescription& find);

// Objects are merged key by key, null deletes, any other value replaces. Members of the top level's `config` replace as
// they are, null included. A block with "inherit": false replaces the one below it.
void merge_description(ValueObject& base, const ValueObject& overlay);

}  // namespace tpsim
