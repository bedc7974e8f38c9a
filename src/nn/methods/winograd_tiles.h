// How Winograd's convolution cuts a picture into tiles and filters into blocks.
#pragma once

#include <cstdint>

#include "base/parallel.h"

namespace sdgen::winograd {

constexpr std::int64_t kElements = 16;  // of a transformed tile: 4x4
constexpr std::int64_t kTiles = 64;     // left-hand rows of one multiplication
constexpr std::int64_t kChannels = 64;  // output channels of one multiplication

// Positions of the input and output of a tile: tile (ty, tx) of a picture covers outputs 2ty, 2ty+1 and
// inputs 2ty-1 to 2ty+2.
struct Tiling {
  std::int64_t height, width;
  std::int64_t down() const { return (height + 1) / 2; }
  std::int64_t across() const { return (width + 1) / 2; }
  std::int64_t of_picture() const { return down() * across(); }

  // The index of position (y, x) of the tile's picture among all positions, or -1 outside of it.
  std::int64_t position(std::int64_t tile, std::int64_t dy, std::int64_t dx) const {
    const std::int64_t in_picture = tile % of_picture();
    const std::int64_t y = in_picture / across() * 2 + dy, x = in_picture % across() * 2 + dx;
    if (y < 0 || y >= height || x < 0 || x >= width) return -1;
    return (tile / of_picture() * height + y) * width + x;
  }
};

// Transformed filters, [channel block, element, in, kChannels]: what one multiplication reads is contiguous.
struct Filters {
  std::int64_t in, out;
  std::int64_t block_size() const { return in * kChannels; }
  std::int64_t size() const { return kElements * blocks(out, kChannels) * block_size(); }
  std::int64_t offset(std::int64_t element, std::int64_t block) const {
    return (block * kElements + element) * block_size();
  }
};

}  // namespace sdgen::winograd
