#include "core/safetensors.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.hpp"

namespace tpsim {
namespace {

namespace fs = std::filesystem;

// A folder that disappears with the test.
class Scratch {
public:
  Scratch() : folder_(fs::temp_directory_path() / ("tpsim-safetensors-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Scratch() { fs::remove_all(folder_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

private:
  fs::path folder_;
};

std::string length_bytes(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>((length >> (8 * i)) & 0xFFu);
  return bytes;
}

std::string safetensors(const std::string& header, std::size_t data) {
  return length_bytes(header.size()) + header + std::string(data, '\0');
}

const std::string kGood = R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[4,2],"data_offsets":[4,20]},)"
                          R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})";

std::string fault(const std::string& header, std::size_t data) {
  const Scratch scratch;
  const auto result = read_safetensors(scratch.write("m.safetensors", safetensors(header, data)));
  INFO(header);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::input);
  CHECK_FALSE(result.error().where.empty());
  return result.error().message;
}

std::string tensor_fault(const std::string& entry, std::size_t data = 16) {
  return fault(R"({"t":)" + entry + "}", data);
}

std::string raw_fault(const std::string& bytes, const SafetensorsLimits& limits = {}) {
  const Scratch scratch;
  const auto result = read_safetensors(scratch.write("m.safetensors", bytes), limits);
  REQUIRE_FALSE(result);
  return result.error().message;
}

std::string index_fault(const std::string& text) {
  const Scratch scratch;
  const auto result = read_safetensors_index(scratch.write("i.json", text));
  INFO(text);
  REQUIRE_FALSE(result);
  return result.error().message;
}

}  // namespace

TEST_CASE("safetensors: names, shapes and places", "[safetensors]") {
  const Scratch scratch;
  const auto path = scratch.write("m.safetensors", safetensors(kGood, 20));
  const auto checkpoint = read_safetensors(path);
  REQUIRE(checkpoint);
  CHECK(checkpoint->files == std::vector<std::string>{path});
  REQUIRE(checkpoint->tensors.size() == 2);
  CHECK(checkpoint->tensors[0].name == "a");
  CHECK(checkpoint->tensors[0].shape == Shape{});
  CHECK(checkpoint->tensors[1].dtype == "BF16");
  CHECK(checkpoint->tensors[1].shape == Shape{4, 2});
  CHECK(checkpoint->tensors[1].bytes == 16);
  CHECK(checkpoint->tensors[1].begin == static_cast<std::int64_t>(8 + kGood.size() + 4));
  CHECK(checkpoint->total_size == 20);
  CHECK(checkpoint->declared_total_size == -1);
  CHECK(checkpoint->metadata == std::map<std::string, std::string>{{"format", "pt"}});
}

TEST_CASE("safetensors: padded headers, empty tensors, sub-byte and eight-dimensional ones", "[safetensors]") {
  const Scratch scratch;
  const auto reads = [&](const std::string& header, std::size_t data) {
    return read_safetensors(scratch.write("m.safetensors", safetensors(header, data))).has_value();
  };
  CHECK(reads("{}", 0));
  CHECK(reads("{}      ", 0));
  CHECK(reads(
      R"({"a":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
      2));
  CHECK(reads(R"({"a":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]}})", 3));
  CHECK(reads(R"({"a":{"dtype":"I64","shape":[1,1,1,1,1,1,1,1],"data_offsets":[0,8]}})", 8));
}

TEST_CASE("safetensors: a symbolic link is followed, as in a Hugging Face cache", "[safetensors]") {
  const Scratch scratch;
  scratch.write("blob", safetensors(kGood, 20));
  fs::create_symlink("blob", scratch.path("model.safetensors"));
  CHECK(read_safetensors(scratch.path("model.safetensors")));
}

TEST_CASE("safetensors: entries that lie", "[safetensors][error]") {
  const std::string t = "m.safetensors: tensor \"t\" ";
  CHECK(tensor_fault(R"({"dtype":"BF16","shape":[4,2],"data_offsets":[0,10]})", 10) ==
        t + "has data_offsets [0, 10] but BF16 [4, 2] needs 16 bytes");
  CHECK(tensor_fault("3") == t + "is an integer, not an object");
  CHECK(tensor_fault(R"({"shape":[],"data_offsets":[0,0]})") == t + "has no \"dtype\"");
  CHECK(tensor_fault(R"({"dtype":4,"shape":[],"data_offsets":[0,0]})") ==
        t + "has a dtype that is an integer, not a string");
  CHECK(tensor_fault(R"({"dtype":"Q4","shape":[],"data_offsets":[0,0]})") == t + "has the unknown dtype \"Q4\"");
  CHECK(tensor_fault(R"({"dtype":"U8","data_offsets":[0,0]})") == t + "has no \"shape\"");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":4,"data_offsets":[0,4]})") ==
        t + "has \"shape\" that is an integer, not a list");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[-4],"data_offsets":[0,4]})") ==
        t + "has the negative number -4 in \"shape\"");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[1.5],"data_offsets":[0,4]})") ==
        t + "has 1.5 in \"shape\", not a whole number of 64 bits");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":["4"],"data_offsets":[0,4]})") ==
        t + "has \"4\" in \"shape\", not a whole number of 64 bits");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]})") ==
        t + "has 9 dimensions; at most 8 are read");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[16]})") == t + "has no \"data_offsets\"");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[16],"data_offsets":[0]})") ==
        t + "has 1 data_offsets; a begin and an end are needed");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[16],"data_offsets":[-1,15]})") ==
        t + "has the negative number -1 in \"data_offsets\"");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[16],"data_offsets":[16,0]})") ==
        t + "ends before it begins: data_offsets [16, 0]");
  CHECK(tensor_fault(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,16]})") ==
        t + "has more bits than 64-bit arithmetic holds: U8 [4294967296, 4294967296]");
  CHECK(tensor_fault(R"({"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,16]})") ==
        t + "has more bits than 64-bit arithmetic holds: F64 [1152921504606846976]");
  CHECK(tensor_fault(R"({"dtype":"F4","shape":[3],"data_offsets":[0,2]})") == t + "does not fill whole bytes: F4 [3]");
}

TEST_CASE("safetensors: overlaps, holes and the end of the file", "[safetensors][error]") {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[8],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[8],"data_offsets":)" + b + "}}";
  };
  CHECK(fault(two("[0,8]", "[4,12]"), 12) ==
        "m.safetensors: tensor \"b\" overlaps \"a\": it starts at byte 4 of the data, that one ends at 8");
  CHECK(fault(two("[0,8]", "[10,18]"), 18) ==
        "m.safetensors: tensor \"b\" leaves a hole: it starts at byte 10 of the data, the one before ends at 8");
  CHECK(fault(two("[4,12]", "[12,20]"), 20) ==
        "m.safetensors: tensor \"a\" leaves a hole: it starts at byte 4 of the data, the one before ends at 0");
  const auto size = [&](std::size_t data) { return std::to_string(8 + two("[0,8]", "[8,16]").size() + data); };
  CHECK(fault(two("[0,8]", "[8,16]"), 10) ==
        "m.safetensors is cut off: header says " + size(16) + " bytes, file has " + size(10));
  CHECK(fault(two("[0,8]", "[8,16]"), 20) ==
        "m.safetensors holds bytes that no tensor owns: header says " + size(16) + " bytes, file has " + size(20));
  CHECK(fault(R"({"t":{"dtype":"U8","shape":[8],"data_offsets":[9223372036854775799,9223372036854775807]}})", 8) ==
        "m.safetensors: tensor \"t\" leaves a hole: it starts at byte 9223372036854775799 of the data, the one before "
        "ends at 0");
}

TEST_CASE("safetensors: headers that are not what they should be", "[safetensors][error]") {
  CHECK(fault("[]", 0) == "m.safetensors has a header that does not start with '{'");
  CHECK(fault("", 0) == "m.safetensors has a header that does not start with '{'");
  CHECK(fault("{\"a\":", 0).starts_with("m.safetensors: the header is not valid JSON: "));
  CHECK(fault(R"({"__metadata__":3})", 0) == "m.safetensors: \"__metadata__\" is an integer, not an object");
  CHECK(fault(R"({"__metadata__":{"a":3}})", 0) == "m.safetensors: metadata \"a\" is an integer, not a string");
  const std::string twice = R"("a":{"dtype":"U8","shape":[],"data_offsets":[0,1]})";
  CHECK(fault("{" + twice + "," + twice + "}", 1).find("\"a\"") != std::string::npos);
}

TEST_CASE("safetensors: files that are something else", "[safetensors][error]") {
  CHECK(raw_fault("") == "m.safetensors has 0 bytes; the length of the header alone takes 8");
  CHECK(raw_fault("1234567") == "m.safetensors has 7 bytes; the length of the header alone takes 8");
  CHECK(raw_fault("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n") ==
        "m.safetensors is a Git LFS pointer (63 bytes), not the weights");
  CHECK(raw_fault("<!DOCTYPE html><html>") == "m.safetensors is an HTML page, not a safetensors file");
  CHECK(raw_fault(std::string("PK\x03\x04", 4) + std::string(30, '\0')) ==
        "m.safetensors is a zip archive (a PyTorch .bin or .pt file?), not a safetensors file");
  CHECK(raw_fault("GGUF" + std::string(30, '\0')) == "m.safetensors is a GGUF file, not a safetensors file");
  CHECK(raw_fault(std::string(8, '\xFF') + "{}") ==
        "m.safetensors is cut off or not a safetensors file: its first 8 bytes announce a header of "
        "18,446,744,073,709,551,615 bytes, the file has 10");
}

TEST_CASE("safetensors: the LFS message names the header it would mean", "[safetensors][error]") {
  const Scratch scratch;
  const auto result = read_safetensors(scratch.write("m.safetensors", "version https://git-lfs.github.com/spec/v1\n"));
  REQUIRE_FALSE(result);
  CHECK(result.error().details ==
        std::vector<std::string>{
            "its first 8 bytes \"version \" would mean a header of 2,336,927,755,350,992,246 bytes"});
}

TEST_CASE("safetensors: limits", "[safetensors][error]") {
  CHECK(raw_fault(safetensors(std::string("{}") + std::string(98, ' '), 0), {50, 10}) ==
        "m.safetensors: header length 100 exceeds the 50-byte limit");
  CHECK(raw_fault(safetensors(kGood, 20), {1000, 2}) == "m.safetensors lists 3 tensors; the limit is 2");
}

TEST_CASE("safetensors: folders, pipes and absent files do not hang", "[safetensors][error]") {
  const Scratch scratch;
  const auto message = [](const std::string& path) { return read_safetensors(path).error().message; };
  CHECK(message(scratch.path("absent.safetensors")) == "absent.safetensors does not exist");
  fs::create_directory(scratch.path("folder.safetensors"));
  CHECK(message(scratch.path("folder.safetensors")) == "folder.safetensors is a folder, not a file");
  REQUIRE(::mkfifo(scratch.path("pipe.safetensors").c_str(), 0600) == 0);
  CHECK(message(scratch.path("pipe.safetensors")) ==
        "pipe.safetensors is a pipe, socket or device, not a regular file");
  CHECK(read_safetensors_index(scratch.path("pipe.safetensors")).error().message ==
        "pipe.safetensors is a pipe, socket or device, not a regular file");
}

TEST_CASE("index: shards beside it are read, missing ones and pointers give names", "[safetensors][index]") {
  const Scratch scratch;
  scratch.write("1.safetensors", safetensors(kGood, 20));
  scratch.write("3.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  const auto path = scratch.write("i.json", R"({"metadata":{"total_size":99,"note":"x","n":1.5},"weight_map":{
    "z":"2.safetensors","b":"1.safetensors","a":"1.safetensors","y":"3.safetensors","x":"2.safetensors"}})");
  const auto checkpoint = read_safetensors_index(path);
  REQUIRE(checkpoint);
  CHECK(checkpoint->files == std::vector<std::string>{scratch.path("2.safetensors"), scratch.path("1.safetensors"),
                                                      scratch.path("3.safetensors")});
  REQUIRE(checkpoint->tensors.size() == 2);
  CHECK(checkpoint->tensors[1].name == "b");
  CHECK(checkpoint->tensors[1].file == 1);
  CHECK(checkpoint->missing_files == std::vector<std::string>{scratch.path("2.safetensors")});
  CHECK(checkpoint->names_only == std::vector<std::string>{"x", "y", "z"});
  CHECK(checkpoint->total_size == 20);
  CHECK(checkpoint->declared_total_size == 99);
  CHECK(checkpoint->metadata.at("note") == "x");
}

TEST_CASE("index: total_size", "[safetensors][index]") {
  const Scratch scratch;
  const auto size = [&](const std::string& metadata) {
    const auto checkpoint = read_safetensors_index(scratch.write("i.json", "{" + metadata + R"("weight_map":{}})"));
    REQUIRE(checkpoint);
    return checkpoint->declared_total_size;
  };
  CHECK(size("") == -1);
  CHECK(size(R"("metadata":null,)") == -1);
  CHECK(size(R"("metadata":{"total_size":281241268224},)") == 281241268224);
  CHECK(size(R"("metadata":{"total_size":281241268224.0},)") == 281241268224);
  const std::string bad = "i.json: \"total_size\" is ";
  CHECK(index_fault(R"({"metadata":{"total_size":"9"},"weight_map":{}})") == bad + "\"9\", not a number of bytes");
  CHECK(index_fault(R"({"metadata":{"total_size":-9},"weight_map":{}})") == bad + "-9, not a number of bytes");
  CHECK(index_fault(R"({"metadata":{"total_size":1.5},"weight_map":{}})") == bad + "1.5, not a number of bytes");
  CHECK(index_fault(R"({"metadata":{"total_size":null},"weight_map":{}})") == bad + "null, not a number of bytes");
}

TEST_CASE("index: faults", "[safetensors][index][error]") {
  CHECK(index_fault("{}") == "i.json: it has no \"weight_map\", so it is not a checkpoint's index");
  CHECK(index_fault("[]") == "i.json is a list, not a checkpoint's index");
  CHECK(index_fault(R"({"weight_map":[]})") == "i.json: \"weight_map\" is a list, not an object");
  CHECK(index_fault(R"({"metadata":3,"weight_map":{}})") == "i.json: \"metadata\" is an integer, not an object");
  CHECK(index_fault(R"({"weight_map":{"a":3}})") == "i.json: the file of tensor \"a\" is an integer, not a string");
  CHECK(index_fault(R"({"weight_map":{"a":"../../etc/passwd"}})") ==
        "i.json: the file of tensor \"a\" leaves the folder of the index: \"../../etc/passwd\"");
  CHECK(index_fault(R"({"weight_map":{"a":"x/../../y"}})") ==
        "i.json: the file of tensor \"a\" leaves the folder of the index: \"x/../../y\"");
  CHECK(index_fault(R"({"weight_map":{"a":"/etc/passwd"}})") ==
        "i.json: the file of tensor \"a\" is an absolute path: \"/etc/passwd\"");
  CHECK(index_fault(R"({"weight_map":{"a":""}})") == "i.json: the file of tensor \"a\" is empty: \"\"");
}

TEST_CASE("index: a tensor that its shard lacks", "[safetensors][index][error]") {
  const Scratch scratch;
  scratch.write("1.safetensors", safetensors(kGood, 20));
  const auto result =
      read_safetensors_index(scratch.write("i.json", R"({"weight_map":{"a":"1.safetensors","c":"1.safetensors"}})"));
  REQUIRE_FALSE(result);
  CHECK(result.error().message == "i.json: tensor \"c\" is listed for 1.safetensors, which does not hold it");
}

TEST_CASE("index: indexes of public checkpoints", "[safetensors][index][samples]") {
  const fs::path folder = "../shared/samples/indexes";
  if (!fs::exists(folder)) {
    WARN("skipped: no " << folder);
    return;
  }
  int read = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto checkpoint = read_safetensors_index(entry.path().string());
    INFO(entry.path());
    REQUIRE(checkpoint);
    CHECK(checkpoint->declared_total_size > 0);
    CHECK(checkpoint->names_only.size() > 100);
    CHECK(checkpoint->missing_files.size() == checkpoint->files.size());
    ++read;
  }
  CHECK(read == 18);
}

}  // namespace tpsim
