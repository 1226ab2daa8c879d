// What is known of the published tables: where they are, which GPUs run the same kernels.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

// GPUs of the published operator tables.
std::span<const std::string_view> published_gpus();
// Where the rows of a `source` column were published; the name itself for others.
std::string published_origin(std::string_view source);
// "H100-SXM" -> "h100-sxm".
std::string calibration_name(std::string_view gpu);
// GPUs that run the same kernels: their rows help where a GPU's own rows are missing.
std::vector<std::string> kernel_siblings(std::string_view gpu);
// The GPU whose elementwise kernels stand for those that were not measured on this one.
std::string elementwise_donor(std::string_view gpu);

}  // namespace tpsim
