// Public configs, weight indexes and plans beside the project, where they are there: each is answered or refused
// with a reason, and index and config of one model agree.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/analyze.h"
#include "core/architecture.h"
#include "core/checkpoint_model.h"
#include "core/model_source.h"
#include "core/plan.h"
#include "core/text_file.h"
#include "core/unknown_type.h"
#include "tests/catch.hpp"

using namespace tpsim;
namespace fs = std::filesystem;

namespace {

const fs::path kSamples = "../shared/samples";

std::vector<fs::path> files_in(const char* folder) {
  std::vector<fs::path> files;
  if (fs::is_directory(kSamples / folder))
    for (const auto& entry : fs::directory_iterator(kSamples / folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) WARN("skipped: no " << (kSamples / folder).string());
  return files;
}

Result<Model> model_of(const Config& config) {
  const auto architecture = load_architecture(config.model_type, kNewestDialect);
  if (!architecture) return unknown_type_error(config, kNewestDialect);
  return build_model(*architecture, config);
}

bool is_clear(const Error& error) {
  return !error.message.empty() && !(error.details.empty() && error.fixes.empty() && error.where.empty());
}

// Stored beside the weights and made anew by the library, or further towers that the language model lacks.
bool is_extra(const std::string& name) {
  for (const char* part : {"inv_freq", "vision_tower", "multi_modal_projector"})
    if (name.find(part) != std::string::npos) return true;
  return false;
}

bool is_tied(const Model& model, const std::string& name) {
  return std::any_of(model.ties.begin(), model.ties.end(), [&](const auto& tie) { return tie.first == name; });
}

bool is_quantised(const Checkpoint& index) {
  return std::any_of(index.names_only.begin(), index.names_only.end(),
                     [](const std::string& name) { return name.ends_with(".scales") || name.ends_with(".qweight"); });
}

struct Pair {
  std::string id;
  Model model;
  Checkpoint index;
  std::int64_t bytes_per_element;
};

std::vector<Pair> pairs() {
  std::vector<Pair> found;
  for (const fs::path& file : files_in("indexes")) {
    const fs::path config = kSamples / "configs" / file.filename();
    if (!fs::exists(config)) continue;
    auto index = read_safetensors_index(file.string());
    auto source = open_model(config.string());
    REQUIRE(index);
    REQUIRE(source);
    if (is_quantised(*index)) continue;
    auto model = model_of(*source->config);
    INFO(file.filename().string());
    REQUIRE(model);
    const std::int64_t bytes = source->config->dtype == "float32" ? 4 : 2;
    found.push_back({file.stem().string(), std::move(*model), std::move(*index), bytes});
  }
  return found;
}

std::set<std::string> names_on_disk(const Model& model) {
  std::set<std::string> names;
  for (const NamedParameter& p : named_parameters(model))
    for (std::string& name : checkpoint_names(model, p.name)) names.insert(std::move(name));
  return names;
}

// Elements that the file holds a second time: tied parameters under their own name.
std::int64_t stored_twice(const Pair& pair) {
  const auto& names = pair.index.names_only;
  std::int64_t elements = 0;
  for (const auto& [own, shared] : pair.model.ties)
    if (std::find(names.begin(), names.end(), own) != names.end())
      elements += find_parameter(pair.model, shared)->shape.numel();
  return elements;
}

}  // namespace

TEST_CASE("samples: every config is answered, or refused with a reason", "[samples]") {
  int answered = 0, refused = 0;
  for (const fs::path& file : files_in("configs")) {
    INFO(file.filename().string());
    const auto source = open_model(file.string());
    const auto model = source ? model_of(*source->config) : Result<Model>(source.error());
    if (!model) {
      CHECK(is_clear(model.error()));
      ++refused;
      continue;
    }
    AnalysisRequest request;
    request.parallelism.tp = 2;
    CHECK(analyze(*model, request));
    ++answered;
  }
  CHECK((answered + refused == 0 || (answered >= 78 && refused <= 5)));
}

TEST_CASE("samples: an index has every name of the model built from its config", "[samples]") {
  for (const Pair& pair : pairs()) {
    INFO(pair.id);
    const std::set<std::string> listed(pair.index.names_only.begin(), pair.index.names_only.end());
    const auto expected = names_on_disk(pair.model);
    std::vector<std::string> absent, strange;
    for (const auto& name : expected)
      if (!listed.contains(name)) absent.push_back(name);
    for (const auto& name : listed)
      if (!expected.contains(name) && !is_extra(name) && !is_tied(pair.model, name)) strange.push_back(name);
    CHECK(absent == std::vector<std::string>{});
    CHECK(strange == std::vector<std::string>{});
  }
}

TEST_CASE("samples: the total size of an index is that of the model's parameters", "[samples]") {
  for (const Pair& pair : pairs()) {
    INFO(pair.id);
    const auto& names = pair.index.names_only;
    const std::int64_t bytes = (parameter_count(pair.model) + stored_twice(pair)) * pair.bytes_per_element;
    if (std::none_of(names.begin(), names.end(), is_extra))
      CHECK(pair.index.declared_total_size == bytes);
    else
      CHECK(pair.index.declared_total_size > bytes);
  }
}

TEST_CASE("samples: an index alone says its names and size", "[samples]") {
  for (const fs::path& file : files_in("indexes")) {
    INFO(file.filename().string());
    const auto index = read_safetensors_index(file.string());
    REQUIRE(index);
    const auto model = model_from_checkpoint(*index, "");
    REQUIRE_FALSE(model);
    REQUIRE_FALSE(model.error().details.empty());
    const std::string& text = model.error().details.front();
    CHECK(text.find(std::to_string(index->names_only.size()) + " names") != std::string::npos);
    CHECK(text.find(std::to_string(index->declared_total_size) + " bytes") != std::string::npos);
  }
}

TEST_CASE("samples: every plan is read, or refused with its place", "[samples]") {
  int read = 0, refused = 0;
  for (const fs::path& file : files_in("plans")) {
    INFO(file.filename().string());
    const auto text = read_text_file(file.string(), 1 << 20);
    REQUIRE(text);
    const auto plan = read_plan(*text, file.string());
    if (!plan) CHECK(is_clear(plan.error()));
    ++(plan ? read : refused);
  }
  CHECK((read + refused == 0 || read >= 19));
}
