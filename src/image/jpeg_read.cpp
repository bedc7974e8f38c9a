#include "image/jpeg_read.h"

#include <csetjmp>
#include <cstdio>
// libjpeg's header needs FILE and size_t declared before it.
#include <jpeglib.h>
// Then its message codes.
#include <jerror.h>

#include <algorithm>
#include <span>

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

using Bytes = std::span<const std::uint8_t>;

// A number of `size` bytes of a TIFF header at `at`, 0 where there is none.
std::size_t tiff_number(Bytes tiff, std::size_t at, std::size_t size) {
  if (at > tiff.size() || tiff.size() - at < size) return 0;
  const bool big_endian = tiff[0] == 'M';
  std::size_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::size_t{tiff[at + i]} << 8 * (big_endian ? size - 1 - i : i);
  return value;
}

// 1 (upright) to 8: EXIF's tag 0x0112 in the first directory.
int tiff_orientation(Bytes tiff) {
  constexpr std::size_t kEntry = 12, kOrientation = 0x0112;
  const std::size_t directory = tiff_number(tiff, 4, 4), entries = tiff_number(tiff, directory, 2);
  for (std::size_t i = 0; i < entries && directory + 2 + kEntry * (i + 1) <= tiff.size(); ++i) {
    const std::size_t entry = directory + 2 + kEntry * i;
    if (tiff_number(tiff, entry, 2) != kOrientation) continue;
    const std::size_t value = tiff_number(tiff, entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// Walks the markers itself, once: libjpeg keeps them in a list that it walks for each new one.
int exif_orientation(Bytes jpeg) {
  constexpr std::uint8_t kStartOfScan = 0xDA, kApp1 = 0xE1;
  constexpr std::size_t kExif = 6;  // "Exif", two zeros
  for (std::size_t at = 2;;) {      // behind the start of the picture
    while (at < jpeg.size() && jpeg[at] != 0xFF) ++at;
    while (at < jpeg.size() && jpeg[at] == 0xFF) ++at;
    if (at >= jpeg.size() || jpeg.size() - at < 3) return 1;
    const std::uint8_t marker = jpeg[at];
    const std::size_t length = std::size_t{jpeg[at + 1]} << 8 | jpeg[at + 2];  // counts itself
    if (marker == kStartOfScan) return 1;
    const bool has_data = marker > 1 && (marker < 0xD0 || marker > 0xD8);  // not a restart, nor a start
    if (!has_data || length < 2 || length > jpeg.size() - at - 1) {  // libjpeg says what it thinks of it
      ++at;
      continue;
    }
    const Bytes data = jpeg.subspan(at + 3, length - 2);
    if (marker == kApp1 && data.size() >= kExif + 8 && std::equal(data.begin(), data.begin() + 4, "Exif"))
      return tiff_orientation(data.subspan(kExif));
    at += 1 + length;
  }
}

bool lies_on_its_side(int orientation) {
  return orientation >= 5;
}

// The picture as `orientation` wants it shown.
Image turned(const Image& image, int orientation) {
  if (orientation == 1) return image;
  Image result = image;
  if (lies_on_its_side(orientation)) std::swap(result.width, result.height);
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      int from_x = lies_on_its_side(orientation) ? y : x, from_y = lies_on_its_side(orientation) ? x : y;
      // Which of the stored picture's axes run backwards.
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        from_x = image.width - 1 - from_x;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        from_y = image.height - 1 - from_y;
      const auto* const from = &image.rgb[std::size_t{3} * (std::size_t(from_y) * image.width + from_x)];
      std::copy(from, from + 3, &result.rgb[std::size_t{3} * (std::size_t(y) * result.width + x)]);
    }
  }
  return result;
}

// What is alive while longjmp may come: it runs no destructors, so all of it is made before setjmp.
struct Decoder {
  jpeg_decompress_struct state{};
  jpeg_progress_mgr progress{};
  ErrorJump error{};
  Image image;
  int orientation = 1;

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
  state.out_color_space = JCS_RGB;
  decoder.orientation = exif_orientation(bytes);
  decoder.image.width = static_cast<int>(state.image_width);
  decoder.image.height = static_cast<int>(state.image_height);
  if (!with_pixels) return true;
  jpeg_start_decompress(&state);
  const std::size_t row_bytes = std::size_t{3} * state.output_width;
  decoder.image.rgb.resize(row_bytes * state.output_height);
  while (state.output_scanline < state.output_height) {
    JSAMPROW row = &decoder.image.rgb[row_bytes * state.output_scanline];
    jpeg_read_scanlines(&state, &row, 1);
  }
  return true;
}

}  // namespace

Image decode_jpeg(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels) {
  Decoder decoder;
  if (!decode(decoder, bytes, with_pixels)) fail_input(file, ": damaged JPEG: ", decoder.error.message);
  if (with_pixels && decoder.error.is_cut_off)
    fail_input(file, ": damaged JPEG: part of its data is missing");
  if (with_pixels) return turned(decoder.image, decoder.orientation);
  if (lies_on_its_side(decoder.orientation)) std::swap(decoder.image.width, decoder.image.height);
  return decoder.image;
}

}  // namespace sdgen
