#include "gui/model/theme.h"

#include <algorithm>
#include <cmath>

namespace tpsim::gui {
namespace {

using Triple = std::array<double, 3>;
constexpr double kPi = 3.14159265358979323846;

double linear(double channel) {
  return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
}
double encoded(double channel) {
  channel = std::clamp(channel, 0.0, 1.0);
  return channel <= 0.0031308 ? channel * 12.92 : 1.055 * std::pow(channel, 1 / 2.4) - 0.055;
}

Triple linear_rgb(Rgb c) {
  return {linear(static_cast<double>(c >> 16 & 255) / 255), linear(static_cast<double>(c >> 8 & 255) / 255),
          linear(static_cast<double>(c & 255) / 255)};
}

Triple times(const std::array<Triple, 3>& m, const Triple& v) {
  Triple out{};
  for (std::size_t i = 0; i < 3; ++i) out[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
  return out;
}

Triple lab(Rgb c) {
  const Triple xyz =
      times({{{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}}},
            linear_rgb(c));
  const auto f = [](double t) { return t > 0.008856452 ? std::cbrt(t) : t / 0.128418549 + 4.0 / 29; };
  const double x = f(xyz[0] / 0.95047), y = f(xyz[1]), z = f(xyz[2] / 1.08883);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

double hue(double a, double b) {
  const double h = std::atan2(b, a) * 180 / kPi;
  return h < 0 ? h + 360 : h;
}

double cosine(double degrees) { return std::cos(degrees * kPi / 180); }

double luminance(Rgb c) {
  const Triple v = linear_rgb(c);
  return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
}

}  // namespace

const Theme& dark_theme() {
  static const Theme theme{"dark",
                           0x1B1E23,
                           0x22262D,
                           0x2D333C,
                           0x3A414C,
                           0xE6E8EB,
                           0xA7ADB5,
                           0x56B4E9,
                           0x56B4E9,
                           0xE69F00,
                           {0x70FFFF, 0xE18F00, 0xA68DAF, 0x13766B, 0x9CAB92, 0xFFFF8C, 0x8241DF, 0xAF491D}};
  return theme;
}

const Theme& light_theme() {
  static const Theme theme{"light",
                           0xFAFAFA,
                           0xFFFFFF,
                           0xEDEFF2,
                           0xC9CED6,
                           0x22262D,
                           0x5A616B,
                           0x0072B2,
                           0x0072B2,
                           0xA85A00,
                           {0x17A388, 0xC68406, 0xA480C7, 0x356467, 0x6A5C00, 0x6E2DC2, 0x0A003E, 0x680428}};
  return theme;
}

Rgb seen_by(Rgb color, Vision vision) {
  if (vision == Vision::normal) return color;
  static constexpr std::array<Triple, 3> protan = {
      {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}};
  static constexpr std::array<Triple, 3> deutan = {
      {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}};
  static constexpr std::array<Triple, 3> tritan = {
      {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};
  const Triple v = times(vision == Vision::protan   ? protan
                         : vision == Vision::deutan ? deutan
                                                    : tritan,
                         linear_rgb(color));
  Rgb out = 0;
  for (const double channel : v) out = out << 8 | static_cast<Rgb>(std::lround(encoded(channel) * 255));
  return out;
}

// Sharma, Wu, Dalal 2005, equations 2 to 22.
double color_difference(Rgb first, Rgb second) {
  const Triple p = lab(first), q = lab(second);
  const double mean_chroma = (std::hypot(p[1], p[2]) + std::hypot(q[1], q[2])) / 2, c7 = std::pow(mean_chroma, 7);
  const double g = 0.5 * (1 - std::sqrt(c7 / (c7 + std::pow(25.0, 7))));
  const double a1 = (1 + g) * p[1], a2 = (1 + g) * q[1];
  const double c1 = std::hypot(a1, p[2]), c2 = std::hypot(a2, q[2]);
  const double h1 = hue(a1, p[2]), h2 = hue(a2, q[2]);
  double dh = c1 * c2 == 0 ? 0 : h2 - h1;
  if (dh > 180) dh -= 360;
  if (dh < -180) dh += 360;
  const double dl = q[0] - p[0], dc = c2 - c1, dH = 2 * std::sqrt(c1 * c2) * std::sin(dh * kPi / 360);
  const double l = (p[0] + q[0]) / 2, c = (c1 + c2) / 2;
  double h = h1 + h2;
  if (c1 * c2 != 0) h = std::abs(h1 - h2) <= 180 ? h / 2 : h < 360 ? (h + 360) / 2 : (h - 360) / 2;
  const double t =
      1 - 0.17 * cosine(h - 30) + 0.24 * cosine(2 * h) + 0.32 * cosine(3 * h + 6) - 0.2 * cosine(4 * h - 63);
  const double sl = 1 + 0.015 * (l - 50) * (l - 50) / std::sqrt(20 + (l - 50) * (l - 50)), sc = 1 + 0.045 * c,
               sh = 1 + 0.015 * c * t;
  const double rc = 2 * std::sqrt(std::pow(c, 7) / (std::pow(c, 7) + std::pow(25.0, 7)));
  const double rt = -std::sin(2 * 30 * std::exp(-std::pow((h - 275) / 25, 2)) * kPi / 180) * rc;
  const double x = dl / sl, y = dc / sc, z = dH / sh;
  return std::sqrt(x * x + y * y + z * z + rt * y * z);
}

double contrast(Rgb a, Rgb b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

}  // namespace tpsim::gui
