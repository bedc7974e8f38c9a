#include "text/tokenizers/qwen2_pieces.h"

#include "plain/unicode.h"

namespace sdgen {
namespace {

bool is_line_break(char32_t c) {
  return c == U'\r' || c == U'\n';
}

bool is_sign_or_mark(char32_t c) {
  return !is_space(c) && !is_letter(c) && !is_number(c);
}

std::size_t run_end(std::u32string_view text, std::size_t begin, bool (*in_run)(char32_t)) {
  while (begin < text.size() && in_run(text[begin])) ++begin;
  return begin;
}

// As (?i:) compares the letters of contractions: the long s is the one letter beside ASCII's that folds to
// any of them.
char32_t folded(char32_t c) {
  if (c == 0x17F) return U's';
  return c >= U'A' && c <= U'Z' ? c + 32 : c;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d); `begin` itself where there is none.
std::size_t english_ending(std::u32string_view text, std::size_t begin) {
  if (text[begin] != U'\'') return begin;
  const auto letter = [&](std::size_t i) { return i < text.size() ? folded(text[i]) : U'\0'; };
  const char32_t first = letter(begin + 1), second = letter(begin + 2);
  if (first == U's' || first == U't' || first == U'm' || first == U'd') return begin + 2;
  const bool has_two = (first == U'r' && second == U'e') || (first == U'v' && second == U'e') ||
                       (first == U'l' && second == U'l');
  return has_two ? begin + 3 : begin;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ of a run of white space: up to its last line break; else all but its last
// character, which is left to the word behind it; else, at the text's end or where it is one character, all.
std::size_t space_end(std::u32string_view text, std::size_t begin) {
  const std::size_t end = run_end(text, begin, is_space);
  for (std::size_t i = end; i > begin; --i)
    if (is_line_break(text[i - 1])) return i;
  return end == text.size() || end - begin == 1 ? end : end - 1;
}

}  // namespace

std::size_t qwen2_piece_end(std::u32string_view text, std::size_t begin) {
  if (const std::size_t end = english_ending(text, begin); end > begin) return end;
  const char32_t c = text[begin];
  const std::size_t next = begin + 1;
  if (is_letter(c)) return run_end(text, begin, is_letter);
  if (is_number(c)) return next;
  if (!is_line_break(c) && next < text.size() && is_letter(text[next])) return run_end(text, next, is_letter);
  const std::size_t signs = c == U' ' ? next : begin;
  if (signs < text.size() && is_sign_or_mark(text[signs]))
    return run_end(text, run_end(text, signs, is_sign_or_mark), is_line_break);
  return space_end(text, begin);
}

}  // namespace sdgen
