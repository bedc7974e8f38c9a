#include <stb_image_write.h>
#include <utf8proc.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "image/grey_png.h"
#include "image/png_chunks.h"
#include "plain/errors.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

constexpr std::size_t kAfterHeader = 8 + kPngChunkFrame + 13;  // signature and IHDR
constexpr std::size_t kLongestKeyword = 79;

void append_bytes(void* out, void* data, int size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  static_cast<std::vector<std::uint8_t>*>(out)->insert(static_cast<std::vector<std::uint8_t>*>(out)->end(),
                                                       bytes, bytes + size);
}

void check_size(const Image& image) {
  const std::string what = concat("picture of ", image.width, "x", image.height, " pixels");
  if (image.width <= 0 || image.height <= 0) fail_working(what, ": cannot be written as PNG, it is empty");
  const auto row = 3 * static_cast<std::uint64_t>(image.width);
  // stb counts bytes in int, a filter byte a row included.
  if ((row + 1) * static_cast<std::uint64_t>(image.height) >= std::numeric_limits<int>::max() / 2)
    fail_working(what, ": too large for a PNG");
  if (image.rgb.size() != row * static_cast<std::uint64_t>(image.height))
    fail_working(what, ": expected ", row * static_cast<std::uint64_t>(image.height), " bytes, got ",
                 image.rgb.size());
}

// Printable ASCII and line feeds mean the same in tEXt's Latin-1 and in UTF-8.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
}

// UTF-8 with U+FFFD for ill-formed bytes and for NUL, which no text chunk may hold.
std::string clean_utf8(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    utf8proc_int32_t c = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                         static_cast<utf8proc_ssize_t>(text.size()), &c);
    if (length <= 0 || c == 0)
      clean += "\xEF\xBF\xBD";
    else
      clean += text.substr(0, static_cast<std::size_t>(length));
    text.remove_prefix(length <= 0 ? 1 : static_cast<std::size_t>(length));
  }
  return clean;
}

// 11.3.4: tEXt is keyword NUL text; iTXt is keyword NUL, compression flag and method, language NUL,
// translated keyword NUL, text.
void append_text(const std::string& keyword, const std::string& text, std::vector<std::uint8_t>& out) {
  if (keyword.empty() || keyword.size() > kLongestKeyword || !is_plain(keyword) ||
      keyword.find('\n') != keyword.npos)
    fail_working("PNG keyword '", clean_utf8(keyword), "': expected 1 to ", kLongestKeyword,
                 " printable characters");
  const std::string head = keyword + '\0';
  if (is_plain(text))
    append_chunk("tEXt", head + text, out);
  else
    append_chunk("iTXt", head + std::string(4, '\0') + clean_utf8(text), out);
}

}  // namespace

std::uint32_t read_big_endian(const unsigned char* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

std::uint32_t chunk_crc(std::string_view type_and_data) {
  return static_cast<std::uint32_t>(crc32_z(
      crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(type_and_data.data()), type_and_data.size()));
}

void append_chunk(std::string_view type, std::string_view data, std::vector<std::uint8_t>& out) {
  if (data.size() > 0x7FFFFFFF) fail_working("PNG ", type, " chunk: ", data.size(), " bytes are too many");
  const auto append_number = [&](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
  };
  const std::string body = std::string(type).append(data);
  append_number(static_cast<std::uint32_t>(data.size()));
  out.insert(out.end(), body.begin(), body.end());
  append_number(chunk_crc(body));
}

std::vector<std::uint8_t> encode_grey_png(int width, int height, const std::vector<std::uint8_t>& grey) {
  const std::string what = concat("picture of ", width, "x", height, " pixels");
  if (width <= 0 || height <= 0 ||
      grey.size() != static_cast<std::size_t>(width) * static_cast<std::size_t>(height))
    fail_working(what, ": cannot be written as PNG, it has ", grey.size(), " bytes");
  std::vector<std::uint8_t> picture;
  if (stbi_write_png_to_func(append_bytes, &picture, width, height, 1, grey.data(), width) == 0)
    fail_working(what, ": out of memory while writing PNG");
  return picture;
}

std::vector<std::uint8_t> encode_png(const Image& image, const PngText& text) {
  check_size(image);
  std::vector<std::uint8_t> picture;
  if (stbi_write_png_to_func(append_bytes, &picture, image.width, image.height, 3, image.rgb.data(),
                             3 * image.width) == 0)
    fail_working("picture of ", image.width, "x", image.height, " pixels: out of memory while writing PNG");
  const auto header_end = picture.begin() + static_cast<std::ptrdiff_t>(kAfterHeader);
  std::vector<std::uint8_t> png(picture.begin(), header_end);
  for (const auto& [keyword, value] : text) append_text(keyword, value, png);
  png.insert(png.end(), header_end, picture.end());
  return png;
}

}  // namespace sdgen
