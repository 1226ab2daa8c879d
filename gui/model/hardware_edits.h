// Hardware with constants of one's own: edits are texts "link.latency=0.9 us", named as the fields of a profile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sim/hardware.h"

namespace tpsim::gui {

// Sets the field and gives "user" as its source. Errors: no such field, a value that the profile would refuse.
Result<void> apply_hardware_edit(Hardware& hardware, const std::string& edit);
Result<void> apply_hardware_edits(Hardware& hardware, const std::vector<std::string>& edits);

// The edits with that field set to `value`; "" takes the edit of the field back.
std::vector<std::string> with_hardware_edit(std::vector<std::string> edits, const std::string& field,
                                            const std::string& value);

// A field as it stands in the card.
struct HardwareField {
  std::string path, value, source;
  bool is_edited = false;
};
std::vector<HardwareField> hardware_card(const Hardware& hardware, const std::vector<std::string>& edits);

// A profile file with the edits, which --hw reads: the profile of that name with its fields replaced.
Result<std::string> profile_text(const std::string& name_or_file, const std::vector<std::string>& edits);

}  // namespace tpsim::gui
