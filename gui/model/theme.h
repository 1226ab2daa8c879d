// Colour sets, and the measure by which they are judged: difference under simulated colour blindness, and contrast.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace tpsim::gui {

using Rgb = std::uint32_t;  // 0xRRGGBB

struct Theme {
  std::string name;
  Rgb background, panel, raised, line, text, dim, accent, side_a, side_b;
  // colwise, rowwise, gather and embedding, sequence, replicate, experts, packed, problem
  std::array<Rgb, 8> strategy;
};
const Theme& dark_theme();
const Theme& light_theme();

// Machado, Oliveira, Fernandes 2009, severity 1.
enum class Vision { normal, protan, deutan, tritan };
Rgb seen_by(Rgb color, Vision vision);
double color_difference(Rgb a, Rgb b);  // CIEDE2000
double contrast(Rgb a, Rgb b);          // WCAG 2, 1 to 21

}  // namespace tpsim::gui
