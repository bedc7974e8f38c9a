#include "image/png_text.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>

#include "image/png_chunks.h"

namespace sdgen {
namespace {

std::string latin1_to_utf8(std::string_view text) {
  std::string utf8;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) utf8.push_back(static_cast<char>(0xC0 | byte >> 6));
    utf8.push_back(byte < 0x80 ? c : static_cast<char>(0x80 | (byte & 0x3F)));
  }
  return utf8;
}

// Cuts `rest` at its first NUL and returns what stood before; all of it where there is none.
std::string_view take_until_nul(std::string_view& rest) {
  const auto nul = std::min(rest.find('\0'), rest.size());
  const auto taken = rest.substr(0, nul);
  rest.remove_prefix(std::min(nul + 1, rest.size()));
  return taken;
}

// A zlib stream unpacked to at most `most` bytes: nothing where it is damaged or cut short, one byte more
// than `most` where it goes on.
std::optional<std::string> unpacked(std::string_view packed, std::uint64_t most) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::array<char, 65536> piece;
  std::string out;
  int state = Z_OK;
  while (state == Z_OK && out.size() <= most) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (out.size() > most) return out.substr(0, most + 1);
  return state == Z_STREAM_END ? std::optional(out) : std::nullopt;
}

// What a chunk holds: text that may be packed, and whether it is UTF-8.
struct Contents {
  std::string_view bytes;
  bool is_packed = false;
  bool is_utf8 = false;
};

// Behind the keyword; nothing where a method is unknown.
std::optional<Contents> contents_of(std::string_view type, std::string_view rest) {
  if (type == "tEXt") return Contents{rest};
  if (type == "zTXt") {  // method, text
    if (rest.empty() || rest[0] != 0) return std::nullopt;
    return Contents{rest.substr(1), true};
  }
  if (rest.size() < 2 || rest[0] > 1 || (rest[0] == 1 && rest[1] != 0)) return std::nullopt;
  const bool is_packed = rest[0] == 1;  // flag, method, language, translated keyword, text
  rest.remove_prefix(2);
  take_until_nul(rest);
  take_until_nul(rest);
  return Contents{rest, is_packed, true};
}

std::uint8_t hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return 16;
}

// ImageMagick's profiles: an empty line, a name, a length, then lines of hexadecimal digits.
std::vector<std::uint8_t> raw_profile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return {};
    text.remove_prefix(end + 1);
  }
  std::vector<std::uint8_t> bytes;
  std::uint8_t high = 16;
  for (const char c : text) {
    const std::uint8_t digit = hex_digit(c);
    if (digit > 15) continue;
    if (high < 16) bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit));
    high = high < 16 ? 16 : digit;
  }
  return bytes;
}

}  // namespace

std::string text_keyword(std::string_view data) {
  return latin1_to_utf8(data.substr(0, data.find('\0')));
}

TextChunk append_png_text(std::string_view type, std::string_view data, std::uint64_t& budget,
                          PngText& text) {
  std::string_view rest = data;
  const std::string keyword = latin1_to_utf8(take_until_nul(rest));
  if (keyword.empty()) return TextChunk::kDamaged;
  const std::optional<Contents> contents = contents_of(type, rest);
  if (!contents) return TextChunk::kDamaged;
  const std::optional<std::string> bytes =
      contents->is_packed ? unpacked(contents->bytes, budget) : std::string(contents->bytes);
  if (!bytes) return TextChunk::kDamaged;
  if (bytes->size() > budget) return TextChunk::kTooLong;
  budget -= bytes->size();
  text.emplace_back(keyword, contents->is_utf8 ? *bytes : latin1_to_utf8(*bytes));
  return TextChunk::kRead;
}

PictureNotes png_notes(const std::vector<std::uint8_t>& bytes) {
  PictureNotes notes;
  std::vector<std::uint8_t> raw_exif;
  bool has_exif = false;
  std::uint64_t budget = kMaxPngText;
  const std::string_view png(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (std::size_t at = kPngSignature.size(); at + kPngChunkFrame <= bytes.size();) {
    const std::uint64_t size = read_big_endian(&bytes[at]);
    const std::string_view type = png.substr(at + 4, 4);
    if (size > bytes.size() - at - kPngChunkFrame || type == "IEND") break;
    const std::string_view data = png.substr(at + 8, size);
    if (type == "eXIf") {
      has_exif = true;
      notes.exif.assign(data.begin(), data.end());
    }
    const std::string keyword = is_text_chunk(type) ? text_keyword(data.substr(0, 80)) : "";
    PngText text;
    if ((keyword == "Raw profile type exif" || keyword == "XML:com.adobe.xmp") &&
        append_png_text(type, data, budget, text) == TextChunk::kRead) {
      const std::string& value = text.front().second;
      keyword[0] == 'R' ? raw_exif = raw_profile(value) : notes.xmp = {value.begin(), value.end()};
    }
    at += kPngChunkFrame + size;
  }
  if (!has_exif) notes.exif = std::move(raw_exif);
  return notes;
}

}  // namespace sdgen
