#include "image/heat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sdgen/error.h"

namespace sdgen {
namespace {

double linear(int channel) {
  const double v = channel / 255.0;
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

// CIE 1976 L*, 0 to 100.
double lightness(Color color) {
  const double y = 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b);
  return y > 216.0 / 24389 ? 116 * std::cbrt(y) - 16 : y * 24389 / 27;
}

Color pixel(const Image& image, int x, int y) {
  const auto at = static_cast<std::size_t>(3 * (y * image.width + x));
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}

TEST(HeatColor, GrowsLighterAtEveryStep) {
  for (int i = 1; i < 256; ++i)
    EXPECT_GT(lightness(heat_color(i / 255.0)), lightness(heat_color((i - 1) / 255.0))) << i;
}

TEST(HeatColor, GrowsLighterEvenly) {
  for (int i = 0; i <= 90; ++i) EXPECT_NEAR(lightness(heat_color(i / 90.0)), 3 + 92 * i / 90.0, 2.5) << i;
}

TEST(HeatColor, ClampsWhatIsOutside) {
  EXPECT_EQ(heat_color(-1), heat_color(0));
  EXPECT_EQ(heat_color(7), heat_color(1));
  EXPECT_EQ(heat_color(std::numeric_limits<double>::quiet_NaN()), heat_color(0));
  EXPECT_EQ(heat_color(std::numeric_limits<double>::infinity()), heat_color(1));
}

TEST(HeatPicture, StretchesBetweenTheCentresOfValues) {
  // Centres of 8 pixels over 2 values: (i + 0.5) / 4 - 0.5, clamped to 0..1.
  const Image image = heat_picture({2, 1, {0, 1}}, 8, 3, 1);
  const double expected[] = {0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1};
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 8; ++x) EXPECT_EQ(pixel(image, x, y), heat_color(expected[x])) << x;
  const Image column = heat_picture({1, 2, {0, 1}}, 1, 8, 1);
  for (int y = 0; y < 8; ++y) EXPECT_EQ(pixel(column, 0, y), heat_color(expected[y])) << y;
}

TEST(HeatPicture, KeepsValuesWhereSizesAreEqual) {
  const Image image = heat_picture({2, 2, {0, 1, 2, 4}}, 2, 2, 4);
  EXPECT_EQ(pixel(image, 0, 0), heat_color(0));
  EXPECT_EQ(pixel(image, 1, 0), heat_color(0.25));
  EXPECT_EQ(pixel(image, 0, 1), heat_color(0.5));
  EXPECT_EQ(pixel(image, 1, 1), heat_color(1));
}

TEST(HeatPicture, ClampsAndBearsZeros) {
  const Image hot = heat_picture({1, 1, {9}}, 1, 1, 3);
  EXPECT_EQ(pixel(hot, 0, 0), heat_color(1));
  const Image cold = heat_picture({1, 1, {0}}, 1, 1, 0);
  EXPECT_EQ(pixel(cold, 0, 0), heat_color(0));
  const Image nan = heat_picture({1, 1, {std::numeric_limits<float>::quiet_NaN()}}, 1, 1, 1);
  EXPECT_EQ(pixel(nan, 0, 0), heat_color(0));
}

TEST(HeatOverlay, DimsTheColdAndLightsTheHot) {
  const Image picture = blank_image(64, 1, {40, 90, 200});
  const Image image = heat_overlay(picture, {2, 1, {0, 1}}, 1);
  const Color cold = pixel(image, 0, 0), hot = pixel(image, 63, 0);
  EXPECT_LT(lightness(cold), lightness({40, 90, 200}));
  EXPECT_LT(cold.b - cold.r, (200 - 40) / 2);
  EXPECT_GT(lightness(hot), lightness({40, 90, 200}));
  EXPECT_GT(hot.r, 150);
  EXPECT_LT(hot.b, hot.r);
}

TEST(HeatOverlay, LeavesThePictureRecognisable) {
  Image picture = blank_image(2, 1, {30, 30, 30});
  paste(picture, blank_image(1, 1, {230, 230, 230}), 1, 0);
  for (const float heat : {0.F, 0.25F, 0.5F, 1.F}) {
    const Image image = heat_overlay(picture, {1, 1, {heat}}, 1);
    EXPECT_GT(lightness(pixel(image, 1, 0)), lightness(pixel(image, 0, 0)) + 10) << heat;
  }
}

TEST(Heat, RefusesWrongSizes) {
  const Image picture = blank_image(2, 2, {});
  for (const HeatMap& map : {HeatMap{}, HeatMap{2, 2, {1, 2, 3}}, HeatMap{-1, -1, {1}}}) {
    EXPECT_THROW(heat_overlay(picture, map, 1), Error);
    EXPECT_THROW(heat_picture(map, 2, 2, 1), Error);
  }
  EXPECT_THROW(heat_overlay({2, 2, {1}}, {1, 1, {1}}, 1), Error);
  EXPECT_THROW(heat_picture({1, 1, {1}}, 0, 2, 1), Error);
}

}  // namespace
}  // namespace sdgen
