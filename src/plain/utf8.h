// UTF-8 as far as a command line needs it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sdgen {

// Offset of the first byte that is not UTF-8 (overlong forms and surrogates included); none if all of it is.
std::optional<std::size_t> invalid_utf8(std::string_view text);

// The 1-based column, in characters, of the byte at `offset` of one line.
std::size_t column_of(std::string_view line, std::size_t offset);

// The longest prefix of at most `max_bytes` that ends on a character's border.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

}  // namespace sdgen
