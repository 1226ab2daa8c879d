// A folder of its own for one test; it goes away with the object.
#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

namespace tpsim {

class Scratch {
public:
  Scratch() : root_(std::filesystem::temp_directory_path() / ("tpsim-test-" + std::to_string(std::random_device{}()))) {
    std::filesystem::create_directories(root_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path(const std::string& name) const { return (root_ / name).string(); }

  // Writes a file, with the folders it needs, and returns its path.
  std::string write(const std::string& name, std::string_view text) const {
    const std::filesystem::path file = root_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }

private:
  std::filesystem::path root_;
};

}  // namespace tpsim
