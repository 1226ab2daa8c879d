// Draws ImGui's triangles into memory, so that pictures need no graphics library and are the same everywhere.
#pragma once

#include <imgui.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace tpsim::gui {

struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  // 3 bytes a pixel, from the upper left
};

// The font atlas: alpha only.
struct Atlas {
  int width = 0, height = 0;
  const unsigned char* alpha = nullptr;
};

Image rasterise(const ImDrawData& data, const Atlas& atlas, std::uint32_t background);

Result<void> write_png(const Image& image, const std::string& path);
// Share of pixels that differ by more than `tolerance` in a channel; 1 where the sizes differ.
double difference(const Image& a, const Image& b, int tolerance);
Result<Image> read_png(const std::string& path);

}  // namespace tpsim::gui
