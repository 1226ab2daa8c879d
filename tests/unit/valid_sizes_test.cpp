#include "core/valid_sizes.h"

#include "core/architecture.h"
#include "core/model_source.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

Model known(const char* id, const Dialect& dialect) {
  const auto source = open_model(id);
  REQUIRE(source);
  const auto architecture = load_architecture(source->config->model_type, dialect);
  REQUIRE(architecture);
  auto model = build_model(*architecture, *source->config);
  REQUIRE(model);
  return std::move(*model);
}

ValidSizes sizes_of(const char* id, int major, int minor) {
  AnalysisRequest request;
  request.dialect = Dialect{major, minor};
  return valid_sizes(known(id, request.dialect), request, 8);
}

using Pairs = std::vector<std::pair<int, int>>;

}  // namespace

TEST_CASE("valid sizes: kv heads end the list, and the message says so", "[sizes]") {
  const ValidSizes sizes = sizes_of("Qwen/Qwen3-30B-A3B", 5, 23);
  CHECK(sizes.tp == std::vector<int>{1, 2, 4});
  REQUIRE(sizes.limit);
  CHECK(sizes.limit->tp == 8);
  CHECK(sizes.limit->code == "TP102");
  CHECK_THAT(sizes.limit->message, Catch::Contains("4 key/value heads"));
}

TEST_CASE("valid sizes: pairs follow the meshes of the dialect", "[sizes]") {
  CHECK(sizes_of("Qwen/Qwen3-30B-A3B", 5, 23).tp_ep ==
        Pairs{{1, 2}, {1, 4}, {1, 8}, {2, 2}, {2, 4}, {2, 8}, {4, 4}, {4, 8}});
  for (const auto& [tp, ep] : sizes_of("Qwen/Qwen3-30B-A3B", 5, 15).tp_ep) CHECK(tp == ep);
  CHECK(sizes_of("llama-3.1-8b", 5, 23).tp_ep.empty());
}
