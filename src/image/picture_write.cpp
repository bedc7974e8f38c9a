// Pictures in the format of their file's name.
#include <algorithm>

#include "image/exif.h"
#include "image/jpeg_write.h"
#include "image/webp_write.h"
#include "plain/errors.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

std::string parameters_in(const PngText& text) {
  const auto found =
      std::find_if(text.begin(), text.end(), [](const auto& pair) { return pair.first == "parameters"; });
  return found == text.end() ? "" : found->second;
}

std::vector<std::uint8_t> exif_of(const PngText& text) {
  const std::string parameters = parameters_in(text);
  return parameters.empty() ? std::vector<std::uint8_t>() : exif_with_comment(parameters);
}

}  // namespace

void require_format_fits(PictureFormat format, int width, int height, const PngText& text) {
  const std::string limit = format_limit(format, width, height, exif_of(text).size());
  if (!limit.empty()) fail_request("picture of ", width, "x", height, " pixels: ", limit);
}

std::vector<std::uint8_t> encode_picture(const Image& image, PictureFormat format, int quality,
                                         const PngText& text) {
  if (format == PictureFormat::kPng) return encode_png(image, text);
  if (image.width < 1 || image.height < 1 ||
      image.rgb.size() != std::size_t{3} * static_cast<std::size_t>(image.width) * image.height)
    fail_working("picture of ", image.width, "x", image.height, " pixels: cannot be written, it has ",
                 image.rgb.size(), " bytes");
  require_format_fits(format, image.width, image.height, text);
  return (format == PictureFormat::kJpeg ? encode_jpeg : encode_webp)(image, quality, exif_of(text));
}

}  // namespace sdgen
