#include "image/jpeg_read.h"

#include <csetjmp>
#include <cstdio>
// libjpeg's header needs FILE and size_t declared before it.
#include <jpeglib.h>
// Then its message codes.
#include <jerror.h>

#include <string_view>

#include "plain/errors.h"

namespace sdgen {
namespace {

struct ErrorJump {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool is_cut_off = false;
};

void leave(j_common_ptr decoder) {
  auto* const error = reinterpret_cast<ErrorJump*>(decoder->err);
  error->manager.format_message(decoder, error->message);
  std::longjmp(error->jump, 1);
}

// Of all it may remark, only this matters: what is missing it fills with grey.
void note_missing_data(j_common_ptr decoder, int) {
  const int code = decoder->err->msg_code;
  if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)
    reinterpret_cast<ErrorJump*>(decoder->err)->is_cut_off = true;
}

// Each scan of a progressive JPEG goes through the whole picture, and may have a few bytes only.
constexpr int kMaxScans = 100;

void limit_scans(j_common_ptr decoder) {
  auto* const error = reinterpret_cast<ErrorJump*>(decoder->err);
  if (reinterpret_cast<j_decompress_ptr>(decoder)->input_scan_number <= kMaxScans) return;
  std::snprintf(error->message, sizeof error->message, "more than %d scans (the limit)", kMaxScans);
  std::longjmp(error->jump, 1);
}

// Pillow's conversion of Adobe's inverted CMYK, which has 255 where there is no ink: R = C K / 255, rounded
// twice as there.
void rgb_from_cmyk(const JSAMPLE* cmyk, std::size_t pixels, std::uint8_t* rgb) {
  const auto times = [](int a, int b) {
    const int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
  };
  for (std::size_t i = 0; i < pixels; ++i, cmyk += 4)
    for (int c = 0; c < 3; ++c) *rgb++ = static_cast<std::uint8_t>(cmyk[3] - times(255 - cmyk[c], cmyk[3]));
}

// What is alive while longjmp may come: it runs no destructors, so all of it is made before setjmp.
struct Decoder {
  jpeg_decompress_struct state{};
  jpeg_progress_mgr progress{};
  ErrorJump error{};
  Image image;
  std::vector<JSAMPLE> cmyk;  // a row

  ~Decoder() { jpeg_destroy_decompress(&state); }
};

// False if libjpeg gave up, with error.message.
bool decode(Decoder& decoder, const std::vector<std::uint8_t>& bytes, bool with_pixels) {
  jpeg_decompress_struct& state = decoder.state;
  state.err = jpeg_std_error(&decoder.error.manager);
  state.err->error_exit = leave;
  state.err->emit_message = note_missing_data;
  if (setjmp(decoder.error.jump)) return false;
  jpeg_create_decompress(&state);
  jpeg_mem_src(&state, bytes.data(), bytes.size());
  state.progress = &decoder.progress;
  decoder.progress.progress_monitor = limit_scans;
  jpeg_read_header(&state, TRUE);
  const bool is_cmyk = state.num_components == 4;
  state.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  decoder.image.width = static_cast<int>(state.image_width);
  decoder.image.height = static_cast<int>(state.image_height);
  if (!with_pixels) return true;
  jpeg_start_decompress(&state);
  const std::size_t row_bytes = std::size_t{3} * state.output_width;
  decoder.image.rgb.resize(row_bytes * state.output_height);
  if (is_cmyk) decoder.cmyk.resize(std::size_t{4} * state.output_width);
  while (state.output_scanline < state.output_height) {
    std::uint8_t* const rgb = &decoder.image.rgb[row_bytes * state.output_scanline];
    JSAMPROW row = is_cmyk ? decoder.cmyk.data() : rgb;
    jpeg_read_scanlines(&state, &row, 1);
    if (is_cmyk) rgb_from_cmyk(row, state.output_width, rgb);
  }
  return true;
}

}  // namespace

Image decode_jpeg(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels) {
  Decoder decoder;
  if (!decode(decoder, bytes, with_pixels)) fail_input(file, ": damaged JPEG: ", decoder.error.message);
  if (with_pixels && decoder.error.is_cut_off)
    fail_input(file, ": damaged JPEG: part of its data is missing");
  return decoder.image;
}

// Walks the markers itself, once: libjpeg keeps them in a list that it walks for each new one.
PictureNotes jpeg_notes(const std::vector<std::uint8_t>& bytes) {
  constexpr std::uint8_t kStartOfScan = 0xDA, kApp1 = 0xE1, kComment = 0xFE;
  constexpr std::string_view kExif("Exif\0\0", 6), kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  PictureNotes notes;
  const std::string_view jpeg(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (std::size_t at = 2;;) {  // behind the start of the picture
    at = jpeg.find('\xFF', at);
    at = jpeg.find_first_not_of('\xFF', at);
    if (at == jpeg.npos || jpeg.size() - at < 3) return notes;
    const std::uint8_t marker = bytes[at];
    const std::size_t length = std::size_t{bytes[at + 1]} << 8 | bytes[at + 2];  // counts itself
    if (marker == kStartOfScan) return notes;
    const bool has_data = marker > 1 && (marker < 0xD0 || marker > 0xD8);  // not a restart, nor a start
    if (!has_data || length < 2 || length > jpeg.size() - at - 1) {  // libjpeg says what it thinks of it
      ++at;
      continue;
    }
    const std::string_view data = jpeg.substr(at + 3, length - 2);
    if (marker == kApp1 && data.starts_with(kExif))  // one that is too long goes on in the next
      notes.exif.insert(notes.exif.end(), data.begin() + (notes.exif.empty() ? 0 : kExif.size()), data.end());
    if (marker == kApp1 && data.starts_with(kXmp)) notes.xmp.assign(data.begin() + kXmp.size(), data.end());
    if (marker == kComment) notes.comment = data;
    at += 1 + length;
  }
}

}  // namespace sdgen
