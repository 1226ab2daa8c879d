#include "core/redistribute.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "tests/catch.hpp"

namespace tpsim {
namespace {

DeviceMesh mesh_of(const std::string& text) {
  auto mesh = parse_mesh(text);
  REQUIRE(mesh);
  return *mesh;
}

std::vector<Placement> placements_of(const std::string& text) {
  auto placements = parse_placements(text);
  REQUIRE(placements);
  return *placements;
}

Redistribution redistribute_text(const std::string& shape, const std::string& mesh, const std::string& from,
                                 const std::string& to, DeviceKind device = DeviceKind::cpu) {
  auto result =
      redistribute(*parse_shape(shape), mesh_of(mesh), placements_of(from), placements_of(to), {device, DType::fp32});
  REQUIRE(result);
  return *result;
}

std::string shapes_text(const std::vector<LocalShard>& shards) {
  std::string text;
  for (const auto& shard : shards) text += (text.empty() ? "" : " ") + to_string(shard.shape);
  return text;
}

std::vector<std::string> collectives_text(const Redistribution& result) {
  std::vector<std::string> lines;
  for (const auto& step : result.steps)
    if (step.op) lines.push_back(std::string(to_string(*step.op)) + " " + to_string(step.input));
  return lines;
}

std::int64_t sum_of(const std::vector<Range>& ranges) {
  std::int64_t sum = 0;
  for (const auto& r : ranges) sum += (r.begin + r.end - 1) * r.size() / 2;
  return sum;
}

// Sum of a rank's values where the global tensor holds 0, 1, 2, ... in row-major order: per dimension stride times the
// sum of its indices, times how often each index occurs.
std::int64_t sum_of_values(const LocalShard& shard, const Shape& global) {
  std::int64_t sum = 0, stride = 1;
  for (int dim = global.rank() - 1; dim >= 0; --dim) {
    std::int64_t repeats = 1;
    for (int other = 0; other < global.rank(); ++other) repeats *= other == dim ? 1 : shard.shape[other];
    sum += stride * repeats * sum_of(shard.ranges[static_cast<std::size_t>(dim)]);
    stride *= global[dim];
  }
  return sum;
}

// Summed over the ranks, every partial value counts as often as it is held.
std::int64_t reduction_factor(const DeviceMesh& mesh, const Redistribution& result) {
  std::int64_t factor = 1;
  for (int dim = 0; dim < mesh.dims(); ++dim)
    if (std::holds_alternative<Partial>(result.from[static_cast<std::size_t>(dim)])) factor *= mesh.size(dim);
  return factor;
}

// Row-major positions of a rank's elements, sorted.
std::vector<std::int64_t> elements(const LocalShard& shard, const Shape& shape) {
  std::vector<std::int64_t> offsets = {0};
  std::int64_t stride = shape.numel();
  for (int dim = 0; dim < shape.rank(); ++dim) {
    stride /= shape[dim];
    std::vector<std::int64_t> next;
    for (auto offset : offsets)
      for (const auto& range : shard.ranges[static_cast<std::size_t>(dim)])
        for (auto i = range.begin; i < range.end; ++i) next.push_back(offset + i * stride);
    offsets = std::move(next);
  }
  std::sort(offsets.begin(), offsets.end());
  return offsets;
}

std::vector<LocalShard> shards_of(const Shape& shape, const DeviceMesh& mesh,
                                  const std::vector<Placement>& placements) {
  std::vector<LocalShard> shards;
  for (int rank = 0; rank < mesh.ranks(); ++rank) shards.push_back(local_shard(shape, mesh, placements, rank));
  return shards;
}

// Each element of the global tensor must be held by `copies` ranks exactly.
void require_tiling(const Shape& shape, const std::vector<LocalShard>& shards, int copies) {
  std::vector<int> held(static_cast<std::size_t>(shape.numel()), 0);
  for (const auto& shard : shards) {
    const auto offsets = elements(shard, shape);
    REQUIRE(static_cast<std::int64_t>(offsets.size()) == shard.shape.numel());
    for (auto offset : offsets) ++held[static_cast<std::size_t>(offset)];
  }
  for (int count : held) REQUIRE(count == copies);
}

// What a rank holds after a step must have been in its group (for local steps: in its own shard) before.
void require_reachable(const Shape& shape, const DeviceMesh& mesh, const RedistributeStep& step,
                       const std::vector<LocalShard>& before, const std::vector<LocalShard>& after) {
  for (const auto& group : groups_along(mesh, step.mesh_dim))
    for (int rank : group) {
      std::set<std::int64_t> available;
      for (int peer : group) {
        if (!step.op && peer != rank) continue;
        for (auto offset : elements(before[static_cast<std::size_t>(peer)], shape)) available.insert(offset);
      }
      for (auto offset : elements(after[static_cast<std::size_t>(rank)], shape)) REQUIRE(available.contains(offset));
    }
}

int copies_of(const DeviceMesh& mesh, const std::vector<Placement>& placements) {
  int copies = 1;
  for (int dim = 0; dim < mesh.dims(); ++dim)
    if (cut_dim(placements[static_cast<std::size_t>(dim)]) < 0) copies *= mesh.size(dim);
  return copies;
}

}  // namespace

TEST_CASE("redistribute: agrees with every recorded DTensor run", "[redistribute][oracle]") {
  std::ifstream file("tests/fixtures/oracle/dtensor.json");
  REQUIRE(file);
  const auto records = nlohmann::json::parse(file);
  REQUIRE(records.size() == 234);
  for (const auto& record : records) {
    const std::string shape = record["shape"], mesh = record["mesh"], from = record["from"], to = record["to"];
    INFO("mesh " << mesh << " shape " << shape << ": " << from << " -> " << to);
    const auto result = redistribute_text(shape, mesh, from, to);
    CHECK(shapes_text(result.before) == record["before"].get<std::string>());
    CHECK(shapes_text(result.after) == record["after"].get<std::string>());
    CHECK(collectives_text(result) == record["ops"].get<std::vector<std::string>>());
    std::vector<std::int64_t> sums;
    for (const auto& shard : result.after)
      sums.push_back(sum_of_values(shard, *parse_shape(shape)) * reduction_factor(mesh_of(mesh), result));
    CHECK(sums == record["sum"].get<std::vector<std::int64_t>>());
  }
}

TEST_CASE("redistribute: shard to shard is one all-to-all on GPUs", "[redistribute]") {
  const auto result = redistribute_text("7x5", "2", "S(0)", "S(1)", DeviceKind::cuda);
  CHECK(collectives_text(result) == std::vector<std::string>{"all_to_all 4x6"});
  CHECK(result.steps[0].payload_bytes == 4 * 6 * 4);
  CHECK(result.steps[0].wire_bytes_per_rank == 4 * 6 * 4 / 2);
}

TEST_CASE("redistribute: bytes of an all-gather count the gathered tensor", "[redistribute]") {
  const auto result = redistribute_text("8192x28672", "8", "Shard(0)", "Replicate", DeviceKind::cuda);
  REQUIRE(result.steps.size() == 1);
  CHECK(result.steps[0].input == Shape{1024, 28672});
  CHECK(result.steps[0].numel == 1024 * 28672);
  CHECK(result.steps[0].payload_bytes == std::int64_t{8192} * 28672 * 4);
  CHECK(result.steps[0].wire_bytes_per_rank == std::int64_t{7} * 1024 * 28672 * 4);
}

TEST_CASE("redistribute: a mesh dimension of one rank needs no collective", "[redistribute]") {
  const auto result = redistribute_text("8x6", "1x2", "S(0),S(1)", "R,S(1)");
  CHECK(collectives_text(result).empty());
  REQUIRE(result.steps.size() == 1);
  CHECK(result.steps[0].group == 1);
}

TEST_CASE("redistribute: equal placements need nothing", "[redistribute]") {
  CHECK(redistribute_text("8x6", "2x2", "S(0),P", "S(-2),Partial(sum)").steps.empty());
}

TEST_CASE("redistribute: replicate to partial is local", "[redistribute]") {
  const auto result = redistribute_text("8x6", "4", "R", "Partial(avg)");
  REQUIRE(result.steps.size() == 1);
  CHECK_FALSE(result.steps[0].op);
}

TEST_CASE("redistribute: impossible transitions say why", "[redistribute]") {
  const auto message = [](const std::string& from, const std::string& to) {
    const auto result = redistribute({8, 6}, mesh_of("2"), placements_of(from), placements_of(to));
    REQUIRE_FALSE(result);
    REQUIRE_FALSE(result.error().message.empty());
    return result.error().message;
  };
  CHECK(message("S(0)", "P") == "mesh dimension dim0: Shard(0) cannot become Partial(sum)");
  CHECK(message("S(0)", "Partial(max)") == "mesh dimension dim0: Shard(0) cannot become Partial(max)");
  CHECK(message("P", "Partial(avg)") == "mesh dimension dim0: Partial(sum) cannot become Partial(avg)");
  CHECK(message("R", "Partial(product)") == "mesh dimension dim0: Replicate cannot become Partial(product)");
  CHECK(message("S(2)", "R") == "Shard(2) cuts a dimension that a tensor of shape 8x6 lacks");
  CHECK(message("S(-3)", "R") == "Shard(-3) cuts a dimension that a tensor of shape 8x6 lacks");
  CHECK(message("R,R", "R") == "mesh 2 has 1 dimensions, 2 placements are given; one per dimension is needed");
}

TEST_CASE("redistribute: sizes beyond 64 bits are refused", "[redistribute]") {
  const Shape huge{std::int64_t{1} << 40, std::int64_t{1} << 40};
  const auto result = redistribute(huge, mesh_of("2"), placements_of("S(0)"), placements_of("R"));
  REQUIRE_FALSE(result);
  CHECK(result.error().message ==
        "a tensor of shape 1099511627776x1099511627776 has more bits than 64-bit arithmetic holds");
  CHECK_FALSE(redistribute({8, 6}, mesh_of("65536"), placements_of("StridedShard(0,4096)"), placements_of("R")));
}

TEST_CASE("redistribute: a strided shard holds a piece of each block", "[redistribute][strided]") {
  // torch's own example: 9 rows, 2 blocks, 4 ranks hold rows 0 1 5 | 2 3 6 | 4 7 | 8.
  const auto result = redistribute_text("9", "4", "_S(0,2)", "R");
  CHECK(shapes_text(result.before) == "3 3 2 1");
  CHECK(result.before[0].ranges[0] == std::vector<Range>{{0, 2}, {5, 6}});
  CHECK(result.before[1].ranges[0] == std::vector<Range>{{2, 4}, {6, 7}});
  CHECK(result.before[2].ranges[0] == std::vector<Range>{{4, 5}, {7, 8}});
  CHECK(result.before[3].ranges[0] == std::vector<Range>{{8, 9}});
  CHECK(collectives_text(result) == std::vector<std::string>{"all_gather 3"});
}

TEST_CASE("redistribute: strided and plain shards meet at Replicate", "[redistribute][strided]") {
  CHECK(collectives_text(redistribute_text("8x6", "2", "_S(0,2)", "S(0)")) ==
        std::vector<std::string>{"all_gather 4x6"});
  CHECK(collectives_text(redistribute_text("8x6", "2", "P", "_S(0,2)")) == std::vector<std::string>{"all_reduce 8x6"});
  CHECK(collectives_text(redistribute_text("8x6", "2", "R", "_S(0,2)")).empty());
}

TEST_CASE("redistribute: the 2-D FSDP + TP layout of torch's documentation", "[redistribute][strided]") {
  const auto mesh = mesh_of("dp=2,tp=2");
  const auto placements = placements_of("_StridedShard(0, split_factor=2), Shard(0)");
  std::vector<Range> rows;
  for (int rank = 0; rank < 4; ++rank) {
    const auto shard = local_shard({8, 8}, mesh, placements, rank);
    REQUIRE(shard.ranges[0].size() == 1);
    rows.push_back(shard.ranges[0][0]);
  }
  CHECK(rows == std::vector<Range>{{0, 2}, {4, 6}, {2, 4}, {6, 8}});
}

TEST_CASE("redistribute: random shards tile the tensor before, between and after", "[redistribute][property]") {
  std::mt19937 random(7);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const std::vector<std::string> meshes = {"2", "3", "5", "2x2", "2x3", "3x1x2", "2x2x2"};
  for (int round = 0; round < 200; ++round) {
    const auto mesh = mesh_of(meshes[static_cast<std::size_t>(pick(7))]);
    const Shape shape{1 + pick(9), 1 + pick(7), 1 + pick(4)};
    const auto any = [&] {
      std::vector<Placement> placements;
      for (int dim = 0; dim < mesh.dims(); ++dim) {
        const int kind = pick(4);
        placements.push_back(kind == 0   ? Placement(Replicate{})
                             : kind == 3 ? Placement(StridedShard{pick(3), 2 + pick(2)})
                                         : Placement(Shard{pick(3)}));
      }
      return placements;
    };
    const auto result = redistribute(shape, mesh, any(), any(), {pick(2) == 0 ? DeviceKind::cpu : DeviceKind::cuda});
    REQUIRE(result);
    require_tiling(shape, result->before, copies_of(mesh, result->from));
    require_tiling(shape, result->after, copies_of(mesh, result->to));
    auto placements = result->from;
    for (const auto& step : result->steps) {
      REQUIRE(placements[static_cast<std::size_t>(step.mesh_dim)] == step.from);
      const auto before = shards_of(shape, mesh, placements);
      placements[static_cast<std::size_t>(step.mesh_dim)] = step.to;
      REQUIRE(placements == step.after);
      const auto after = shards_of(shape, mesh, placements);
      require_tiling(shape, after, copies_of(mesh, placements));
      require_reachable(shape, mesh, step, before, after);
    }
    REQUIRE(placements == result->to);
  }
}

}  // namespace tpsim
