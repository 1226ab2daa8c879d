#include "sim/kernels/published.h"

#include <algorithm>
#include <cctype>

namespace tpsim {
namespace {

struct Relation {
  std::string_view gpu;
  std::vector<std::string> others;
};

}  // namespace

std::span<const std::string_view> published_gpus() {
  static constexpr std::string_view kGpus[] = {"A100-80GB", "A100-SXM", "A40",      "B200-SXM", "B300-SXM",    "GB200",
                                               "H100-80GB", "H100-SXM", "H200-SXM", "L40S",     "RTX-PRO-6000"};
  return kGpus;
}

std::string published_origin(std::string_view source) {
  if (source == "vidur") return "microsoft/vidur commit 7d47513, data/profiling";
  if (source.starts_with("aic"))
    return "ai-dynamo/aiconfigurator commit 095f58a, systems/data (" + std::string(source) + ")";
  return std::string(source);
}

std::string calibration_name(std::string_view gpu) {
  std::string name(gpu);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::vector<std::string> kernel_siblings(std::string_view gpu) {
  static const std::vector<Relation> kRelations = {
      {"H100-SXM", {"H200-SXM"}},          {"H200-SXM", {"H100-SXM"}},          {"H100-80GB", {"H100-SXM"}},
      {"B200-SXM", {"B300-SXM", "GB200"}}, {"B300-SXM", {"B200-SXM", "GB200"}}, {"GB200", {"B200-SXM", "B300-SXM"}},
  };
  for (const Relation& r : kRelations)
    if (r.gpu == gpu) return r.others;
  return {};
}

std::string elementwise_donor(std::string_view gpu) {
  if (gpu == "A100-SXM") return "A100-80GB";
  if (gpu == "A100-80GB" || gpu == "H100-80GB") return "H100-SXM";
  if (gpu == "A40") return "L40S";
  if (gpu == "L40S" || gpu == "RTX-PRO-6000") return "A40";
  return "H100-80GB";
}

}  // namespace tpsim
