// The values of a description's config fields for one config, and the errors that name them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/architecture_data.h"
#include "core/config.h"

namespace tpsim {

class FieldValues final : public FieldSource {
public:
  FieldValues(const Architecture::Data& data, const Config& config);

  const Value* field(int index, EvaluationFault& fault) override;
  // By the field's name or an alias; nullptr where there is none or its default cannot be worked out.
  const Value* find(std::string_view name);
  // What the config says about a field, nullptr = nothing.
  const Value* given(int index) const { return given_[static_cast<std::size_t>(index)]; }

  // An error for an expression that could not be evaluated.
  Error error(const EvaluationFault& fault, std::string_view text, const std::string& pointer) const;
  // An error for a value that does not fit; `expression` is where it comes from.
  Error misfit(const std::string& what, const Node& expression, std::string_view text, const std::string& pointer);

private:
  enum class State { fresh, running, done };

  const Value* evaluate_default(int index, const FieldDefault& preset, EvaluationFault& fault);
  Error field_error(const EvaluationFault& fault, int index) const;
  std::string where() const;

  const Architecture::Data& data_;
  const Config& config_;
  std::vector<const Value*> given_;
  std::vector<const Value*> values_;
  std::vector<Value> computed_;
  std::vector<State> states_;
  int chain_ = 0;
};

// Slots that an expression's own comprehension variables need, for expressions outside blocks.
std::size_t frame_size(const Node& node);

}  // namespace tpsim
