#include "image/bmp_read.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <span>

#include "plain/errors.h"

namespace sdgen {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Colour = std::array<std::uint8_t, 3>;  // red, green, blue

enum Compression : std::uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };
constexpr std::size_t kFileHeader = 14, kOldHeader = 12, kMasksAt = kFileHeader + 40;

struct Header {
  int width = 0, height = 0;
  bool is_top_down = false;
  std::uint32_t bits = 0;  // a pixel
  std::uint32_t compression = kPlain;
  std::size_t data_at = 0, palette_at = 0;
  std::size_t palette_entry = 4;  // bytes
  std::size_t colours = 0;
  std::array<std::uint32_t, 3> masks{};  // of red, green and blue, above 8 bits
};

// 0 past the end.
std::uint32_t little_endian(Bytes bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i)
    value |= std::uint32_t{bytes[at + i]} << 8 * i;
  return value;
}

std::array<std::uint32_t, 3> masks_of(Bytes bytes, const Header& header) {
  if (header.compression == kBitFields)
    return {little_endian(bytes, kMasksAt, 4), little_endian(bytes, kMasksAt + 4, 4),
            little_endian(bytes, kMasksAt + 8, 4)};
  if (header.bits == 16) return {0x7C00, 0x3E0, 0x1F};
  return {0xFF0000, 0xFF00, 0xFF};
}

Header read_header(Bytes bytes, const std::string& file) {
  Header header;
  const std::size_t size = little_endian(bytes, kFileHeader, 4);
  const auto number = [&](std::size_t at, std::size_t length) {
    return little_endian(bytes, kFileHeader + at, length);
  };
  header.data_at = little_endian(bytes, 10, 4);
  header.palette_at = kFileHeader + size;
  if (bytes.size() < kFileHeader + kOldHeader || bytes.size() < header.palette_at ||
      (size != kOldHeader && size < 40))
    fail_input(file, ": damaged BMP: its header is cut short or unknown");
  if (size == kOldHeader) {
    header.width = static_cast<int>(number(4, 2));
    header.height = static_cast<int>(number(6, 2));
    header.bits = number(10, 2);
    header.palette_entry = 3;
  } else {
    const auto height = static_cast<std::int32_t>(number(8, 4));
    header.width = static_cast<std::int32_t>(number(4, 4));
    header.is_top_down = height < 0;
    header.height = height == INT32_MIN ? 0 : std::abs(height);
    header.bits = number(14, 2);
    header.compression = number(16, 4);
    header.colours = number(32, 4);
    if (size == 40 && header.compression == kBitFields) header.palette_at += 12;
  }
  header.masks = masks_of(bytes, header);
  return header;
}

void check_header(const Header& header, const std::string& file) {
  const std::uint32_t bits = header.bits;
  const bool is_indexed = bits == 1 || bits == 4 || bits == 8,
             is_direct = bits == 16 || bits == 24 || bits == 32;
  const bool fits = header.compression == kPlain || (header.compression == kRle8 && bits == 8) ||
                    (header.compression == kRle4 && bits == 4) ||
                    (header.compression == kBitFields && (bits == 16 || bits == 32));
  if ((!is_indexed && !is_direct) || !fits)
    fail_input(file, ": a BMP of ", bits, " bits and compression ", header.compression,
               "; save it as one of 24 bits, or as PNG");
  for (const std::uint32_t mask : header.masks)
    if (is_direct &&
        (mask == 0 || std::popcount(mask) > 8 || !std::has_single_bit((mask >> std::countr_zero(mask)) + 1)))
      fail_input(file, ": a BMP with unknown bit fields; save it as one of 24 bits, or as PNG");
}

// Grey where the file tells no colour, as in Pillow.
std::array<Colour, 256> palette_of(Bytes bytes, const Header& header) {
  std::array<Colour, 256> palette;
  for (std::size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<std::uint8_t>(i));
  const std::size_t all = std::size_t{1} << header.bits;
  const std::size_t told = header.colours > 0 ? std::min(header.colours, all) : all;
  for (std::size_t i = 0; i < told; ++i) {
    const std::size_t at = header.palette_at + header.palette_entry * i;
    if (at + 3 <= bytes.size()) palette[i] = {bytes[at + 2], bytes[at + 1], bytes[at]};
  }
  return palette;
}

// The stored number of bit field `mask`, in 0 to 255.
std::uint8_t field(std::uint32_t pixel, std::uint32_t mask) {
  const int shift = std::countr_zero(mask);
  return static_cast<std::uint8_t>(((pixel & mask) >> shift) * 255 / (mask >> shift));
}

// Where the pixels of the file's row `y` go.
std::uint8_t* row_of(Image& image, const Header& header, int y) {
  image.rgb.resize(std::size_t{3} * image.width * image.height);
  return &image.rgb[std::size_t{3} * (header.is_top_down ? y : image.height - 1 - y) * image.width];
}

// A row takes a multiple of 4 bytes.
void read_rows(Bytes bytes, const Header& header, const std::string& file, Image& image) {
  const std::size_t row_bytes = (std::size_t(header.width) * header.bits + 31) / 32 * 4;
  if (header.data_at > bytes.size() || row_bytes * header.height > bytes.size() - header.data_at)
    fail_input(file, ": damaged BMP: the file is cut short");
  const std::array<Colour, 256> palette =
      header.bits <= 8 ? palette_of(bytes, header) : std::array<Colour, 256>();
  for (int y = 0; y < header.height; ++y) {
    const Bytes row = bytes.subspan(header.data_at + row_bytes * y, row_bytes);
    std::uint8_t* rgb = row_of(image, header, y);
    for (std::size_t x = 0; x < static_cast<std::size_t>(header.width); ++x) {
      if (header.bits <= 8) {
        const std::size_t bit = x * header.bits;
        const unsigned value = row[bit / 8] >> (8 - header.bits - bit % 8) & ((1U << header.bits) - 1);
        rgb = std::copy_n(palette[value].begin(), 3, rgb);
      } else {
        const std::uint32_t pixel = little_endian(row, x * header.bits / 8, header.bits / 8);
        for (const std::uint32_t mask : header.masks) *rgb++ = field(pixel, mask);
      }
    }
  }
}

// Runs of one index or two alternating ones, stretches of indices, and moves; what is passed over has index
// 0.
void read_runs(Bytes bytes, const Header& header, const std::string& file, Image& image) {
  // A run has at most 255 pixels: a file of a few bytes must not ask for a large picture.
  if (std::size_t(header.width) * header.height / 256 > bytes.size())
    fail_input(file, ": damaged BMP: the file is cut short");
  std::vector<std::uint8_t> canvas(std::size_t(header.width) * header.height, 0);
  const std::size_t width = static_cast<std::size_t>(header.width),
                    height = static_cast<std::size_t>(header.height);
  const bool is_rle4 = header.compression == kRle4;
  std::size_t x = 0, y = 0;
  const auto put = [&](std::uint8_t byte, std::size_t i) {
    const std::uint8_t index = !is_rle4 ? byte : i % 2 == 0 ? byte >> 4 : byte & 15;
    if (x < width && y < height) canvas[y * width + x] = index;
    ++x;
  };
  for (std::size_t at = header.data_at;; at += 2) {
    if (at > bytes.size() || bytes.size() - at < 2) fail_input(file, ": damaged BMP: the file is cut short");
    const std::uint8_t count = bytes[at], value = bytes[at + 1];
    if (count > 0) {
      for (std::size_t i = 0; i < count; ++i) put(value, i);
    } else if (value == 0) {  // the row ends
      x = 0;
      ++y;
    } else if (value == 1) {  // the picture ends
      break;
    } else if (value == 2) {
      x += little_endian(bytes, at + 2, 1);
      y += little_endian(bytes, at + 3, 1);
      at += 2;
    } else {
      const std::size_t stored = is_rle4 ? (value + 1) / 2 : value;
      if (bytes.size() - at - 2 < stored) fail_input(file, ": damaged BMP: the file is cut short");
      for (std::size_t i = 0; i < value; ++i) put(bytes[at + 2 + (is_rle4 ? i / 2 : i)], i);
      at += (stored + 1) / 2 * 2;
    }
  }
  const std::array<Colour, 256> palette = palette_of(bytes, header);
  for (y = 0; y < height; ++y) {
    std::uint8_t* rgb = row_of(image, header, static_cast<int>(y));
    for (x = 0; x < width; ++x) rgb = std::copy_n(palette[canvas[y * width + x]].begin(), 3, rgb);
  }
}

}  // namespace

Image decode_bmp(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels) {
  const Header header = read_header(bytes, file);
  check_header(header, file);
  Image image{header.width, header.height, {}};
  if (!with_pixels || image.width < 1 || image.height < 1) return image;
  const bool has_runs = header.compression == kRle8 || header.compression == kRle4;
  (has_runs ? read_runs : read_rows)(bytes, header, file, image);
  return image;
}

}  // namespace sdgen
