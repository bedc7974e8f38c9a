#include "text/tokenizers/tokenizer_window.h"

#include <algorithm>

namespace sdgen {
namespace {

constexpr std::size_t kLongestWord = 32;  // characters

}  // namespace

std::string dropped_text(const Text& raw, std::size_t origin) {
  const auto at = std::lower_bound(raw.origin.begin(), raw.origin.end(), origin);
  auto cut = static_cast<std::size_t>(at - raw.origin.begin());
  while (cut < raw.size() && is_space(raw.chars[cut]))
    ++cut;  // a SentencePiece piece begins at the space before it
  std::size_t begin = cut;
  while (begin > 0 && cut - begin < kLongestWord && !is_space(raw.chars[begin - 1])) --begin;
  if (begin > 0 && !is_space(raw.chars[begin - 1])) begin = cut;
  while (begin < raw.size() && is_space(raw.chars[begin])) ++begin;
  std::size_t end = raw.size();
  while (end > begin && is_space(raw.chars[end - 1])) --end;
  return encode_utf8(std::u32string_view(raw.chars).substr(begin, end - begin));
}

Tokens fit_tokens(const std::vector<PlacedToken>& tokens, const TokenWindow& window, const Text& raw) {
  Tokens result;
  const std::size_t kept = std::min(tokens.size(), window.words());
  if (window.begin) result.ids.push_back(*window.begin);
  result.first_word = static_cast<int>(result.ids.size());
  for (std::size_t i = 0; i < kept; ++i) {
    result.ids.push_back(tokens[i].id);
    result.origins.push_back(tokens[i].origin);
  }
  result.ids.push_back(window.end);
  result.ids.resize(static_cast<std::size_t>(window.length), window.pad);
  if (kept < tokens.size()) result.dropped = dropped_text(raw, tokens[kept].origin);
  return result;
}

}  // namespace sdgen
