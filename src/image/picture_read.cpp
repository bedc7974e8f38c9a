// Picture files of others -> RGB.
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/input_file.h"
#include "image/avif_read.h"
#include "image/bmp_read.h"
#include "image/exif.h"
#include "image/gif_read.h"
#include "image/jpeg_read.h"
#include "image/orientation.h"
#include "image/png_decode.h"
#include "image/png_text.h"
#include "image/webp_read.h"
#include "plain/errors.h"
#include "plain/unicode.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

constexpr int kMaxPixels = 16384;  // a side
// In all, so that a file of a few bytes cannot ask for gigabytes: 16384x8192.
constexpr std::int64_t kMaxPixelsInAll = std::int64_t{1} << 27;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

using Bytes = std::vector<std::uint8_t>;

bool starts_with(const Bytes& bytes, std::string_view magic, std::size_t at = 0) {
  return bytes.size() >= at + magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c, std::uint8_t byte) { return static_cast<std::uint8_t>(c) == byte; });
}

PictureNotes no_notes(const Bytes&) {
  return {};
}

// A kind of file that is read.
struct Format {
  const char* name;
  bool (*is)(const Bytes& bytes);
  Image (*decode)(const Bytes& bytes, const std::string& file, bool with_pixels);
  PictureNotes (*notes)(const Bytes& bytes);
};

constexpr Format kFormats[] = {
    {"png", [](const Bytes& bytes) { return starts_with(bytes, "\x89PNG"); }, decode_png, png_notes},
    {"jpeg", [](const Bytes& bytes) { return starts_with(bytes, "\xFF\xD8\xFF"); }, decode_jpeg, jpeg_notes},
    {"webp", [](const Bytes& bytes) { return starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8); },
     decode_webp, webp_notes},
    {"avif", is_avif, decode_avif, avif_notes},
    {"gif", [](const Bytes& bytes) { return starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a"); },
     decode_gif, gif_notes},
    {"bmp", [](const Bytes& bytes) { return starts_with(bytes, "BM"); }, decode_bmp, no_notes}};

const Format* format_of(const Bytes& bytes) {
  const auto* const found = std::find_if(std::begin(kFormats), std::end(kFormats),
                                         [&](const Format& format) { return format.is(bytes); });
  return found == std::end(kFormats) ? nullptr : found;
}

struct PictureFile {
  Bytes bytes;
  const Format* format = nullptr;
};

PictureFile open_picture(const std::filesystem::path& path) {
  const std::string text = read_input(path, kMaxBytes, "a picture");
  PictureFile file{{text.begin(), text.end()}, nullptr};
  file.format = format_of(file.bytes);
  if (!file.format)
    fail_input(path.string(),
               ": no picture of a kind that is read (PNG, JPEG, WebP, AVIF, GIF, BMP); convert it to one");
  return file;
}

Image read(const std::filesystem::path& path, bool with_pixels) {
  const PictureFile file = open_picture(path);
  Image size = file.format->decode(file.bytes, path.string(), /*with_pixels=*/false);
  if (size.width < 1 || size.height < 1 || size.width > kMaxPixels || size.height > kMaxPixels)
    fail_input(path.string(), ": ", size.width, "x", size.height, " pixels; expected 1 to ", kMaxPixels,
               " a side");
  if (std::int64_t{size.width} * size.height > kMaxPixelsInAll)
    fail_input(path.string(), ": ", size.width, "x", size.height, " pixels; expected at most ",
               kMaxPixelsInAll, " in all");
  const int orientation = orientation_of(file.format->notes(file.bytes));
  if (with_pixels) return turned(file.format->decode(file.bytes, path.string(), true), orientation);
  if (lies_on_its_side(orientation)) std::swap(size.width, size.height);
  return size;
}

// The first bytes of a file, as many as tell its format.
Bytes head_of(const std::filesystem::path& path) {
  constexpr std::size_t kHead = 16;
  const OpenInput input = open_input(path);
  Bytes head(kHead);
  const ssize_t taken = ::read(input.descriptor, head.data(), head.size());
  ::close(input.descriptor);
  if (taken < 0) fail_input(path.string(), ": cannot be read");
  head.resize(static_cast<std::size_t>(taken));
  return head;
}

}  // namespace

std::string picture_kind(const std::filesystem::path& path) {
  const Format* const format = format_of(head_of(path));
  return format ? format->name : "";
}

PictureText read_picture_text(const std::filesystem::path& path) {
  if (picture_kind(path) == "png") return read_png_text(path);  // without the picture itself
  const PictureFile file = open_picture(path);
  const PictureNotes notes = file.format->notes(file.bytes);
  PictureText text;
  if (std::string comment = exif_user_comment(notes.exif); !comment.empty())
    text.emplace_back("UserComment", std::move(comment));
  if (!notes.comment.empty()) text.emplace_back("comment", encode_utf8(decode_utf8(notes.comment).chars));
  return text;
}

Image read_picture(const std::filesystem::path& path) {
  return read(path, true);
}

Image read_picture_size(const std::filesystem::path& path) {
  return read(path, false);
}

}  // namespace sdgen
