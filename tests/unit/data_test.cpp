#include "core/data.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>

#include "core/data_folders.h"
#include "tests/catch.hpp"

namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A folder of its own that goes away with the test.
class Scratch {
public:
  Scratch() : root_(fs::temp_directory_path() / ("tpsim-data-" + std::to_string(std::random_device{}()))) {
    fs::create_directories(root_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { fs::remove_all(root_); }

  fs::path operator/(const char* path) const { return root_ / path; }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }

private:
  fs::path root_;
};

bool is_data_file(const fs::path& path) {
  const bool in_plans = path.generic_string().starts_with("plans/");
  return path.extension() == ".json" || (in_plans && path.extension() == ".py");
}

}  // namespace

TEST_CASE("data: the binary holds every data file of the tree, byte for byte", "[data]") {
  std::set<std::string> expected;
  for (const char* folder : {"plans", "sim/hardware", "sim/calibration", "sim/stacks", "sim/measured"}) {
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && is_data_file(entry.path())) expected.insert(entry.path().generic_string());
    }
  }
  const std::vector<std::string> found = tpsim::list_data("");
  CHECK(std::set<std::string>(found.begin(), found.end()) == expected);
  for (const std::string& path : found) {
    INFO(path);
    CHECK(tpsim::find_data(path).value_or("") == read(path));
    CHECK(tpsim::data_origin(path) == "built-in:" + path);
  }
}

TEST_CASE("data: a path that is not there is not found", "[data]") {
  CHECK_FALSE(tpsim::find_data("plans/no_such_type/architecture.json"));
  CHECK_FALSE(tpsim::find_data(""));
  CHECK_FALSE(tpsim::find_data("plans/llama"));
  CHECK(tpsim::list_data("zzz").empty());
}

TEST_CASE("data: list gives the paths of a prefix in order", "[data]") {
  const std::vector<std::string> found = tpsim::list_data("plans/llama/");
  REQUIRE_FALSE(found.empty());
  CHECK(std::is_sorted(found.begin(), found.end()));
  CHECK(std::all_of(found.begin(), found.end(), [](const std::string& p) { return p.starts_with("plans/llama/"); }));
}

TEST_CASE("data folders: the first folder wins, and only data files are read", "[data]") {
  const Scratch scratch;
  scratch.write("a/plans/llama/architecture.json", "first");
  scratch.write("b/plans/llama/architecture.json", "second");
  scratch.write("b/plans/mine/plan.py", "{}");
  scratch.write("b/sim/hardware/mine.json", "gpu");
  scratch.write("b/plans/notes.txt", "no");
  scratch.write("b/other/x.json", "no");
  const auto data = tpsim::read_data_folders((scratch / "a").string() + "::" + (scratch / "b").string() + ":");
  CHECK(data.problems.empty());
  REQUIRE(data.files.size() == 3);
  CHECK(data.files.at("plans/llama/architecture.json").text == "first");
  CHECK(data.files.at("plans/llama/architecture.json").file == (scratch / "a/plans/llama/architecture.json").string());
  CHECK(data.files.at("plans/mine/plan.py").text == "{}");
  CHECK(data.files.at("sim/hardware/mine.json").text == "gpu");
}

TEST_CASE("data folders: none given means none read", "[data]") {
  CHECK(tpsim::read_data_folders("").files.empty());
  CHECK(tpsim::read_data_folders(":::").problems.empty());
}

TEST_CASE("data folders: what cannot be used is named", "[data]") {
  const Scratch scratch;
  scratch.write("file", "");
  scratch.write("huge/plans/x.json", "");
  fs::resize_file(scratch / "huge/plans/x.json", (std::uintmax_t{64} << 20) + 1);
  CHECK(tpsim::read_data_folders((scratch / "none").string()).problems ==
        std::vector<std::string>{"TPSIM_DATA: " + (scratch / "none").string() + ": No such file or directory"});
  CHECK(tpsim::read_data_folders((scratch / "file").string()).problems ==
        std::vector<std::string>{"TPSIM_DATA: " + (scratch / "file").string() + ": not a folder"});
  const auto huge = tpsim::read_data_folders((scratch / "huge").string());
  CHECK(huge.files.empty());
  CHECK(huge.problems ==
        std::vector<std::string>{"TPSIM_DATA: " + (scratch / "huge/plans/x.json").string() + ": over 64 MiB"});
}

TEST_CASE("data folders: links that lead in circles end", "[data]") {
  const Scratch scratch;
  scratch.write("a/plans/x/plan.json", "{}");
  fs::create_directory_symlink(scratch / "a", scratch / "a/plans/x/again");
  fs::create_symlink(scratch / "a/plans/self.json", scratch / "a/plans/self.json");
  const auto data = tpsim::read_data_folders((scratch / "a").string());
  CHECK(data.files.size() == 1);
  CHECK(data.files.count("plans/x/plan.json") == 1);
}
