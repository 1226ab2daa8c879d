// docs/shipped_plans.md lists what the check finds, no more and no less.
#include <fstream>
#include <regex>
#include <set>
#include <string>

#include "core/shipped_check.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

// Model type and code of every row: "| `lfm2`, `lfm3` | ... | TP107 | yes |".
std::set<std::pair<std::string, std::string>> listed() {
  std::set<std::pair<std::string, std::string>> rows;
  const std::regex type("`([a-z0-9_]+)`"), code("TP[0-9]{3}");
  std::ifstream page("docs/shipped_plans.md");
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string types = line.substr(0, line.find('|', 1));
    std::smatch found;
    REQUIRE(std::regex_search(line, found, code));
    for (std::sregex_iterator it(types.begin(), types.end(), type), end; it != end; ++it)
      rows.emplace((*it)[1], found[0]);
  }
  return rows;
}

std::set<std::pair<std::string, std::string>> found_broken() {
  std::set<std::pair<std::string, std::string>> rows;
  for (const ShippedResult& result : check_shipped(kNewestDialect, {2, 4}))
    if (result.state == ShippedState::broken) rows.emplace(result.model_type, result.verdicts.front().code);
  return rows;
}

}  // namespace

TEST_CASE("shipped plans: the page lists the broken ones with their codes", "[shipped]") {
  const auto broken = found_broken();
  CHECK(broken.size() >= 10);
  CHECK(listed() == broken);
}
