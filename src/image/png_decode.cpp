// The one translation unit that holds stb_image, with its warnings silenced.
#include "image/png_decode.h"

#include <memory>

#include "image/png_data.h"
#include "plain/errors.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace sdgen {

Image decode_png(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels) {
  Image image;
  int channels = 0;
  const int size = static_cast<int>(bytes.size());
  if (!with_pixels) {
    if (!stbi_info_from_memory(bytes.data(), size, &image.width, &image.height, &channels))
      fail_input(file, ": damaged PNG: ", stbi_failure_reason());
    return image;
  }
  check_png_data(bytes, file);
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), size, &image.width, &image.height, &channels, 3), stbi_image_free);
  if (!pixels) fail_input(file, ": damaged PNG: ", stbi_failure_reason());
  image.rgb.assign(pixels.get(), pixels.get() + std::size_t{3} * image.width * image.height);
  return image;
}

}  // namespace sdgen
