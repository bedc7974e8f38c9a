// A character draws a column of six pixels in one colour; a band of six rows is passed over once a colour.
#include "cli/output/sixel.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

constexpr std::array<int, 3> kLevels = {6, 7, 6};  // of red, green, blue: 252 colours
constexpr int kColors = 6 * 7 * 6;
constexpr int kBand = 6;  // rows

// Sixels give colours in percent.
int percent_of(int level, int levels) {
  return (100 * level + (levels - 1) / 2) / (levels - 1);
}

// The palette's colour nearest to each pixel, with what is lost passed on to the neighbours to come
// (Floyd and Steinberg: 7/16 to the right, 3, 5 and 1/16 below).
std::vector<std::uint8_t> dithered(const Image& image) {
  const auto width = static_cast<std::size_t>(image.width);
  std::vector<std::array<int, 3>> here(width + 2), below(width + 2);  // sixteenths
  std::vector<std::uint8_t> indices;
  indices.reserve(image.rgb.size() / 3);
  for (std::size_t pixel = 0; pixel < image.rgb.size() / 3; ++pixel) {
    const std::size_t x = pixel % width + 1;
    if (x == 1) {
      here.swap(below);
      below.assign(width + 2, {});
    }
    int index = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      const int wanted = std::clamp(image.rgb[3 * pixel + c] + here[x][c] / 16, 0, 255);
      const int level = (wanted * (kLevels[c] - 1) + 127) / 255;
      const int lost = wanted - (percent_of(level, kLevels[c]) * 255 + 50) / 100;
      index = index * kLevels[c] + level;
      here[x + 1][c] += 7 * lost;
      below[x - 1][c] += 3 * lost;
      below[x][c] += 5 * lost;
      below[x + 1][c] += lost;
    }
    indices.push_back(static_cast<std::uint8_t>(index));
  }
  return indices;
}

void append_palette(const std::vector<std::uint8_t>& indices, std::string& out) {
  std::array<bool, kColors> used{};
  for (const std::uint8_t index : indices) used[index] = true;
  for (int index = 0; index < kColors; ++index)
    if (used[static_cast<std::size_t>(index)])
      out += '#' + std::to_string(index) + ";2;" +
             std::to_string(percent_of(index / (kLevels[1] * kLevels[2]), kLevels[0])) + ';' +
             std::to_string(percent_of(index / kLevels[2] % kLevels[1], kLevels[1])) + ';' +
             std::to_string(percent_of(index % kLevels[2], kLevels[2]));
}

// One colour's columns; equal ones are counted, empty ones at the end left out.
void append_columns(const std::vector<std::uint8_t>& columns, std::string& out) {
  std::size_t end = columns.size();
  while (end > 0 && columns[end - 1] == 0) --end;
  for (std::size_t at = 0; at < end;) {
    std::size_t next = at + 1;
    while (next < end && columns[next] == columns[at]) ++next;
    const auto sixel = static_cast<char>('?' + columns[at]);
    if (next - at > 3)
      out.append("!").append(std::to_string(next - at)).push_back(sixel);
    else
      out.append(next - at, sixel);
    at = next;
  }
}

// `bits` has a row of columns for each colour, all zero before and after.
void append_band(const std::vector<std::uint8_t>& indices, std::size_t width, std::size_t first_row,
                 std::vector<std::vector<std::uint8_t>>& bits, std::string& out) {
  std::array<bool, kColors> used{};
  const std::size_t begin = first_row * width, end = std::min(begin + kBand * width, indices.size());
  for (std::size_t at = begin; at < end; ++at) {
    used[indices[at]] = true;
    auto& column = bits[indices[at]][at % width];
    column = static_cast<std::uint8_t>(column | 1 << (at - begin) / width);
  }
  bool is_first = true;
  for (std::size_t index = 0; index < kColors; ++index) {
    if (!used[index]) continue;
    if (!is_first) out += '$';
    is_first = false;
    out += '#' + std::to_string(index);
    append_columns(bits[index], out);
    std::fill(bits[index].begin(), bits[index].end(), std::uint8_t{0});
  }
}

}  // namespace

std::string sixels(const Image& image) {
  if (image.width <= 0 || image.height <= 0 ||
      image.rgb.size() !=
          3 * static_cast<std::uint64_t>(image.width) * static_cast<std::uint64_t>(image.height))
    throw Error(ErrorKind::kWorking, "picture of " + std::to_string(image.width) + "x" +
                                         std::to_string(image.height) + " pixels: has " +
                                         std::to_string(image.rgb.size()) + " bytes");
  const auto indices = dithered(image);
  const auto width = static_cast<std::size_t>(image.width), height = static_cast<std::size_t>(image.height);
  std::vector<std::vector<std::uint8_t>> bits(kColors, std::vector<std::uint8_t>(width));
  // 1: pixels not drawn stay as they are; 1;1: square pixels.
  std::string out = "\x1bP0;1;0q\"1;1;" + std::to_string(width) + ";" + std::to_string(height);
  append_palette(indices, out);
  for (std::size_t row = 0; row < height; row += kBand) {
    append_band(indices, width, row, bits, out);
    if (row + kBand < height) out += '-';
  }
  return out + "\x1b\\";
}

}  // namespace sdgen::cli
