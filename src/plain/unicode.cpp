#include "plain/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace sdgen {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Range {
  char32_t first, last;
};

// Letters and numbers of Unicode 15.1 to 16, which the reference knows and utf8proc before 2.10 does not.
constexpr Range kNewerLetters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E},
    {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0},
    {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
    {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
constexpr Range kNewerNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                   {0x16130, 0x16139}, {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9},
                                   {0x1E5F1, 0x1E5FA}};
// Capitals of Unicode 16 and 17: range, distance to the small letter.
struct CaseRange {
  char32_t first, last;
  std::int32_t distance;
};
constexpr CaseRange kNewerCapitals[] = {{0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
                                        {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
                                        {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
                                        {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
                                        {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B}};

template <std::size_t N>
bool contains(const Range (&ranges)[N], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](Range r) { return r.first <= c && c <= r.last; });
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// How many continuation bytes follow `lead`, or -1; `low` and `high` bound the first of them (Unicode table
// 3-7).
int continuation_bytes(unsigned char lead, unsigned char& low, unsigned char& high) {
  low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) return 1;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    return 2;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
    return 3;
  }
  return -1;
}

bool is_mark(utf8proc_category_t kind) {
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC || kind == UTF8PROC_CATEGORY_ME;
}

// Nothing before such a character can reorder with it or compose with it: every second half of a composition
// is a mark, or a vowel or final consonant of conjoining Hangul.
bool starts_segment(char32_t c) {
  if (c < 0x300) return true;
  return !is_mark(category(c)) && !(c >= 0x1160 && c <= 0x11FF);
}

// Appends NFC of text[begin, end), one segment. utf8proc's own reordering is quadratic in the number of
// marks, so only its tables of decompositions and its composition are used.
void append_segment(const Text& text, std::size_t begin, std::size_t end, Text& out) {
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  std::vector<utf8proc_int32_t> buffer;
  for (std::size_t i = begin; i < end; ++i) {
    std::array<utf8proc_int32_t, 16> parts{};
    int boundary = 0;
    const auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(text.chars[i]), parts.data(),
                                static_cast<utf8proc_ssize_t>(parts.size()), options, &boundary);
    if (count > 0 && count <= static_cast<utf8proc_ssize_t>(parts.size()))
      buffer.insert(buffer.end(), parts.begin(), parts.begin() + count);
    else
      buffer.push_back(static_cast<utf8proc_int32_t>(text.chars[i]));
  }
  const auto combining = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (auto run = buffer.begin(); run != buffer.end();) {
    if (combining(*run) == 0) {
      ++run;
      continue;
    }
    const auto run_end = std::find_if(run, buffer.end(), [&](auto c) { return combining(c) == 0; });
    std::stable_sort(run, run_end, [&](auto a, auto b) { return combining(a) < combining(b); });
    run = run_end;
  }
  constexpr auto compose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto length =
      utf8proc_normalize_utf32(buffer.data(), static_cast<utf8proc_ssize_t>(buffer.size()), compose);
  for (utf8proc_ssize_t i = 0; i < length; ++i)
    out.push_back(static_cast<char32_t>(buffer[static_cast<std::size_t>(i)]), text.origin[begin]);
}

}  // namespace

Text Text::slice(std::size_t begin, std::size_t end) const {
  const auto from = static_cast<std::ptrdiff_t>(begin), to = static_cast<std::ptrdiff_t>(end);
  return {chars.substr(begin, end - begin), {origin.begin() + from, origin.begin() + to}};
}

Text decode_utf8(std::string_view bytes) {
  Text text;
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t start = i++;
    if (lead < 0x80) {
      text.push_back(lead, start);
      continue;
    }
    unsigned char low = 0, high = 0;
    const int count = continuation_bytes(lead, low, high);
    char32_t c = count < 0 ? kReplacement : lead & (0x3Fu >> count);
    for (int k = 0; k < count; ++k, ++i, low = 0x80, high = 0xBF) {
      const auto next = i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
      if (next < low || next > high) {
        c = kReplacement;
        break;
      }
      c = c << 6 | (next & 0x3Fu);
    }
    text.push_back(c, start);
  }
  return text;
}

void append_utf8(char32_t c, std::string& out) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

std::string encode_utf8(std::u32string_view chars) {
  std::string out;
  out.reserve(chars.size());
  for (const char32_t c : chars) append_utf8(c, out);
  return out;
}

bool is_letter(char32_t c) {
  const auto kind = category(c);
  if (kind == UTF8PROC_CATEGORY_CN) return contains(kNewerLetters, c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_number(char32_t c) {
  const auto kind = category(c);
  if (kind == UTF8PROC_CATEGORY_CN) return contains(kNewerNumbers, c);
  return kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO;
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_word(char32_t c) {
  const auto kind = category(c);
  return is_letter(c) || is_mark(kind) || kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL ||
         kind == UTF8PROC_CATEGORY_PC || c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9);
}

bool is_punctuation(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO;
}

Text normalize_nfc(const Text& text) {
  Text out;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + 1;
    while (end < text.size() && !starts_segment(text.chars[end])) ++end;
    if (end == begin + 1 && text.chars[begin] < 0x300)
      out.push_back(text.chars[begin], text.origin[begin]);
    else
      append_segment(text, begin, end, out);
    begin = end;
  }
  return out;
}

Text collapse_spaces(const Text& text) {
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_space(text.chars[i]))
      out.push_back(text.chars[i], text.origin[i]);
    else if (i == 0 || !is_space(text.chars[i - 1]))
      out.push_back(U' ', text.origin[i]);
  }
  return out;
}

Text to_lower(const Text& text) {
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char32_t c = text.chars[i];
    if (c == 0x130) {  // the one letter whose full mapping is longer than itself
      out.push_back(U'i', text.origin[i]);
      out.push_back(0x307, text.origin[i]);
      continue;
    }
    const char32_t lower = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    const auto newer = std::find_if(std::begin(kNewerCapitals), std::end(kNewerCapitals),
                                    [c](const CaseRange& r) { return r.first <= c && c <= r.last; });
    if (lower == c && newer != std::end(kNewerCapitals))
      c = static_cast<char32_t>(static_cast<std::int32_t>(c) + newer->distance);
    else
      c = lower;
    out.push_back(c, text.origin[i]);
  }
  return out;
}

}  // namespace sdgen
