// 8-bit pictures and their files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdgen/picture_format.h"

namespace sdgen {

// RGB, rows from the top, rgb.size() == 3 * width * height.
struct Image {
  int width = 0;   // pixels
  int height = 0;  // pixels
  std::vector<std::uint8_t> rgb;
};

// (keyword, UTF-8 text) pairs that stand in a picture file; a PNG's keywords are 1 to 79 Latin-1 characters.
using PictureText = std::vector<std::pair<std::string, std::string>>;
using PngText = PictureText;

// Encodes a PNG in memory: the picture by stb_image_write, `text` as iTXt (tEXt where it is plain
// Latin-1/ASCII) chunks before IDAT (PNG specification, 11.3.4). Throws Error(kWorking) if the picture is
// empty or its size does not match its bytes.
std::vector<std::uint8_t> encode_png(const Image& image, const PngText& text);

// Encodes in memory as `format`. quality: 1 to 100, of JPEG and WebP (100: a WebP without loss). A PNG takes
// all of `text`, the others its "parameters", in EXIF's UserComment as AUTOMATIC1111 writes it. Throws
// Error(kWorking) as encode_png() does, Error(kRequest) as require_format_fits().
std::vector<std::uint8_t> encode_picture(const Image& image, PictureFormat format, int quality,
                                         const PictureText& text);

// Throws Error(kRequest) if a picture of this size or with this text cannot be written in `format`.
void require_format_fits(PictureFormat format, int width, int height, const PictureText& text);

// Writes `bytes` to `path` through a temporary file in the same folder, flushed and then renamed, so that no
// reader ever sees half a file and a failure leaves none. overwrite == false: an existing `path` is left
// alone and Error(kRequest) thrown, without a race. Throws Error(kWorking) naming path and cause (no such
// folder, no permission, disk full).
void write_file_atomically(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes,
                           bool overwrite);

// A picture file as its viewers show it: PNG, JPEG (CMYK included), WebP, AVIF, GIF or BMP, of moving ones
// the first frame, turned as the file says (EXIF, XMP, AVIF's own); an alpha channel is left aside. Equal to
// Pillow's exif_transpose() and convert("RGB"). Throws Error(kInput) naming the file if it is missing,
// damaged, of no such kind, more than 16384 pixels wide or high, or of more than 2^27 pixels (16384x8192).
Image read_picture(const std::filesystem::path& path);

// The same without the pixels: `rgb` is empty.
Image read_picture_size(const std::filesystem::path& path);

// kLanczos: of three lobes; kBicubic: with a = -1/2.
enum class ResizeFilter { kLanczos, kBicubic };

// Resized in 8 bits, first the rows, then the columns, as Pillow's Image.resize() does it.
Image resize(const Image& image, int width, int height, ResizeFilter filter = ResizeFilter::kLanczos);

// The `parameters` and other text chunks of a PNG file written by us or by others (tEXt, zTXt, iTXt, packed
// or not). Throws Error(kInput) if the file is missing, is no PNG, or has more than 10,000 text chunks or 16
// MiB of text.
PngText read_png_text(const std::filesystem::path& path);

// The text in any picture file that read_picture() takes: a PNG's as read_png_text(), of the others EXIF's
// UserComment under that name, and "comment". Throws Error(kInput).
PictureText read_picture_text(const std::filesystem::path& path);

// "png", "jpeg", "webp", "avif", "gif" or "bmp" by the file's first bytes; empty for what is none of them.
// Throws Error(kInput) if it cannot be read.
std::string picture_kind(const std::filesystem::path& path);

// RFC 4648, section 4, with padding: for data URIs and terminals.
std::string base64(std::string_view bytes);

}  // namespace sdgen
