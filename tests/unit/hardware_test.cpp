#include "sim/hardware.h"

#include <sys/stat.h>

#include <algorithm>

#include "sim/quantity.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"
#include "tests/scratch.h"

namespace tpsim {
namespace {

// A complete profile of round numbers.
const std::string kProfile = R"({
  "name": "toy", "title": "Toy 10 GB",
  "memory": "10 GiB", "memory_bandwidth": "2 TB/s",
  "peak": {"fp32": "10 TFLOP/s", "bf16": {"value": "100 TFLOP/s", "source": "toy data sheet"}},
  "multiprocessors": 100, "devices_per_node": 4,
  "link": {"name": "wire", "per_direction": "100 GB/s", "latency": "1 us", "start": "5 us", "one_shot": "4 us"},
  "network": {"name": "cable", "per_direction": "10 GB/s", "latency": "10 us", "start": "5 us"},
  "runtime_reserve": "1 GiB", "communicator_reserve": "512 MiB", "kernel_floor": "2 us",
  "compute_efficiency": 0.5, "attention_efficiency": 0.25, "bandwidth_efficiency": 0.5, "link_efficiency": 0.5,
  "network_efficiency": 1
})";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = kProfile;
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) { return error_text(read_hardware(text, "toy.json")); }

std::string error_after(const std::string& from, const std::string& to) { return error_of(replaced(from, to)); }

}  // namespace

TEST_CASE("parse_quantity: decimal and binary prefixes, rates, times", "[hardware]") {
  CHECK(parse_quantity("80 GB", Quantity::bytes) == 80e9);
  CHECK(parse_quantity("79.65 GiB", Quantity::bytes) == 79.65 * 1024 * 1024 * 1024);
  CHECK(parse_quantity("512B", Quantity::bytes) == 512);
  CHECK(parse_quantity("3.35 TB/s", Quantity::bytes_per_second) == Approx(3.35e12));
  CHECK(parse_quantity("900GBps", Quantity::bytes_per_second) == 900e9);
  CHECK(parse_quantity("400 Gbit/s", Quantity::bytes_per_second) == 50e9);
  CHECK(parse_quantity("989 TFLOP/s", Quantity::flops_per_second) == 989e12);
  CHECK(parse_quantity("1.5PFLOPS", Quantity::flops_per_second) == 1.5e15);
  CHECK(parse_quantity("2.6 us", Quantity::seconds) == Approx(2.6e-6));
  CHECK(parse_quantity("2.6 \u00b5s", Quantity::seconds) == Approx(2.6e-6));
  CHECK(parse_quantity("40 ns", Quantity::seconds) == Approx(4e-8));
}

TEST_CASE("parse_quantity: no number, no unit, another unit, or an unclear one is none", "[hardware]") {
  for (const char* text : {"", "GB", "80", "80 ", "80 gb", "80 GB/s", "80 GBx", "80  GB", "eighty GB", "80 XB", "80 iB",
                           "1e999 GB", "nan GB", "inf GB", "0x10 GB"})
    CHECK_FALSE(parse_quantity(text, Quantity::bytes));
  for (const char* text : {"3.35 TB", "3.35 Tb/s", "3.35 T/s", "3.35 /s", "3.35"})
    CHECK_FALSE(parse_quantity(text, Quantity::bytes_per_second));
  CHECK_FALSE(parse_quantity("5 m", Quantity::seconds));
  CHECK_FALSE(parse_quantity("989 TOPS", Quantity::flops_per_second));
}

TEST_CASE("read_hardware: text with units becomes typed values, with sources", "[hardware]") {
  const auto hardware = read_hardware(kProfile, "toy.json");
  REQUIRE(hardware);
  CHECK(hardware->memory.value == 10ll << 30);
  CHECK(hardware->memory_bandwidth.value == 2e12);
  CHECK(hardware->peak.at(DType::bf16).value == 100e12);
  CHECK(hardware->link.latency.count() == Approx(1e-6));
  CHECK(hardware->network.per_direction.value == 10e9);
  CHECK(hardware->origin == "toy.json");
  CHECK(hardware->source == NumberSource::spec);
  CHECK(hardware->sources.at("peak.bf16") == "toy data sheet");
  CHECK(hardware->sources.at("link.per_direction") == "as given in toy.json");
}

TEST_CASE("read_hardware: a key that names its unit holds a plain number", "[hardware]") {
  const auto hardware = read_hardware(replaced(R"("kernel_floor": "2 us")", R"("kernel_floor_us": 2)"), "toy.json");
  REQUIRE(hardware);
  CHECK(hardware->kernel_floor.count() == Approx(2e-6));
  const auto rate =
      read_hardware(replaced(R"("memory_bandwidth": "2 TB/s")", R"("memory_bandwidth_gb_per_s": 2000.0)"), "t");
  REQUIRE(rate);
  CHECK(rate->memory_bandwidth.value == 2e12);
}

TEST_CASE("read_hardware: a field that is unknown, missing or given twice", "[hardware]") {
  CHECK(error_after("\"memory_bandwidth\"", "\"memory_bandwith\"") ==
        "error: \"memory_bandwith\" is not a field of a hardware profile; did you mean \"memory_bandwidth\"?\n"
        "  --> toy.json\n");
  CHECK(error_after("\"start\": \"5 us\", \"one", "\"strat\": \"5 us\", \"one").find(R"(did you mean "link.start"?)") !=
        std::string::npos);
  CHECK(error_after(R"("multiprocessors": 100, )", "") ==
        "error: the hardware profile has no \"multiprocessors\"\n  --> toy.json\n");
  CHECK(error_after(R"("memory_bandwidth": "2 TB/s",)", "") ==
        "error: the hardware profile has no \"memory_bandwidth\"\n  --> toy.json\n"
        "  fix: add \"memory_bandwidth\": a rate such as \"3.35 TB/s\"\n");
  CHECK(error_after(R"("fp32": "10 TFLOP/s", "bf16": {"value": "100 TFLOP/s", "source": "toy data sheet"})",
                    R"("fp32": "10 TFLOP/s")") ==
        "error: the hardware profile has neither \"peak.bf16\" nor \"peak.fp16\"\n  --> toy.json\n");
  CHECK(error_after(R"("kernel_floor": "2 us")", R"("kernel_floor": "2 us", "kernel_floor_us": 2)") ==
        "error: \"kernel_floor\" is given twice, the second time as \"kernel_floor_us\"\n  --> toy.json\n");
  CHECK(error_after(R"("name": "toy", )", R"("name": "toy", "name": "twice", )").find("\"name\"") != std::string::npos);
}

TEST_CASE("read_hardware: a value of the wrong type or without its unit", "[hardware]") {
  CHECK(error_after(R"("2 TB/s")", "2000") ==
        "error: \"memory_bandwidth\" is 2000: expected a rate such as \"3.35 TB/s\", with its unit\n  --> toy.json\n");
  CHECK(error_after(R"("2 TB/s")", R"("2 Tb/s")") ==
        "error: \"memory_bandwidth\" is \"2 Tb/s\": expected a rate such as \"3.35 TB/s\"\n  --> toy.json\n");
  CHECK(error_after(R"("10 GiB")", "true") ==
        "error: \"memory\" is true: expected an amount of memory such as \"80 GB\" or \"79.65 GiB\"\n  --> toy.json\n");
  CHECK(error_after(R"("multiprocessors": 100)", R"("multiprocessors": "many")") ==
        "error: \"multiprocessors\" is \"many\": expected a whole number\n  --> toy.json\n");
  CHECK(error_after(R"("devices_per_node": 4)", R"("devices_per_node": 4.5)") ==
        "error: \"devices_per_node\" is 4.5: expected a whole number\n  --> toy.json\n");
  CHECK(error_after(R"("compute_efficiency": 0.5)", R"("compute_efficiency": "50 %")") ==
        "error: \"compute_efficiency\" is \"50 %\": expected a fraction such as 0.8\n  --> toy.json\n");
  CHECK(error_after(R"("kernel_floor": "2 us")", R"("kernel_floor_us": "2 us")") ==
        "error: \"kernel_floor_us\" is \"2 us\": expected a number, as its name holds the unit\n  --> toy.json\n");
  CHECK(error_after(R"("name": "toy")", R"("name": 7)") == "error: \"name\" is 7: expected a text\n  --> toy.json\n");
  CHECK(error_after(R"("one_shot": "4 us")", R"("shared": "yes")") ==
        "error: \"link.shared\" is \"yes\": expected true or false\n  --> toy.json\n");
  CHECK(
      error_after(R"("source": "toy data sheet")", R"("origin": "toy data sheet")") ==
      "error: \"peak.bf16\" is {\"value\": \"100 TFLOP/s\", \"origin\": \"toy data sheet\"}: expected {\"value\": ..., "
      "\"source\": \"where the figure was read\"}\n  --> toy.json\n");
  CHECK(error_after(R"("memory": "10 GiB")", R"("memory": {"size": "10 GiB"})") ==
        "error: \"memory\" is {\"size\": \"10 GiB\"}: expected a value, or {\"value\": ..., \"source\": \"...\"}\n"
        "  --> toy.json\n");
  CHECK(error_after(R"("name": "toy")", R"("name": "toy", "source": "hearsay")") ==
        "error: \"source\" is \"hearsay\": expected \"measured\", \"calibrated\", \"transferred\" or \"spec\"\n"
        "  --> toy.json\n");
}

TEST_CASE("read_hardware: a value that no device has", "[hardware]") {
  CHECK(error_after(R"("2 TB/s")", R"("0 TB/s")") ==
        "error: \"memory_bandwidth\" is \"0 TB/s\", which is impossible: at least 1 B/s and at most 1e18 B/s\n"
        "  --> toy.json\n");
  CHECK(error_after(R"("2 TB/s")", R"("-2 TB/s")").find("which is impossible") != std::string::npos);
  CHECK(error_after(R"("2 TB/s")", R"("2e9 TB/s")").find("which is impossible") != std::string::npos);
  CHECK(error_after(R"("10 TFLOP/s")", R"("1e30 TFLOP/s")") ==
        "error: \"peak.fp32\" is \"1e30 TFLOP/s\", which is impossible: at least 1 FLOP/s and at most 1e18 FLOP/s\n"
        "  --> toy.json\n");
  CHECK(error_after(R"("10 GiB")", R"("0 GB")") ==
        "error: \"memory\" is \"0 GB\", which is impossible: more than nothing and at most 1 EB\n  --> toy.json\n");
  CHECK(error_after(R"("kernel_floor": "2 us")", R"("kernel_floor": "2 s")") ==
        "error: \"kernel_floor\" is \"2 s\", which is impossible: 0 to 1 s\n  --> toy.json\n");
  CHECK(error_after(R"("devices_per_node": 4)", R"("devices_per_node": 0)") ==
        "error: \"devices_per_node\" is 0, which is impossible: a whole number from 1 to 1024\n  --> toy.json\n");
  CHECK(
      error_after(R"("link_efficiency": 0.5)", R"("link_efficiency": 85)") ==
      "error: \"link_efficiency\" is 85, which is impossible: a fraction from 0.001 to 1 of what the device could do\n"
      "  --> toy.json\n");
  CHECK(error_after(R"("compute_efficiency": 0.5)", R"("compute_efficiency": NaN)").find("compute_efficiency") !=
        std::string::npos);
}

TEST_CASE("read_hardware: text that is no profile", "[hardware]") {
  CHECK(error_of("[1, 2]") == "error: a hardware profile is a JSON object, this is a list\n  --> toy.json\n");
  CHECK(error_of("{\"name\": \"toy\"").find("toy.json") != std::string::npos);
  CHECK(error_of("").find("toy.json") != std::string::npos);
  CHECK(error_of(std::string(100, '[')).find("toy.json") != std::string::npos);
}

TEST_CASE("load_hardware: names in any letter case; near names for unknown ones", "[hardware]") {
  REQUIRE(load_hardware("h100-sxm"));
  CHECK(load_hardware("H100-SXM")->name == "h100-sxm");
  CHECK(error_text(load_hardware("h100sxm")) ==
        "error: no hardware \"h100sxm\"; did you mean \"h100-sxm\"?\n  list: tpsim hardware list\n"
        "  fix: --hw h100-sxm\n");
  CHECK(error_text(load_hardware("zx81")) ==
        "error: no hardware \"zx81\"\n  list: tpsim hardware list\n"
        "  fix: --hw FILE.json (docs/schema/hardware-profile.schema.json)\n");
  CHECK_FALSE(load_hardware(""));
  CHECK_FALSE(load_hardware("../hardware/h100-sxm"));
}

TEST_CASE("load_hardware: files, and what is none", "[hardware]") {
  const Scratch scratch;
  const auto hardware = load_hardware(scratch.write("toy.json", kProfile));
  REQUIRE(hardware);
  CHECK(hardware->name == "toy");
  CHECK(error_text(load_hardware(scratch.path("none.json"))).find("does not exist") != std::string::npos);
  CHECK(error_text(load_hardware(scratch.path(""))).find("is a folder, not a file") != std::string::npos);
  CHECK(error_text(load_hardware(scratch.write("huge.json", std::string(2u << 20, ' ')))).find("is larger than") !=
        std::string::npos);
  REQUIRE(mkfifo(scratch.path("pipe.json").c_str(), 0600) == 0);
  CHECK(error_text(load_hardware(scratch.path("pipe.json"))).find("is a pipe or device") != std::string::npos);
}

TEST_CASE("hardware catalogue: every profile loads under its file's name, each constant with a source", "[hardware]") {
  const auto names = hardware_names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  for (const char* name : {"a100-sxm-40gb", "a100-sxm", "a100-pcie", "h100-sxm", "h100-pcie", "h100-nvl", "h200",
                           "b200", "b300", "gb200", "l40s", "rtx-pro-6000", "a40", "mi300x", "generic-cpu"})
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  for (const auto& name : names) {
    INFO(name);
    const auto hardware = load_hardware(name);
    REQUIRE(error_text(hardware) == "no error");
    CHECK(hardware->name == name);
    CHECK(hardware->sources.size() >= 19);
    for (const auto& [field, source] : hardware->sources) {
      INFO(field);
      CHECK(source.find("as given in") == std::string::npos);
      CHECK(source.size() >= 10);
    }
  }
}

TEST_CASE("h100-sxm: the figures of its data sheet", "[hardware]") {
  const auto h = load_hardware("h100-sxm");
  REQUIRE(h);
  CHECK(h->memory.value == static_cast<std::int64_t>(79.65 * 1024 * 1024 * 1024));
  CHECK(h->memory_bandwidth.value == Approx(3.35e12));
  CHECK(h->peak.at(DType::bf16).value == 989e12);
  CHECK(h->peak.at(DType::fp8).value == 1979e12);
  CHECK(h->link.per_direction.value == 450e9);
  CHECK(h->devices_per_node == 8);
}

TEST_CASE("peak_rate: a type without a rate of its own runs at that of the next wider one", "[hardware]") {
  Hardware h;
  h.peak = {{DType::fp32, {10}}, {DType::bf16, {100}}};
  CHECK(peak_rate(h, DType::fp16).value == 100);
  CHECK(peak_rate(h, DType::fp8).value == 100);
  CHECK(peak_rate(h, DType::int4).value == 100);
  CHECK(peak_rate(h, DType::int64).value == 10);
  h.peak[DType::fp8] = {200};
  CHECK(peak_rate(h, DType::mxfp4).value == 200);
  CHECK(peak_rate(h, DType::fp8).value == 200);
}

}  // namespace tpsim
