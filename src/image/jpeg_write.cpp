#include "image/jpeg_write.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
// libjpeg's header needs FILE and size_t declared before it.
#include <jpeglib.h>

#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr int kFullColour = 90;  // from this quality on

struct ErrorJump {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void leave(j_common_ptr encoder) {
  auto* const error = reinterpret_cast<ErrorJump*>(encoder->err);
  error->manager.format_message(encoder, error->message);
  std::longjmp(error->jump, 1);
}

// What is alive while longjmp may come: it runs no destructors, so all of it is made before setjmp.
struct Encoder {
  jpeg_compress_struct state{};
  ErrorJump error{};
  unsigned char* out = nullptr;
  unsigned long size = 0;

  ~Encoder() {
    jpeg_destroy_compress(&state);
    std::free(out);
  }
};

// False if libjpeg gave up, with error.message.
bool encode(Encoder& encoder, const Image& image, int quality, const std::vector<std::uint8_t>& exif) {
  jpeg_compress_struct& state = encoder.state;
  state.err = jpeg_std_error(&encoder.error.manager);
  state.err->error_exit = leave;
  if (setjmp(encoder.error.jump)) return false;
  jpeg_create_compress(&state);
  jpeg_mem_dest(&state, &encoder.out, &encoder.size);
  state.image_width = static_cast<JDIMENSION>(image.width);
  state.image_height = static_cast<JDIMENSION>(image.height);
  state.input_components = 3;
  state.in_color_space = JCS_RGB;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, quality, TRUE);
  state.optimize_coding = TRUE;
  if (quality >= kFullColour) state.comp_info[0].h_samp_factor = state.comp_info[0].v_samp_factor = 1;
  // EXIF's order: a file that has it begins with it.
  state.write_JFIF_header = exif.empty() ? TRUE : FALSE;
  jpeg_start_compress(&state, TRUE);
  if (!exif.empty())
    jpeg_write_marker(&state, JPEG_APP0 + 1, exif.data(), static_cast<unsigned>(exif.size()));
  while (state.next_scanline < state.image_height) {
    auto* row = const_cast<JSAMPROW>(&image.rgb[std::size_t{3} * state.next_scanline * state.image_width]);
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  return true;
}

}  // namespace

std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality,
                                      const std::vector<std::uint8_t>& exif) {
  Encoder encoder;
  if (!encode(encoder, image, quality, exif))
    fail_working("picture of ", image.width, "x", image.height,
                 " pixels: cannot be written as JPEG: ", encoder.error.message);
  return {encoder.out, encoder.out + encoder.size};
}

}  // namespace sdgen
