// Data files that a user adds at run time.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

struct DataFile {
  std::string file;  // where it was read
  std::string text;
};

struct DataFolders {
  std::map<std::string, DataFile, std::less<>> files;  // by path below the folder: "plans/llama/architecture.json"
  std::vector<std::string> problems;                   // one line for each folder or file that could not be used
};

// Reads plans/**/*.json, plans/**/*.py and the JSON files below sim/hardware, sim/calibration and sim/stacks of every
// folder in `folders` (separated by ':'). The first folder wins. Linked folders are not entered; files over 64 MiB,
// more than 20,000 files or 256 MiB in all are not read.
DataFolders read_data_folders(std::string_view folders);

}  // namespace tpsim
