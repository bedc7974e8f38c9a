#include "image/avif_library/avif_library.h"

#include <avif/avif.h>

#include <algorithm>
#include <memory>

namespace sdgen {
namespace {

constexpr int kMaxThreads = 4;

// EXIF's number of a turn by `angle` quarters against the clock, then a mirror: none, top to bottom, or left
// to right (ISO 23008-12, 6.5.10 and 6.5.12).
int orientation_of(const avifImage& image) {
  constexpr int kUpright[] = {1, 8, 3, 6}, kTopToBottom[] = {4, 5, 2, 7}, kLeftToRight[] = {2, 7, 4, 5};
  const int angle = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0 ? image.irot.angle & 3 : 0;
  if ((image.transformFlags & AVIF_TRANSFORM_IMIR) == 0) return kUpright[angle];
#if AVIF_VERSION_MAJOR >= 1
  const bool is_left_to_right = image.imir.axis == 1;
#else
  const bool is_left_to_right = image.imir.mode == 1;
#endif
  return is_left_to_right ? kLeftToRight[angle] : kTopToBottom[angle];
}

// Empty if all went well.
std::string convert(const avifImage& decoded, Image& image) {
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, &decoded);
  // Without a place for alpha libavif would multiply the colours by it.
  const bool has_alpha = decoded.alphaPlane != nullptr;
  rgb.format = has_alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  rgb.depth = 8;
  const std::size_t channels = has_alpha ? 4 : 3, pixels = static_cast<std::size_t>(rgb.width) * rgb.height;
  image.rgb.resize(channels * pixels);
  rgb.pixels = image.rgb.data();
  rgb.rowBytes = static_cast<std::uint32_t>(channels * rgb.width);
  const avifResult result = avifImageYUVToRGB(&decoded, &rgb);
  if (result != AVIF_RESULT_OK) return avifResultToString(result);
  if (has_alpha) {
    for (std::size_t i = 0; i < pixels; ++i) std::copy_n(&image.rgb[4 * i], 3, &image.rgb[3 * i]);
    image.rgb.resize(3 * pixels);
  }
  return "";
}

std::string read(const std::vector<std::uint8_t>& bytes, bool with_pixels, AvifPicture& picture) {
  const std::unique_ptr<avifDecoder, decltype(&avifDecoderDestroy)> decoder(avifDecoderCreate(),
                                                                            avifDecoderDestroy);
  if (!decoder) return "out of memory";
  decoder->maxThreads = kMaxThreads;
  // What browsers and Pillow overlook as well.
  decoder->strictFlags &= ~static_cast<avifStrictFlags>(AVIF_STRICT_CLAP_VALID | AVIF_STRICT_PIXI_REQUIRED);
  avifResult result = avifDecoderSetIOMemory(decoder.get(), bytes.data(), bytes.size());
  if (result == AVIF_RESULT_OK) result = avifDecoderParse(decoder.get());
  if (result != AVIF_RESULT_OK) return avifResultToString(result);
  const avifImage& stored = *decoder->image;
  picture.image.width = static_cast<int>(stored.width);
  picture.image.height = static_cast<int>(stored.height);
  PictureNotes& notes = picture.notes;
  notes.exif.assign(stored.exif.data, stored.exif.data + stored.exif.size);
  notes.xmp.assign(stored.xmp.data, stored.xmp.data + stored.xmp.size);
  notes.orientation = orientation_of(stored);
  if (!with_pixels) return "";
  result = avifDecoderNextImage(decoder.get());
  if (result != AVIF_RESULT_OK) return avifResultToString(result);
  return convert(*decoder->image, picture.image);
}

}  // namespace
}  // namespace sdgen

extern "C" __attribute__((visibility("default"))) void sdgen_read_avif(const std::vector<std::uint8_t>& bytes,
                                                                       bool with_pixels,
                                                                       sdgen::AvifPicture& picture) {
  picture.error = sdgen::read(bytes, with_pixels, picture);
}
