#include "exec/memory_need.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

namespace tpsim::exec {
namespace {

std::optional<std::int64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

// "MemAvailable:   123 kB" -> bytes
std::optional<std::int64_t> free_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (std::int64_t value = 0; file >> name >> value; std::getline(file, unit))
    if (name == "MemAvailable:") return value * 1024;
  return std::nullopt;
}

// Version 2 of control groups, then version 1, as a container sees its own. Cached files count as used there, and the
// system gives them back.
std::optional<std::int64_t> free_in_group() {
  const std::string v2 = "/sys/fs/cgroup/", v1 = "/sys/fs/cgroup/memory/";
  for (const auto& [limit, used, statistics, cached] :
       {std::tuple{v2 + "memory.max", v2 + "memory.current", v2 + "memory.stat", "inactive_file"},
        {v1 + "memory.limit_in_bytes", v1 + "memory.usage_in_bytes", v1 + "memory.stat", "total_inactive_file"}}) {
    const auto most = number_in(limit), taken = number_in(used);
    if (!most || !taken) continue;
    std::ifstream file(statistics);
    std::string name;
    std::int64_t files = 0;
    for (std::int64_t value = 0; file >> name >> value;)
      if (name == cached) files = value;
    return *most - std::max<std::int64_t>(0, *taken - files);
  }
  return std::nullopt;
}

std::optional<std::int64_t> free_address_space() {
  rlimit limit{};
  const auto pages = number_in("/proc/self/statm");
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || !pages) return std::nullopt;
  return static_cast<std::int64_t>(limit.rlim_cur) - *pages * sysconf(_SC_PAGESIZE);
}

std::int64_t bytes_of(const RankMemory& memory) { return memory.weights + memory.kv_cache + memory.logits; }

std::string gib(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

}  // namespace

std::optional<std::int64_t> available_bytes() {
  std::optional<std::int64_t> least;
  for (const auto& bytes : {free_memory(), free_in_group(), free_address_space()})
    if (bytes && (!least || *bytes < *least)) least = std::max<std::int64_t>(0, *bytes);
  return least;
}

std::int64_t least_bytes(const PlanPasses& passes, int ranks_here, bool float64) {
  std::int64_t unsharded = 0, sharded = 0;
  for (const RankMemory& memory : passes.unsharded.back().analysis.memory) unsharded += bytes_of(memory);
  const auto& ranks = passes.sharded.back().analysis.memory;
  for (std::size_t r = 0; r < ranks.size() && r < static_cast<std::size_t>(ranks_here); ++r)
    sharded += bytes_of(ranks[r]);
  return std::max(unsharded, sharded) * (float64 ? 2 : 1);
}

Result<void> check_memory(std::int64_t needed, std::optional<std::int64_t> available, const char* parts) {
  if (!available || needed <= *available) return {};
  Error error =
      input_error("the run needs at least " + gib(needed) + " of memory, and " + gib(*available) + " are available");
  error.kind = ErrorKind::environment;
  error.details.push_back(parts);
  error.fixes = {"--set num_hidden_layers=N (fewer layers)", "--dtype bf16", "a machine with more memory"};
  return error;
}

}  // namespace tpsim::exec
