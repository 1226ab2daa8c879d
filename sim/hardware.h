// A GPU (or CPU) and the links between the ranks, as data: sim/hardware/NAME.json, every constant with its source.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/result.h"
#include "core/units.h"

namespace tpsim {

// Where a number comes from, best first.
enum class NumberSource { measured, calibrated, transferred, spec };
const char* to_string(NumberSource source);

struct Link {
  std::string name;                   // "NVLink 4"
  BytesPerSecond per_direction;       // one GPU to all its peers
  Seconds latency{};                  // of one step of a ring, software included
};

struct Hardware {
  std::string name;          // "h100-sxm"
  std::string title;         // "NVIDIA H100 SXM5 80 GB"
  std::string vendor, architecture;
  std::string origin;        // "built-in" or the file
  Bytes memory;              // that a program can use
  BytesPerSecond memory_bandwidth;
  std::map<DType, FlopsPerSecond> peak;  // dense; dtypes without an entry run at the rate of the next wider one
  int multiprocessors = 0;
  int devices_per_node = 8;
  Link link;                 // inside a node
  Link network;              // between nodes, per device
  Bytes runtime_reserve;     // context, library handles, communicator buffers: stated assumption
  Seconds kernel_floor{};    // shortest kernel inside a graph
  // Attained fraction of peak and of bandwidth by large kernels.
  double compute_efficiency = 0.7, bandwidth_efficiency = 0.8, link_efficiency = 0.8;
  NumberSource source = NumberSource::spec;
  std::map<std::string, std::string> sources;  // field -> where the figure was read
};

// NAME of a catalogue entry or a JSON file. Errors: unknown (with near names), fields missing, of the wrong type or impossible.
Result<Hardware> load_hardware(std::string_view name_or_file);
Result<Hardware> read_hardware(std::string_view text, const std::string& file);
std::vector<std::string> hardware_names();  // sorted

}  // namespace tpsim
