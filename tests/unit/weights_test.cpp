#include "exec/weights.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "core/analyze.h"
#include "exec/mapped_file.h"
#include "tests/scratch.h"
#include "tests/tiny_model.h"

namespace tpsim::exec {
namespace {

struct Stored {
  std::string name;
  Shape shape;
  std::vector<float> values;
};

// A safetensors file with these tensors.
std::string safetensors(const Scratch& scratch, const std::vector<Stored>& tensors) {
  std::string header = "{", data;
  for (const Stored& t : tensors) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(t.values.data()), t.values.size() * sizeof(float));
    std::string shape;
    for (const std::int64_t extent : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    header += (header.size() > 1 ? ",\"" : "\"") + t.name + R"(":{"dtype":"F32","shape":[)" + shape +
              R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
  }
  header += "}";
  const std::uint64_t size = header.size();
  std::string text(sizeof size, '\0');
  std::memcpy(text.data(), &size, sizeof size);
  return scratch.write("model.safetensors", text + header + data);
}

std::vector<float> counted(std::size_t n, float from = 0) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = from + static_cast<float>(i);
  return values;
}

// Two experts of gate and up [1, 2] each, stacked and concatenated while loading.
Model model_of_two_experts() {
  Model model;
  ModuleType type;
  type.parameters = {{"gate_up_proj", Shape{2, 2, 2}}, {"weight", Shape{2, 2}}};
  model.types = {type};
  CheckpointRule rule;
  rule.module = "gate_up_proj";
  rule.disk = {"experts.{e}.gate", "experts.{e}.up"};
  rule.how = CheckpointConversion::stack_concat;
  model.checkpoint = {rule};
  return model;
}

}  // namespace

TEST_CASE("seeded_weights: a shard is a cut of the whole, on any number of ranks", "[exec]") {
  const auto weights = seeded_weights(7);
  const ParameterPiece whole{"layer.weight", Shape{6, 4}, -1, {}, 1};
  const auto all = weights->read(whole);
  REQUIRE(all);
  ParameterPiece rows = whole;
  rows.dim = 0;
  rows.ranges = {{2, 4}};
  CHECK(*weights->read(rows) == std::vector<float>(all->begin() + 8, all->begin() + 16));
  ParameterPiece columns = whole;
  columns.dim = 1;
  columns.ranges = {{3, 4}, {0, 1}};
  const auto cut = weights->read(columns);
  REQUIRE(cut->size() == 12);
  CHECK((*cut)[0] == (*all)[3]);
  CHECK((*cut)[1] == (*all)[0]);
  CHECK(*seeded_weights(8)->read(whole) != *all);
}

TEST_CASE("open_weights: experts on disk become one tensor, of which a rank reads its part", "[exec]") {
  const Scratch scratch;
  const Model model = model_of_two_experts();
  const std::string file = safetensors(scratch, {{"experts.0.gate", {1, 2}, {1, 2}},
                                                 {"experts.0.up", {1, 2}, {3, 4}},
                                                 {"experts.1.gate", {1, 2}, {5, 6}},
                                                 {"experts.1.up", {1, 2}, {7, 8}}});
  const auto header = read_safetensors(file);
  REQUIRE(header);
  const auto weights = open_weights(model, *header);
  REQUIRE(weights);
  const ParameterPiece whole{"gate_up_proj", Shape{2, 2, 2}, -1, {}, 1};
  CHECK(*(*weights)->read(whole) == counted(8, 1));
  CHECK(*(*weights)->read({"gate_up_proj", Shape{2, 2, 2}, 0, {{1, 2}}, 1}) == counted(4, 5));
  CHECK(*(*weights)->read({"gate_up_proj", Shape{2, 2, 2}, 2, {{1, 2}}, 0.5}) == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("open_weights: stacks that lie one behind the other along their second dimension", "[exec]") {
  const Scratch scratch;
  Model model = model_of_two_experts();
  model.checkpoint.front().disk = {"gate", "up"};
  model.checkpoint.front().how = CheckpointConversion::concat;
  model.checkpoint.front().dim = 1;
  const auto header =
      read_safetensors(safetensors(scratch, {{"gate", {2, 1, 2}, {1, 2, 5, 6}}, {"up", {2, 1, 2}, {3, 4, 7, 8}}}));
  REQUIRE(header);
  const auto weights = open_weights(model, *header);
  REQUIRE(weights);
  CHECK(*(*weights)->read({"gate_up_proj", Shape{2, 2, 2}, -1, {}, 1}) == counted(8, 1));
}

TEST_CASE("open_weights: absent tensors, other shapes and NaN are named", "[exec]") {
  const Scratch scratch;
  const Model model = model_of_two_experts();
  const auto header = read_safetensors(safetensors(scratch, {{"weight", {2, 2}, {1, 2, std::nanf(""), 4}}}));
  REQUIRE(header);
  const auto weights = open_weights(model, *header);
  REQUIRE(weights);
  CHECK(error_text((*weights)->read({"weight", Shape{2, 2}, -1, {}, 1})).find("a weight is NaN") != std::string::npos);
  CHECK(error_text((*weights)->read({"weight", Shape{2, 2}, 0, {{0, 1}}, 1})) == "no error");
  CHECK(error_text((*weights)->read({"weight", Shape{2, 3}, -1, {}, 1}))
            .find("the file holds 2x2, the model needs 2x3") != std::string::npos);
  CHECK(
      error_text((*weights)->read({"gate_up_proj", Shape{2, 2, 2}, -1, {}, 1})).find("no tensor \"experts.0.gate\"") !=
      std::string::npos);
}

TEST_CASE("MappedFile: a file that is cut off while it is mapped reads as zeros and says so", "[exec]") {
  const Scratch scratch;
  const std::string path = scratch.write("weights", std::string(100'000, 'x'));
  auto file = MappedFile::open(path);
  REQUIRE(file);
  CHECK_FALSE(file->changed());
  CHECK(file->bytes()[99'999] == std::byte{'x'});
  std::filesystem::resize_file(path, 10);
  CHECK(file->bytes()[99'999] == std::byte{0});
  CHECK(file->changed());
  CHECK(file->changed_error().message.find("changed while it was read") != std::string::npos);
}

TEST_CASE("piece_of: follows the analysis and ties", "[exec]") {
  const Model model = tiny_model("llama", R"(, "tie_word_embeddings": true)");
  AnalysisRequest request;
  request.parallelism.tp = 2;
  const auto analysis = analyze(model, request);
  REQUIRE(analysis);
  const auto down = piece_of(model, *analysis, "model.layers.1.mlp.down_proj.weight", 1);
  REQUIRE(down);
  CHECK(down->dim == 1);
  CHECK(down->ranges == std::vector<Range>{{64, 128}});
  CHECK(piece_of(model, *analysis, "lm_head.weight", 0)->name == "model.embed_tokens.weight");
  CHECK_FALSE(piece_of(model, *analysis, "model.nothing.weight", 0));
}

}  // namespace tpsim::exec
