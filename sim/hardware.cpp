#include "sim/hardware.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "core/characters.h"
#include "core/data.h"
#include "core/suggest.h"
#include "core/text_file.h"

namespace tpsim {
namespace {

constexpr std::string_view kFolder = "sim/hardware/";
constexpr std::string_view kEnding = ".json";
constexpr std::size_t kMaxProfileBytes = 1u << 20;

bool is_path(std::string_view text) {
  std::error_code ignored;
  return text.find('/') != std::string_view::npos || text.ends_with(kEnding) || std::filesystem::exists(text, ignored);
}

Error unknown_hardware(std::string_view name) {
  const auto near = nearest(name, hardware_names(), 1);
  const std::string question = near.empty() ? "" : "; did you mean \"" + near.front() + "\"?";
  Error error = usage_error("no hardware \"" + std::string(name) + "\"" + question);
  error.details = {"list: tpsim hardware list"};
  error.fixes = {near.empty() ? "--hw FILE.json (docs/schema/hardware-profile.schema.json)" : "--hw " + near.front()};
  return error;
}

// Types of equal or greater width, nearest first.
std::vector<DType> wider(DType dtype) {
  switch (dtype) {
    case DType::int4: return {DType::fp8, DType::int8, DType::bf16, DType::fp16, DType::fp32};
    case DType::mxfp4: return {DType::fp8, DType::bf16, DType::fp16, DType::fp32};
    case DType::fp8:
    case DType::int8: return {DType::bf16, DType::fp16, DType::fp32};
    case DType::bf16: return {DType::fp16, DType::fp32};
    case DType::fp16: return {DType::bf16, DType::fp32};
    case DType::fp32:
    case DType::int64: return {DType::fp32};
  }
  return {};
}

}  // namespace

const char* to_string(NumberSource source) {
  switch (source) {
    case NumberSource::measured: return "measured";
    case NumberSource::calibrated: return "calibrated";
    case NumberSource::transferred: return "transferred";
    case NumberSource::spec: return "spec";
  }
  return "";
}

FlopsPerSecond peak_rate(const Hardware& hardware, DType dtype) {
  if (const auto own = hardware.peak.find(dtype); own != hardware.peak.end()) return own->second;
  for (const DType other : wider(dtype))
    if (const auto it = hardware.peak.find(other); it != hardware.peak.end()) return it->second;
  return {};
}

Result<Hardware> load_hardware(std::string_view name_or_file) {
  const std::string path = std::string(kFolder) + lower(name_or_file) + std::string(kEnding);
  if (const auto text = find_data(path)) return read_hardware(*text, data_origin(path));
  if (!is_path(name_or_file)) return unknown_hardware(name_or_file);
  const std::string file(name_or_file);
  const auto text = read_text_file(file, kMaxProfileBytes);
  if (!text) return text.error();
  return read_hardware(*text, file);
}

std::vector<std::string> hardware_names() {
  std::vector<std::string> names;
  for (const std::string& path : list_data(kFolder))
    if (path.ends_with(kEnding))
      names.push_back(path.substr(kFolder.size(), path.size() - kFolder.size() - kEnding.size()));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace tpsim
