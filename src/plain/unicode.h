// Text as code points that know where in the user's bytes they came from, and the Unicode properties that the
// reference tokenizers ask for (Rust's char methods and Oniguruma's \p{L}, \p{N}, \s).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sdgen {

// chars.size() == origin.size(); origin[i] is the byte offset, in the text as the user wrote it, of the
// character that chars[i] was made from. Normalisation keeps origins, so that a token can be traced back to
// what was typed.
struct Text {
  std::u32string chars;
  std::vector<std::size_t> origin;

  std::size_t size() const { return chars.size(); }
  void push_back(char32_t c, std::size_t from) {
    chars.push_back(c);
    origin.push_back(from);
  }
  Text slice(std::size_t begin, std::size_t end) const;
};

// UTF-8 -> code points; each maximal ill-formed subsequence becomes one U+FFFD, as in Rust and Python.
Text decode_utf8(std::string_view bytes);

void append_utf8(char32_t c, std::string& out);
std::string encode_utf8(std::u32string_view chars);

bool is_letter(char32_t c);  // \p{L}
bool is_number(char32_t c);  // \p{N}
bool is_space(char32_t c);   // White_Space
bool is_word(char32_t c);    // \w of Rust's regex: letters, marks, decimal digits, connectors, joiners

bool is_punctuation(char32_t c);  // \p{P}

// Unicode NFC; time is linear but for one sort of each run of combining marks.
Text normalize_nfc(const Text& text);

// Each run of White_Space becomes one U+0020.
Text collapse_spaces(const Text& text);

// Lower case of each code point by itself (U+0130 gives two; no rule for a final sigma).
Text to_lower(const Text& text);

}  // namespace sdgen
