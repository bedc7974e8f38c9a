// Picture files of others -> RGB.
#include "base/input_file.h"
#include "image/jpeg_read.h"
#include "image/png_decode.h"
#include "plain/errors.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

constexpr int kMostPixels = 16384;  // a side
// In all, so that a file of a few bytes cannot ask for gigabytes: 16384x8192.
constexpr std::int64_t kMostPixelsInAll = std::int64_t{1} << 27;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

std::vector<std::uint8_t> file_bytes(const std::filesystem::path& path) {
  const std::string bytes = read_input(path, kMostBytes, "a picture");
  return {bytes.begin(), bytes.end()};
}

bool starts_with(const std::vector<std::uint8_t>& bytes, std::initializer_list<std::uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

Image read(const std::filesystem::path& path, bool with_pixels) {
  const std::vector<std::uint8_t> bytes = file_bytes(path);
  const bool is_png = starts_with(bytes, {0x89, 'P', 'N', 'G'});
  const bool is_jpeg = starts_with(bytes, {0xFF, 0xD8, 0xFF});
  if (!is_png && !is_jpeg) fail_input(path.string(), ": neither a PNG nor a JPEG; convert it to one of them");
  const auto decode = is_png ? decode_png : decode_jpeg;
  const Image size = decode(bytes, path.string(), /*with_pixels=*/false);
  if (size.width < 1 || size.height < 1 || size.width > kMostPixels || size.height > kMostPixels)
    fail_input(path.string(), ": ", size.width, "x", size.height, " pixels; expected 1 to ", kMostPixels,
               " a side");
  if (std::int64_t{size.width} * size.height > kMostPixelsInAll)
    fail_input(path.string(), ": ", size.width, "x", size.height, " pixels; expected at most ",
               kMostPixelsInAll, " in all");
  return with_pixels ? decode(bytes, path.string(), true) : size;
}

}  // namespace

Image read_picture(const std::filesystem::path& path) {
  return read(path, true);
}

Image read_picture_size(const std::filesystem::path& path) {
  return read(path, false);
}

}  // namespace sdgen
