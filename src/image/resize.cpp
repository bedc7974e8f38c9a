// Resampling of 8-bit pictures with the arithmetic of Pillow, whose pictures diffusers' pipelines start from.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "plain/errors.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

constexpr double kLobes = 3.0;
constexpr int kFractionBits = 22;  // of a weight: 32 bits less 8 of a pixel and 2 of the sum

double sinc(double x) {
  return x == 0.0 ? 1.0 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi);
}

double lanczos(double x) {
  return -kLobes <= x && x < kLobes ? sinc(x) * sinc(x / kLobes) : 0.0;
}

// Keys' cubic convolution with a = -1/2.
double bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

// A filter and how far it reaches, in pixels of the result.
struct Kernel {
  double (*weight)(double);
  double support;
};

Kernel kernel_of(ResizeFilter filter) {
  return filter == ResizeFilter::kLanczos ? Kernel{lanczos, kLobes} : Kernel{bicubic, 2.0};
}

// The source pixels that one pixel of the result is made of.
struct Window {
  int first = 0;
  std::vector<int> weights;  // fixed point
};

int fixed_point(double weight) {
  return static_cast<int>(weight * (1 << kFractionBits) + (weight < 0 ? -0.5 : 0.5));
}

std::vector<Window> windows(const Kernel& kernel, int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);  // the filter widens where pixels get fewer
  const double support = kernel.support * stretch;
  std::vector<Window> result(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(from, static_cast<int>(center + support + 0.5));
    std::vector<double> weights;
    double sum = 0.0;
    for (int at = first; at < end; ++at) {
      weights.push_back(kernel.weight((at - center + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    Window& window = result[static_cast<std::size_t>(i)];
    window.first = first;
    for (const double weight : weights)
      window.weights.push_back(fixed_point(sum != 0.0 ? weight / sum : weight));
  }
  return result;
}

// One pass over `lines` lines whose pixels lie `step` bytes apart and whose beginnings `line_step`.
void resample(const std::vector<Window>& all, int lines, const std::uint8_t* from, std::size_t from_line,
              std::size_t from_step, std::uint8_t* to, std::size_t to_line, std::size_t to_step) {
  for (int line = 0; line < lines; ++line) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const std::uint8_t* source = from + line * from_line + all[i].first * from_step + channel;
        int sum = 1 << (kFractionBits - 1);
        for (const int weight : all[i].weights) {
          sum += weight * *source;
          source += from_step;
        }
        to[line * to_line + i * to_step + channel] =
            static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
      }
    }
  }
}

}  // namespace

Image resize(const Image& image, int width, int height, ResizeFilter filter) {
  if (image.width < 1 || image.height < 1 || width < 1 || height < 1)
    fail_working("resize: ", image.width, "x", image.height, " to ", width, "x", height);
  const Kernel kernel = kernel_of(filter);
  const std::size_t from_row = std::size_t{3} * image.width, to_row = std::size_t{3} * width;
  Image wide{width, image.height, std::vector<std::uint8_t>(to_row * image.height)};
  if (width == image.width)
    wide.rgb = image.rgb;
  else
    resample(windows(kernel, image.width, width), image.height, image.rgb.data(), from_row, 3,
             wide.rgb.data(), to_row, 3);
  if (height == image.height) return wide;
  Image result{width, height, std::vector<std::uint8_t>(to_row * height)};
  resample(windows(kernel, image.height, height), width, wide.rgb.data(), 3, to_row, result.rgb.data(), 3,
           to_row);
  return result;
}

}  // namespace sdgen
