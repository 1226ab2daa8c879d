// A GPU (or CPU) and the links between the ranks, as data: sim/hardware/NAME.json, every constant with its source.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/result.h"
#include "core/units.h"

namespace tpsim {

struct Calibration;

// Where a number comes from, best first.
enum class NumberSource { measured, calibrated, transferred, spec };
const char* to_string(NumberSource source);

struct Link {
  std::string name;              // "NVLink 4"
  BytesPerSecond per_direction;  // one GPU to all its peers
  Seconds latency{};             // of one step of a ring, software included
  Seconds start{};               // of a collective, before its first step
  Seconds one_shot{};            // of an all-reduce by plain loads from the peers; 0 = peers cannot read each other
  bool shared = false;           // all ranks of a node share one path (PCIe through the host), no switch
};

struct Hardware {
  std::string name;   // "h100-sxm"
  std::string title;  // "NVIDIA H100 SXM5 80 GB"
  std::string vendor, architecture;
  std::string origin;  // "built-in" or the file
  Bytes memory;        // that a program can use
  BytesPerSecond memory_bandwidth;
  std::map<DType, FlopsPerSecond> peak;  // dense; dtypes without an entry run at the rate of the next wider one
  int multiprocessors = 0;
  Bytes l2_cache;  // last cache before memory, all of the device; 0 = not known
  int devices_per_node = 8;
  Link link;                   // inside a node
  Link network;                // between nodes, per device
  Bytes runtime_reserve;       // context, library handles, graphs: stated assumption
  Bytes communicator_reserve;  // the same for communicator buffers, with more than one rank
  Seconds kernel_floor{};      // shortest kernel inside a graph
  // Attained fraction of peak and of bandwidth by large kernels.
  double compute_efficiency = 0.7, attention_efficiency = 0.55, bandwidth_efficiency = 0.8, link_efficiency = 0.8,
         network_efficiency = 0.9;
  NumberSource source = NumberSource::spec;
  std::string calibration;                         // set of fitted constants that holds for it, "" = none
  std::shared_ptr<const Calibration> own_profile;  // takes that set's place: a user's
  std::map<std::string, std::string> sources;      // field ("memory", "link.latency") -> where the figure was read
};

// Dense rate of matrix products in that type: its own entry, or that of the next wider one.
FlopsPerSecond peak_rate(const Hardware& hardware, DType dtype);

// NAME of a catalogue entry (letter case aside) or a JSON file. Errors: unknown (with near names), fields missing, of
// the wrong type or impossible.
Result<Hardware> load_hardware(std::string_view name_or_file);
// One profile (docs/schema/hardware-profile.schema.json).
Result<Hardware> read_hardware(std::string_view text, const std::string& file);
std::vector<std::string> hardware_names();  // sorted

}  // namespace tpsim
