// Text that comes out of files and from users, made fit for a terminal and a line of a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sdgen {

// Bytes of a line for people: an error that names whatever a file holds still shows its remedy on one screen.
inline constexpr std::size_t kMaxLineBytes = 480;

// `text` as part of one line, at most `most_bytes` long. What a terminal would act upon is written out:
// control characters and bytes that are not UTF-8 as \x1b, line breaks as \n, line separators and what turns
// the direction of writing as \u202e. What is too long loses its middle, where "..." stands: messages begin
// with a place and end with a remedy. Its own result it leaves as it is.
std::string printable(std::string_view text, std::size_t most_bytes = kMaxLineBytes);

// Bytes of the UTF-8 character at `at`; 0 if there is none (overlong forms and surrogates included).
std::size_t utf8_length(std::string_view text, std::size_t at);

}  // namespace sdgen
