#include "image/heat.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "plain/errors.h"

namespace sdgen {
namespace {

// Chosen by hue, as colourful as sRGB allows at lightnesses 92 / 9 apart.
constexpr std::array<Color, 10> kScale = {{{11, 7, 33},
                                           {44, 8, 98},
                                           {84, 16, 132},
                                           {145, 22, 116},
                                           {200, 32, 72},
                                           {240, 62, 32},
                                           {240, 125, 39},
                                           {234, 173, 47},
                                           {233, 213, 55},
                                           {247, 246, 145}}};

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

double mix(double from, double to, double part) {
  return from + (to - from) * part;
}

// Two neighbours on an axis and how far from the first to the second a pixel's centre lies.
struct Neighbours {
  std::size_t first, second;
  double part;
};

std::vector<Neighbours> neighbours(int pixels, int values) {
  std::vector<Neighbours> found;
  for (int i = 0; i < pixels; ++i) {
    const double at = std::clamp((i + 0.5) * values / pixels - 0.5, 0.0, values - 1.0);
    const auto first = static_cast<std::size_t>(at);
    found.push_back(
        {first, std::min(first + 1, static_cast<std::size_t>(values) - 1), at - static_cast<double>(first)});
  }
  return found;
}

void require_values(const HeatMap& map) {
  if (map.width <= 0 || map.height <= 0 ||
      map.values.size() != static_cast<std::uint64_t>(map.width) * static_cast<std::uint64_t>(map.height))
    fail_working("heat map of ", map.width, "x", map.height, ": has ", map.values.size(), " values");
}

// Calls paint(pixel's red, heat from 0 to 1) for each pixel.
template <typename Paint>
void for_each_heat(Image& image, const HeatMap& map, double highest, const Paint& paint) {
  require_values(map);
  const auto columns = neighbours(image.width, map.width), rows = neighbours(image.height, map.height);
  const auto width = static_cast<std::size_t>(map.width);
  std::uint8_t* pixel = image.rgb.data();
  for (const Neighbours& row : rows) {
    const float* const upper = &map.values[row.first * width];
    const float* const lower = &map.values[row.second * width];
    for (const Neighbours& column : columns) {
      const double value = mix(mix(upper[column.first], upper[column.second], column.part),
                               mix(lower[column.first], lower[column.second], column.part), row.part);
      const double heat = value / highest;
      paint(pixel, heat > 0 && value > 0 ? std::min(heat, 1.0) : 0.0);
      pixel += 3;
    }
  }
}

// Cold places keep a third of their colour and half of their light, so that the heat stands out against them.
void glow(std::uint8_t* pixel, double heat) {
  constexpr double kColdColor = 0.35, kColdLight = 0.42, kWarmLight = 0.85, kOpacity = 0.8, kShading = 0.15;
  const double grey = 0.2126 * pixel[0] + 0.7152 * pixel[1] + 0.0722 * pixel[2];
  const Color color = heat_color(heat);
  const std::array<std::uint8_t, 3> hot = {color.r, color.g, color.b};
  const double opacity = kOpacity * std::sqrt(heat) * std::min(1.0, 4 * heat);
  for (std::size_t c = 0; c < 3; ++c) {
    const double dim = mix(grey, pixel[c], kColdColor) * mix(kColdLight, kWarmLight, heat);
    // The picture's own light and shade go through the heat.
    const double lit = hot[c] * mix(1 - kShading, 1.0, grey / 255);
    pixel[c] = to_byte(mix(dim, lit, opacity));
  }
}

}  // namespace

Color heat_color(double value) {
  const double at = (value > 0 ? std::min(value, 1.0) : 0.0) * (kScale.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(at), kScale.size() - 2);
  const double part = at - static_cast<double>(below);
  const Color &from = kScale[below], &to = kScale[below + 1];
  return {to_byte(mix(from.r, to.r, part)), to_byte(mix(from.g, to.g, part)),
          to_byte(mix(from.b, to.b, part))};
}

Image heat_overlay(const Image& picture, const HeatMap& map, double highest) {
  require_pixels(picture, "picture under a heat map");
  Image image = picture;
  for_each_heat(image, map, highest, glow);
  return image;
}

Image heat_picture(const HeatMap& map, int width, int height, double highest) {
  Image image = blank_image(width, height, {});
  for_each_heat(image, map, highest, [](std::uint8_t* pixel, double heat) {
    const Color color = heat_color(heat);
    pixel[0] = color.r;
    pixel[1] = color.g;
    pixel[2] = color.b;
  });
  return image;
}

}  // namespace sdgen
