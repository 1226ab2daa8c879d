#include "gui/view/raster.h"

#include <algorithm>
#include <cmath>

namespace tpsim::gui {
namespace {

struct Box {
  int left, top, right, bottom;
};

class Canvas {
public:
  Canvas(Image& image, const Atlas& atlas) : image_(image), atlas_(atlas) {}

  void clip(Box box) {
    box_ = {std::max(box.left, 0), std::max(box.top, 0), std::min(box.right, image_.width),
            std::min(box.bottom, image_.height)};
  }

  void triangle(const ImDrawVert& a, const ImDrawVert& b, const ImDrawVert& c) {
    const float area = cross(a.pos, b.pos, c.pos);
    if (area == 0 || !std::isfinite(area)) return;
    const float low_x = std::min({a.pos.x, b.pos.x, c.pos.x}), high_x = std::max({a.pos.x, b.pos.x, c.pos.x});
    const float low_y = std::min({a.pos.y, b.pos.y, c.pos.y}), high_y = std::max({a.pos.y, b.pos.y, c.pos.y});
    const int left = bounded(std::floor(low_x), box_.left, box_.right),
              right = bounded(std::ceil(high_x), box_.left, box_.right);
    const int top = bounded(std::floor(low_y), box_.top, box_.bottom),
              bottom = bounded(std::ceil(high_y), box_.top, box_.bottom);
    const bool flat = a.col == b.col && a.col == c.col;
    const bool plain = same(a.uv, b.uv) && same(a.uv, c.uv);
    const float solid = plain ? sample(a.uv) : 0;
    const float scale = 1 / area;
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        const ImVec2 p(static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F);
        const float wa = cross(b.pos, c.pos, p) * scale, wb = cross(c.pos, a.pos, p) * scale, wc = 1 - wa - wb;
        if (!inside(wa, b.pos, c.pos, area) || !inside(wb, c.pos, a.pos, area) || !inside(wc, a.pos, b.pos, area))
          continue;
        const float cover =
            plain ? solid : sample({wa * a.uv.x + wb * b.uv.x + wc * c.uv.x, wa * a.uv.y + wb * b.uv.y + wc * c.uv.y});
        blend(x, y, flat ? a.col : mixed(a.col, b.col, c.col, wa, wb, wc), cover);
      }
    }
  }

private:
  static bool same(ImVec2 a, ImVec2 b) { return a.x == b.x && a.y == b.y; }
  static float cross(ImVec2 a, ImVec2 b, ImVec2 c) { return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x); }
  static int bounded(float v, int low, int high) {
    return static_cast<int>(std::clamp(v, static_cast<float>(low), static_cast<float>(std::max(low, high))));
  }

  // On an edge only one of the two triangles that share it draws.
  static bool inside(float weight, ImVec2 from, ImVec2 to, float area) {
    if (weight != 0) return weight > 0;
    const float dx = area > 0 ? to.x - from.x : from.x - to.x, dy = area > 0 ? to.y - from.y : from.y - to.y;
    return dy < 0 || (dy == 0 && dx > 0);
  }

  float texel(int x, int y) const {
    x = std::clamp(x, 0, atlas_.width - 1);
    y = std::clamp(y, 0, atlas_.height - 1);
    return static_cast<float>(atlas_.alpha[y * atlas_.width + x]) / 255;
  }

  float sample(ImVec2 uv) const {
    const float u = uv.x * static_cast<float>(atlas_.width) - 0.5F, v = uv.y * static_cast<float>(atlas_.height) - 0.5F;
    const float fu = std::floor(u), fv = std::floor(v), du = u - fu, dv = v - fv;
    const int x = static_cast<int>(fu), y = static_cast<int>(fv);
    return (texel(x, y) * (1 - du) + texel(x + 1, y) * du) * (1 - dv) +
           (texel(x, y + 1) * (1 - du) + texel(x + 1, y + 1) * du) * dv;
  }

  static ImU32 mixed(ImU32 a, ImU32 b, ImU32 c, float wa, float wb, float wc) {
    ImU32 out = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) {
      const float v = wa * static_cast<float>(a >> shift & 255) + wb * static_cast<float>(b >> shift & 255) +
                      wc * static_cast<float>(c >> shift & 255);
      out |= static_cast<ImU32>(std::clamp(v, 0.0F, 255.0F)) << shift;
    }
    return out;
  }

  void blend(int x, int y, ImU32 color, float cover) {
    const float alpha = cover * static_cast<float>(color >> IM_COL32_A_SHIFT & 255) / 255;
    if (alpha <= 0) return;
    std::uint8_t* pixel =
        &image_
             .rgb[(static_cast<std::size_t>(y) * static_cast<std::size_t>(image_.width) + static_cast<std::size_t>(x)) *
                  3];
    const unsigned shifts[] = {IM_COL32_R_SHIFT, IM_COL32_G_SHIFT, IM_COL32_B_SHIFT};
    for (int i = 0; i < 3; ++i)
      pixel[i] = static_cast<std::uint8_t>(static_cast<float>(pixel[i]) * (1 - alpha) +
                                           static_cast<float>(color >> shifts[i] & 255) * alpha + 0.5F);
  }

  Image& image_;
  const Atlas& atlas_;
  Box box_{};
};

Image filled(int width, int height, std::uint32_t color) {
  Image image{width, height, {}};
  image.rgb.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    image.rgb[i] = static_cast<std::uint8_t>(color >> 16);
    image.rgb[i + 1] = static_cast<std::uint8_t>(color >> 8);
    image.rgb[i + 2] = static_cast<std::uint8_t>(color);
  }
  return image;
}

}  // namespace

Image rasterise(const ImDrawData& data, const Atlas& atlas, std::uint32_t background) {
  Image image = filled(static_cast<int>(data.DisplaySize.x), static_cast<int>(data.DisplaySize.y), background);
  Canvas canvas(image, atlas);
  for (int n = 0; n < data.CmdListsCount; ++n) {
    const ImDrawList& list = *data.CmdLists[n];
    for (const ImDrawCmd& command : list.CmdBuffer) {
      if (command.UserCallback != nullptr) continue;
      const ImVec4 c = command.ClipRect;
      canvas.clip({static_cast<int>(c.x), static_cast<int>(c.y), static_cast<int>(c.z), static_cast<int>(c.w)});
      const ImDrawVert* vertices = list.VtxBuffer.Data + command.VtxOffset;
      const ImDrawIdx* indices = list.IdxBuffer.Data + command.IdxOffset;
      for (unsigned i = 0; i + 2 < command.ElemCount; i += 3)
        canvas.triangle(vertices[indices[i]], vertices[indices[i + 1]], vertices[indices[i + 2]]);
    }
  }
  return image;
}

double difference(const Image& a, const Image& b, int tolerance) {
  if (a.width != b.width || a.height != b.height || a.rgb.empty()) return 1;
  std::size_t differing = 0;
  for (std::size_t i = 0; i < a.rgb.size(); i += 3)
    for (std::size_t k = 0; k < 3; ++k)
      if (std::abs(a.rgb[i + k] - b.rgb[i + k]) > tolerance) {
        ++differing;
        break;
      }
  return static_cast<double>(differing) / (static_cast<double>(a.rgb.size()) / 3);
}

}  // namespace tpsim::gui
