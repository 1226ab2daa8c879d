#include "core/diagnostic_catalogue.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/catch.hpp"

using namespace tpsim;

namespace {

// Codes that the sources can emit.
std::set<std::string> codes_in_sources() {
  std::set<std::string> codes;
  const std::regex code("\"(TP[1-9][0-9][0-9])\"");
  for (const char* folder : {"core", "sim", "cli"})
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".cpp" || entry.path().stem() == "diagnostic_catalogue") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const std::string source = text.str();
      for (std::sregex_iterator it(source.begin(), source.end(), code), end; it != end; ++it) codes.insert((*it)[1]);
    }
  return codes;
}

}  // namespace

TEST_CASE("diagnostic catalogue: every code in the sources is explained", "[diagnostic]") {
  const auto codes = codes_in_sources();
  REQUIRE(codes.contains("TP101"));
  for (const auto& code : codes) {
    INFO(code);
    CHECK(find_diagnostic(code) != nullptr);
  }
}

TEST_CASE("diagnostic catalogue: every code that is explained can come up", "[diagnostic]") {
  const auto codes = codes_in_sources();
  for (const auto& info : diagnostic_catalogue()) {
    INFO(info.code);
    CHECK(codes.contains(std::string(info.code)));
  }
}

TEST_CASE("diagnostic catalogue: sorted, without duplicates, every text there", "[diagnostic]") {
  const auto& all = diagnostic_catalogue();
  for (std::size_t i = 1; i < all.size(); ++i) CHECK(all[i - 1].code < all[i].code);
  for (const auto& info : all) {
    INFO(info.code);
    CHECK(!info.title.empty());
    CHECK(!info.cause.empty());
    CHECK((info.severity == Severity::note || (!info.example.empty() && !info.fix.empty())));
    const bool error = info.severity == Severity::error;
    CHECK((error == (info.code[2] == '1') || info.code == "TP111" || info.code == "TP112" || info.code == "TP210"));
    CHECK((info.code[2] != '3' || info.severity == Severity::note));
  }
}

TEST_CASE("diagnostic catalogue: unknown codes are not found", "[diagnostic]") {
  CHECK(find_diagnostic("TP999") == nullptr);
  CHECK(find_diagnostic("") == nullptr);
}
