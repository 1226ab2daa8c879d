// Edits of a plan as edits of its text, for editors and review bots.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan.h"
#include "core/source_text.h"

namespace tpsim::cli {

struct TextEdit {
  Span span;  // what goes; length 0 = an insertion
  std::string text;
};

// The edits of `text` that do to the plan what the patch does, in the order of the text. None where the text cannot be
// edited piece by piece: each answer is read back and compared with the patched plan.
std::optional<std::vector<TextEdit>> text_edits(std::string_view text, const Plan& plan,
                                                const std::vector<PatchOperation>& patch);

std::string with_edits(std::string_view text, const std::vector<TextEdit>& edits);

// The string literal (or what else stands there) at a position, in bytes.
std::optional<Span> literal_at(std::string_view text, const SourcePosition& position);

}  // namespace tpsim::cli
