#include "cli/text.h"

#include <cmath>

#include "cli/sha256.h"
#include "cli/values.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

TEST_CASE("values: sizes with decimal and binary units", "[cli]") {
  CHECK(parse_size("4096") == 4096);
  CHECK(parse_size("4k") == 4000);
  CHECK(parse_size("128Ki") == 131072);
  CHECK(parse_size("2M") == 2'000'000);
  CHECK(parse_size("1gi") == 1LL << 30);
  for (const char* text : {"", "k", "4kb", "4 k", "1e3", "9223372036854775808", "9223372036854775807k", "4.5k"}) {
    INFO(text);
    CHECK(!parse_size(text));
  }
}

TEST_CASE("values: TP sizes as lists and ranges, ascending, once each", "[cli]") {
  CHECK(parse_tp("8,1,2,2")->sizes == std::vector<int>{1, 2, 8});
  CHECK(parse_tp("2..4,1")->sizes == std::vector<int>{1, 2, 3, 4});
  CHECK(parse_tp("valid")->valid);
  for (const char* text : {"", ",", "0", "-1", "1..", "..4", "4..1", "1025", "a"}) {
    INFO(text);
    CHECK(!parse_tp(text));
  }
}

TEST_CASE("text: numbers do not depend on the locale", "[cli]") {
  CHECK(fixed(1234.5, 2) == "1234.50");
  CHECK(fixed(std::nan(""), 2) == "-");
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(grouped(-1000) == "-1,000");
  CHECK(grouped(999) == "999");
  CHECK(percent(0.1234, 1) == "12.3%");
  CHECK(plural(1, "rule") == "1 rule");
  CHECK(plural(1000, "match", "matches") == "1,000 matches");
}

TEST_CASE("text: bytes in a fixed unit and in the unit that fits", "[cli]") {
  CHECK(bytes_number(141'107'412'992, Units::iec) == "131.42");
  CHECK(bytes_number(141'107'412'992, Units::si) == "141.11");
  CHECK(bytes_number(141'107'412'992, Units::bytes) == "141107412992");
  CHECK(bytes_text(26'843'545'600, Units::iec) == "25.00 GiB");
  CHECK(bytes_text(1023, Units::iec) == "1,023 B");
  CHECK(bytes_text(1000, Units::si) == "1.00 kB");
  CHECK(rate_text(3.35e12, "B/s") == "3.35 TB/s");
  CHECK(rate_text(989e12, "FLOP/s") == "989 TFLOP/s");
  CHECK(time_text(0.00106) == "1.06 ms");
  CHECK(time_text(9.2e-6) == "9.20 us");
}

TEST_CASE("text: widths count characters, not bytes", "[cli]") {
  CHECK(display_width("\xC3\xA9t\xC3\xA9") == 3);
  CHECK(padded("\xC3\xA9", 3, true) == "  \xC3\xA9");
  CHECK(cut_short("one all-gather of the output", 10) == "one all...");
  CHECK(cut_short("short", 10) == "short");
}

TEST_CASE("text: lines break at spaces", "[cli]") {
  CHECK(wrapped("a bb ccc dddd", 5) == std::vector<std::string>{"a bb", "ccc", "dddd"});
  CHECK(wrapped("toolongword x", 5) == std::vector<std::string>{"toolongword", "x"});
}

TEST_CASE("text: sizes as a list, runs of four and more as a range", "[cli]") {
  CHECK(size_list({1, 2, 4, 8}) == "1 2 4 8");
  CHECK(size_list({1, 2, 3, 4, 8}) == "1..4 8");
  CHECK(size_list({}).empty());
}

TEST_CASE("sha256: the test vectors of FIPS 180-4", "[cli]") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
