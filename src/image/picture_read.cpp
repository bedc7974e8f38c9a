// Picture files of others -> RGB.
#include <fstream>

#include "base/errors.h"
#include "image/jpeg_read.h"
#include "image/png_decode.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

constexpr int kMostPixels = 16384;  // a side
constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 30;

std::vector<std::uint8_t> file_bytes(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) fail_input(path.string(), ": cannot be read: ", error.message());
  if (size > kMostBytes) fail_input(path.string(), ": ", size, " bytes are more than a picture of ours has");
  std::vector<std::uint8_t> bytes(size);
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size)))
    fail_input(path.string(), ": cannot be read");
  return bytes;
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
