// Pictures and the text in them.
#include "fuzz/targets.h"
#include "image/avif_read.h"
#include "image/bmp_read.h"
#include "image/exif.h"
#include "image/gif_read.h"
#include "image/jpeg_read.h"
#include "image/orientation.h"
#include "image/png_chunks.h"
#include "image/png_decode.h"
#include "image/png_text.h"
#include "image/webp_read.h"
#include "sdgen/generator.h"
#include "sdgen/image.h"

namespace sdgen::fuzz {
namespace {

constexpr std::int64_t kMaxPixels = 4'000'000;  // larger pictures are right, and slow

using Decode = Image (*)(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

using Notes = PictureNotes (*)(const std::vector<std::uint8_t>& bytes);

void parse_notes(const PictureNotes& notes) {
  orientation_of(notes);
  exif_user_comment(notes.exif);
}

void decode(Decode decode_picture, std::string_view text, Notes notes = nullptr) {
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  if (notes) parse_notes(notes(bytes));
  const Image size = decode_picture(bytes, "x", false);
  if (std::int64_t{size.width} * size.height < kMaxPixels) decode_picture(bytes, "x", true);
}

void parse_png(std::string_view bytes) {
  decode(decode_png, bytes, png_notes);
}

void parse_jpeg(std::string_view bytes) {
  decode(decode_jpeg, bytes, jpeg_notes);
}

void parse_webp(std::string_view bytes) {
  decode(decode_webp, bytes, webp_notes);
}

void parse_avif(std::string_view bytes) {
  decode(decode_avif, bytes, avif_notes);
}

void parse_gif(std::string_view bytes) {
  decode(decode_gif, bytes, gif_notes);
}

void parse_bmp(std::string_view bytes) {
  decode(decode_bmp, bytes);
}

void parse_exif(std::string_view bytes) {
  parse_notes({.exif = {bytes.begin(), bytes.end()}});
  parse_notes({.xmp = {bytes.begin(), bytes.end()}});
}

void parse_png_chunks(std::string_view bytes) {
  for (const auto& [keyword, text] : read_png_text(scratch_file("x.png", bytes))) read_parameters(text);
}

// The same bytes as each kind of text chunk.
void parse_png_text(std::string_view bytes) {
  std::vector<std::uint8_t> png(kPngSignature.begin(), kPngSignature.end());
  for (const char* type : {"tEXt", "iTXt", "zTXt"}) append_chunk(type, bytes, png);
  append_chunk("IEND", "", png);
  parse_png_chunks({reinterpret_cast<const char*>(png.data()), png.size()});
}

void parse_parameters(std::string_view bytes) {
  read_parameters(std::string(bytes));
  read_parameters("a cat\nNegative prompt: x\nSteps: 3, Seed: 4, " + std::string(bytes));
}

}  // namespace

std::vector<FuzzTarget> picture_targets() {
  return {{"png", parse_png},           {"jpeg", parse_jpeg},
          {"webp", parse_webp},         {"avif", parse_avif},
          {"gif", parse_gif},           {"bmp", parse_bmp},
          {"exif", parse_exif},         {"png_chunks", parse_png_chunks},
          {"png_text", parse_png_text}, {"parameters", parse_parameters}};
}

}  // namespace sdgen::fuzz
