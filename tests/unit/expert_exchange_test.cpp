// Tokens between the ranks of experts.
#include "sim/network/expert_exchange.h"

#include <cmath>

#include "core/data.h"
#include "core/json.h"
#include "sim/network/collectives.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim {
namespace {

// 10 us + 1 us per doubling of the ranks + 10 ns a token + bytes at 100 GB/s.
double expected_us(const ExchangeShape& s) {
  const double bytes = s.tokens * static_cast<double>(s.hidden) * 2 * remote_ranks(s.topk, s.ranks);
  return 10 + std::log2(s.ranks) + 0.01 * s.tokens + bytes / 1e5;
}

std::vector<MeasuredExchange> rows() {
  std::vector<MeasuredExchange> all;
  for (const int ranks : {2, 4, 8, 32})
    for (int k = 0; k <= 14; ++k) {
      MeasuredExchange r;
      r.gpu = "TOY";
      r.shape.tokens = std::exp2(k);
      r.shape.hidden = 4096;
      r.shape.topk = 8;
      r.shape.ranks = ranks;
      r.us = expected_us(r.shape);
      all.push_back(r);
    }
  return all;
}

}  // namespace

TEST_CASE("remote_ranks: experts spread at random", "[exchange]") {
  CHECK(remote_ranks(1, 2) == Approx(0.5));
  CHECK(remote_ranks(8, 1) == 0);
  // each of 3 others holds none of 2 experts with probability (3/4)^2
  CHECK(remote_ranks(2, 4) == Approx(3 * (1 - 9.0 / 16)));
  CHECK(remote_ranks(8, 1024) == Approx(8).epsilon(0.01));
}

TEST_CASE("exchange: fitted rows come back, other rank counts lie between", "[exchange]") {
  const ExchangeCalibration c = fit_exchange(rows());
  REQUIRE(c.models.size() == 1);
  ExchangeShape s = rows().front().shape;
  for (const int ranks : {2, 3, 4, 8, 16, 32})
    for (const double tokens : {1.0, 100.0, 5000.0, 100000.0}) {
      s.ranks = ranks;
      s.tokens = tokens;
      CHECK(exchange_time(s, c).us == Approx(expected_us(s)).epsilon(0.06));
    }
  s.ranks = 1;
  CHECK(exchange_time(s, c).us == 0);
  CHECK(exchange_time(s, {}).us == 0);
}

TEST_CASE("exchange: a type or phase not measured is transferred", "[exchange]") {
  const ExchangeCalibration c = fit_exchange(rows());
  ExchangeShape s = rows().back().shape;
  const Estimate own = exchange_time(s, c);
  CHECK(own.source == NumberSource::measured);
  CHECK(own.bound == Bound::network);
  s.dtype = DType::fp8;
  const Estimate other = exchange_time(s, c);
  CHECK(other.source == NumberSource::transferred);
  CHECK(other.band > own.band);
  CHECK(other.us < own.us);
}

TEST_CASE("exchange: the shipped one rises with tokens and reads back", "[exchange]") {
  const auto text = find_data("sim/calibration/gb200/collectives.json");
  REQUIRE(text);
  const auto document = parse_json(*text, "gb200");
  REQUIRE(document);
  const auto c = read_collective_calibration(*find(std::get<ValueObject>(document->data), "collectives"));
  REQUIRE(c);
  REQUIRE(c->exchange.models.size() == 6);
  CHECK(*read_exchange_calibration(to_value(c->exchange)) == c->exchange);
  for (const auto phase : {ExchangePhase::prepare, ExchangePhase::dispatch, ExchangePhase::combine})
    for (const int ranks : {2, 4, 8, 16, 32, 64}) {
      ExchangeShape s{phase, 1, 7168, 8, ranks, DType::bf16};
      double last = 0;
      for (double tokens = 1; tokens < 2e6; tokens *= 1.3) {
        s.tokens = tokens;
        const double now = exchange_time(s, c->exchange).us;
        CHECK(now > last * 0.97);
        last = now;
      }
    }
}

TEST_CASE("exchange: rows of a table, and what is wrong with them", "[exchange]") {
  const std::string head = "gpu,op,dtype,tokens_per_rank,hidden,topk,ranks,time_us\n";
  const auto read = [&](const std::string& row) { return read_exchanges(*parse_measured(head + row, "m.csv")); };
  const auto good = read("GB200,dispatch,fp8,64,7168,8,4,13.2\n");
  REQUIRE(good);
  CHECK(good->at(0).shape.dtype == DType::fp8);
  CHECK(error_text(read("GB200,route,fp8,64,7168,8,4,13.2\n")).find("expected prepare, dispatch or combine") !=
        std::string::npos);
  CHECK(error_text(read("GB200,dispatch,fp8,-1,7168,8,4,13.2\n")).find("m.csv:2") != std::string::npos);
}

}  // namespace tpsim
