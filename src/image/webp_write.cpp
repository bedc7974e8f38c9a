#include "image/webp_write.h"

#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>

#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr int kLossless = 100;

[[noreturn]] void refuse(const Image& image) {
  fail_working("picture of ", image.width, "x", image.height,
               " pixels: cannot be written as WebP; out of memory?");
}

// The picture by itself, a simple WebP; freed by WebPFree().
WebPData encode_picture_alone(const Image& image, int quality) {
  std::uint8_t* out = nullptr;
  const int row_bytes = 3 * image.width;
  const std::size_t size = quality == kLossless ? WebPEncodeLosslessRGB(image.rgb.data(), image.width,
                                                                        image.height, row_bytes, &out)
                                                : WebPEncodeRGB(image.rgb.data(), image.width, image.height,
                                                                row_bytes, static_cast<float>(quality), &out);
  return {out, size};
}

}  // namespace

std::vector<std::uint8_t> encode_webp(const Image& image, int quality,
                                      const std::vector<std::uint8_t>& exif) {
  WebPData picture = encode_picture_alone(image, quality);
  const std::unique_ptr<void, decltype(&WebPFree)> freed(const_cast<std::uint8_t*>(picture.bytes), WebPFree);
  if (picture.size == 0) refuse(image);
  if (exif.empty()) return {picture.bytes, picture.bytes + picture.size};
  const std::unique_ptr<WebPMux, decltype(&WebPMuxDelete)> mux(WebPMuxNew(), WebPMuxDelete);
  // WebP names the chunk and leaves out "Exif" and two zeros.
  constexpr std::size_t kHead = 6;
  const WebPData chunk{exif.data() + kHead, exif.size() - kHead};
  WebPData whole{};
  if (!mux || WebPMuxSetImage(mux.get(), &picture, 0) != WEBP_MUX_OK ||
      WebPMuxSetChunk(mux.get(), "EXIF", &chunk, 0) != WEBP_MUX_OK ||
      WebPMuxAssemble(mux.get(), &whole) != WEBP_MUX_OK)
    refuse(image);
  std::vector<std::uint8_t> out(whole.bytes, whole.bytes + whole.size);
  WebPDataClear(&whole);
  return out;
}

}  // namespace sdgen
