#include "sdgen/printable.h"

#include <algorithm>
#include <vector>

namespace sdgen {
namespace {

constexpr std::string_view kGap = "...";
constexpr char kDigits[] = "0123456789abcdef";

// The code point of the `length` bytes of a character.
char32_t code_point(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() == 1) return lead;
  char32_t code = lead & (0x7F >> bytes.size());
  for (const char byte : bytes.substr(1)) code = code << 6 | (static_cast<unsigned char>(byte) & 0x3F);
  return code;
}

// What terminals and viewers act upon instead of showing it.
bool is_acted_upon(char32_t code) {
  const auto is_in = [&](char32_t first, char32_t last) { return code >= first && code <= last; };
  return code < 0x20 || is_in(0x7F, 0x9F) || code == 0x61C || is_in(0x200E, 0x200F) ||
         is_in(0x2028, 0x202E) || is_in(0x2066, 0x206F) || code == 0xFEFF || is_in(0xFFF9, 0xFFFB);
}

std::string escaped(char32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  std::string text = code < 0x100 ? "\\x" : "\\u";
  for (int shift = code < 0x100 ? 4 : 12; shift >= 0; shift -= 4) text += kDigits[code >> shift & 0xF];
  return text;
}

// Text of pieces (characters and escapes) that are not to be torn.
struct Pieces {
  std::string text;
  std::vector<std::size_t> begins;
};

Pieces pieces_of(std::string_view text) {
  Pieces pieces;
  for (std::size_t at = 0; at < text.size();) {
    pieces.begins.push_back(pieces.text.size());
    const std::size_t length = utf8_length(text, at);
    const std::string_view bytes = text.substr(at, std::max<std::size_t>(length, 1));
    const char32_t code = length == 0 ? static_cast<unsigned char>(bytes[0]) : code_point(bytes);
    if (length == 0 || is_acted_upon(code))
      pieces.text += escaped(code);
    else
      pieces.text += bytes;
    at += bytes.size();
  }
  return pieces;
}

// The beginning and the end of a very long text: more than is shown of it.
std::string without_far_middle(std::string_view text, std::size_t most_bytes) {
  const std::size_t kept = most_bytes + 4;
  if (text.size() <= 2 * kept) return std::string(text);
  std::size_t end = text.size() - kept;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return std::string(text.substr(0, kept)) +
         std::string(text.substr(std::min(end, text.size() - most_bytes)));
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const int lead = byte(0);  // Unicode, table 3-7
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool no_scalar = (lead == 0xED && byte(1) >= 0xA0) || (lead == 0xF4 && byte(1) >= 0x90);
  return overlong || no_scalar ? 0 : length;
}

std::string printable(std::string_view text, std::size_t most_bytes) {
  const Pieces pieces = pieces_of(without_far_middle(text, most_bytes));
  const std::size_t size = pieces.text.size();
  if (size <= most_bytes) return pieces.text;
  const std::size_t room = most_bytes - std::min(most_bytes, kGap.size());
  // The last border that leaves the front half of the room, the first one that leaves the back half.
  const auto front = *std::prev(std::upper_bound(pieces.begins.begin(), pieces.begins.end(), room / 2));
  const auto back = std::lower_bound(pieces.begins.begin(), pieces.begins.end(), size - (room - front));
  return pieces.text.substr(0, front) + std::string(kGap) +
         (back == pieces.begins.end() ? "" : pieces.text.substr(*back));
}

}  // namespace sdgen
