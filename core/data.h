// Data files: compiled into the binary, and more from the folders in TPSIM_DATA (separated by ':', first wins), which
// override built-in ones of the same path.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

// `path` as in the source tree: "plans/llama/architecture.json", "sim/hardware/h100-sxm.json". The text lives as long
// as the process. None where no such file exists.
std::optional<std::string_view> find_data(std::string_view path);
// Where that text comes from: the file's path for TPSIM_DATA, "built-in:PATH" otherwise.
std::string data_origin(std::string_view path);
// All paths that start with `prefix`, sorted, without duplicates.
std::vector<std::string> list_data(std::string_view prefix);
// What in TPSIM_DATA could not be used, one line each, for a warning.
const std::vector<std::string>& data_problems();

}  // namespace tpsim
