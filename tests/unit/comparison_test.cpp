#include "core/comparison.h"

#include <cmath>

#include "cli/fail_if.h"
#include "tests/catch.hpp"

namespace tpsim {
namespace {

Candidate timed(const std::string& machine, int ranks, std::vector<TimeShare> shares) {
  Figure decode{"decode", "us", 0, true, std::move(shares)};
  for (const TimeShare& share : decode.shares) decode.value += share.us;
  return {machine, machine, ranks, Verdict::right, {decode}, {}};
}

TEST_CASE("comparison: errors of equal kernels cancel on one machine", "[comparison]") {
  const Candidate a = timed("h100/forward", 4, {{"gemm", 1000, 0.2}, {"copy", 10, 0.2}});
  const Candidate b = timed("h100/forward", 4, {{"gemm", 1000, 0.2}, {"copy", 20, 0.2}});
  const FigureChange change = compare(a, b).figures.at(0);
  CHECK(change.change == Approx(10.0 / 1010));
  CHECK(change.band == Approx(10 * 0.2 / 1010));
  CHECK(change.differs);
}

TEST_CASE("comparison: errors of other machines do not cancel", "[comparison]") {
  const Candidate a = timed("h100/forward", 4, {{"gemm", 1000, 0.2}});
  const Candidate b = timed("h200/forward", 4, {{"gemm", 1010, 0.2}});
  const FigureChange change = compare(a, b).figures.at(0);
  CHECK(change.band == Approx(std::hypot(200.0, 202.0) / 1000));
  CHECK_FALSE(change.differs);
}

TEST_CASE("comparison: other kernels share half of their error between equal ranks only", "[comparison]") {
  const std::vector<TimeShare> x = {{"gemm 8", 100, 0.1}}, y = {{"gemm 9", 100, 0.1}};
  CHECK(compare(timed("m", 2, x), timed("m", 2, y)).figures.at(0).band == Approx(std::sqrt(200 - 100.0) / 100));
  CHECK(compare(timed("m", 2, x), timed("m", 4, y)).figures.at(0).band == Approx(std::sqrt(200.0) / 100));
}

TEST_CASE("comparison: exact figures differ by one, equal ones do not", "[comparison]") {
  Candidate a{"a", "m", 1, Verdict::right, {{"memory", "bytes", 1e11, true, {}}}, {}}, b = a;
  CHECK_FALSE(compare(a, b).figures.at(0).differs);
  b.figures[0].value += 1;
  CHECK(compare(a, b).figures.at(0).differs);
}

TEST_CASE("comparison: modules that came, went and changed", "[comparison]") {
  Candidate a{"a", "m",
              1,   Verdict::right,
              {},  {{"same", "colwise", 1, 0, 0, 1}, {"cut", "", 8, 0, 0, 1}, {"old", "", 1, 0, 0, 0}}};
  Candidate b{"b", "m",
              1,   Verdict::right,
              {},  {{"same", "colwise", 1, 0, 0, 1}, {"cut", "colwise", 4, 0, 0, 1}, {"new", "", 1, 0, 0, 0}}};
  const auto modules = compare(a, b).modules;
  REQUIRE(modules.size() == 3);
  CHECK(modules[0].after.strategy == "colwise");
  CHECK(modules[1].after.module.empty());
  CHECK(modules[2].before.module.empty());
}

TEST_CASE("fail-if: changes, sizes and bad forms", "[comparison]") {
  const Comparison c = compare(timed("m", 2, {{"k", 1000, 0}}), timed("m", 2, {{"k", 1060, 0}}));
  const auto met = [&](const char* text) { return *cli::holds(*cli::parse_fail_if(text), c); };
  CHECK(met("decode>+5%"));
  CHECK_FALSE(met("decode>+6.5%"));
  CHECK(met("decode>1.05ms"));
  CHECK_FALSE(met("decode<1ms"));
  CHECK_FALSE(cli::holds(*cli::parse_fail_if("decoed>+5%"), c));
  for (const char* text : {"", "decode", ">5%", "decode>", "decode>x%", "decode>5parsec", "decode>5%x"})
    CHECK_FALSE(cli::parse_fail_if(text));
}

}  // namespace
}  // namespace tpsim
