#include "core/mesh.h"

#include "tests/catch.hpp"

namespace tpsim {
namespace {

DeviceMesh mesh_of(const std::string& text) {
  auto mesh = parse_mesh(text);
  REQUIRE(mesh);
  return *mesh;
}

std::string fault_of(const std::string& text) {
  const auto mesh = parse_mesh(text);
  REQUIRE_FALSE(mesh);
  return mesh.error().message;
}

}  // namespace

TEST_CASE("mesh: text with and without names", "[mesh]") {
  CHECK(mesh_of("4").sizes == std::vector<int>{4});
  CHECK(mesh_of("2x4").sizes == std::vector<int>{2, 4});
  CHECK(mesh_of("2x4").names == std::vector<std::string>{"dim0", "dim1"});
  CHECK(mesh_of("dp=2, tp=4").names == std::vector<std::string>{"dp", "tp"});
  for (const char* text : {"4", "2x4", "dp=2,tp=4"}) CHECK(to_string(mesh_of(text)) == text);
}

TEST_CASE("mesh: ranks are row-major, the last dimension fastest", "[mesh]") {
  const auto mesh = mesh_of("2x3x4");
  CHECK(mesh.ranks() == 24);
  CHECK(mesh.coordinate(17) == std::vector<int>{1, 1, 1});
  for (int rank = 0; rank < 24; ++rank) CHECK(mesh.rank(mesh.coordinate(rank)) == rank);
}

TEST_CASE("mesh: sub-meshes by name", "[mesh]") {
  const auto mesh = mesh_of("pp=2,dp=2,tp=2");
  CHECK(*submesh(mesh, {"tp"}, 5) == std::vector<int>{4, 5});
  CHECK(*submesh(mesh, {"pp"}, 5) == std::vector<int>{1, 5});
  CHECK(*submesh(mesh, {"dp", "tp"}, 5) == std::vector<int>{4, 5, 6, 7});
  CHECK(*submesh(mesh, {"tp", "pp"}, 0) == std::vector<int>{0, 4, 1, 5});
  CHECK(submesh(mesh, {"ep"}, 0).error().message == "mesh pp=2,dp=2,tp=2 has no dimension \"ep\"");
  CHECK(submesh(mesh, {"tp", "tp"}, 0).error().message == "mesh dimension \"tp\" is named twice");
}

TEST_CASE("mesh: groups along a dimension", "[mesh]") {
  const auto mesh = mesh_of("2x4");
  CHECK(groups_along(mesh, 0) == std::vector<std::vector<int>>{{0, 4}, {1, 5}, {2, 6}, {3, 7}});
  CHECK(groups_along(mesh, 1) == std::vector<std::vector<int>>{{0, 1, 2, 3}, {4, 5, 6, 7}});
}

TEST_CASE("mesh: faults", "[mesh]") {
  CHECK(fault_of("0") == "a mesh dimension of size 0; the smallest is 1");
  CHECK(fault_of("2x-4") == "a mesh dimension of size -4; the smallest is 1");
  CHECK(fault_of("100000") == "a mesh of more than 65536 ranks");
  CHECK(fault_of("65536x65536x65536x65536x65536") == "a mesh of more than 65536 ranks");
  CHECK(fault_of("99999999999999999999") == "\"99999999999999999999\" is not a mesh");
  CHECK(fault_of("1x1x1x1x1x1x1x1x1") == "a mesh of 9 dimensions; at most 8 are supported");
  CHECK(fault_of("tp=2,tp=2") == "two mesh dimensions are called \"tp\"");
  CHECK(fault_of("=2") == "a mesh dimension has an empty name");
  for (const char* text : {"", "x", "2x", "2 4", "tp=", "tp=2,4", "2.5"})
    CHECK(fault_of(text) == "\"" + std::string(text) + "\" is not a mesh");
  CHECK(make_mesh({}).error().message == "a mesh needs at least one dimension");
  CHECK(make_mesh({2, 2}, {"tp"}).error().message == "a mesh of 2 dimensions with 1 names");
}

}  // namespace tpsim
