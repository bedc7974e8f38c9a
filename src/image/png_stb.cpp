// The one translation unit that holds stb_image_write, with its warnings silenced and zlib's deflate in place
// of its own, which packs worse.
#include <zlib.h>

#include <cstdlib>

namespace {

// STBIW_ZLIB_COMPRESS: a malloc'ed zlib stream, or null.
unsigned char* compress_with_zlib(unsigned char* data, int size, int* compressed_size, int) {
  constexpr int kLevel = 6;
  uLongf length = compressBound(static_cast<uLong>(size));
  auto* out = static_cast<unsigned char*>(std::malloc(length));
  if (out != nullptr && compress2(out, &length, data, static_cast<uLong>(size), kLevel) == Z_OK) {
    *compressed_size = static_cast<int>(length);
    return out;
  }
  std::free(out);
  return nullptr;
}

}  // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#define STBIW_ZLIB_COMPRESS compress_with_zlib
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
#pragma GCC diagnostic pop
