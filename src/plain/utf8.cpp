#include "plain/utf8.h"

#include <algorithm>

#include "sdgen/printable.h"

namespace sdgen {
namespace {

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

}  // namespace

std::optional<std::size_t> invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::size_t column_of(std::string_view line, std::size_t offset) {
  const auto before = line.substr(0, offset);
  return 1 + before.size() -
         static_cast<std::size_t>(std::count_if(before.begin(), before.end(), is_continuation));
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && is_continuation(text[max_bytes])) --max_bytes;
  return text.substr(0, max_bytes);
}

}  // namespace sdgen
