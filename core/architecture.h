// From a description (plans/<model_type>/architecture.json) and a config to a Model. docs/architecture.md is the
// language.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dialect.h"
#include "core/model.h"
#include "core/result.h"

namespace tpsim {

struct Config;

// A parsed description with its inheritance resolved for one dialect. Immutable, cheap to copy.
class Architecture {
public:
  struct Data;
  explicit Architecture(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  const Data& data() const { return *data_; }

private:
  std::shared_ptr<const Data> data_;
};

// The description of a model type for a dialect. Errors: unknown type (with near names), cyclic `extends`, and any
// fault of the file, with its place.
Result<Architecture> load_architecture(std::string_view model_type, const Dialect& dialect);
// The same with the texts from elsewhere than the data files.
struct DescriptionText {
  std::string file;  // for messages
  std::string text;
};
using FindDescription = std::function<std::optional<DescriptionText>(std::string_view model_type)>;
Result<Architecture> load_architecture(std::string_view model_type, const Dialect& dialect,
                                       const FindDescription& find);
std::vector<std::string> described_model_types();

// Builds the model that the config describes. Errors name the config field.
Result<Model> build_model(const Architecture& architecture, const Config& config);

}  // namespace tpsim
