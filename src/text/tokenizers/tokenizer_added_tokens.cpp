#include "text/tokenizers/tokenizer_added_tokens.h"

#include <algorithm>
#include <utility>

namespace sdgen {

void AddedTokenMatcher::add(std::u32string content, int id, const AddedToken& rules) {
  if (content.empty()) return;
  lengths_[content.front()].insert(content.size());
  entries_.try_emplace(std::move(content), Entry{id, rules});
}

std::size_t AddedTokenMatcher::match(std::u32string_view text, std::size_t at, const Entry*& entry) const {
  const auto lengths = lengths_.find(text[at]);
  if (lengths == lengths_.end()) return 0;
  for (const std::size_t length : lengths->second) {
    if (length > text.size() - at) continue;
    const auto found = entries_.find(std::u32string(text.substr(at, length)));
    if (found == entries_.end()) continue;
    entry = &found->second;
    return length;
  }
  return 0;
}

std::vector<Segment> AddedTokenMatcher::split(std::u32string_view text) const {
  std::vector<Segment> segments;
  std::size_t done = 0;
  const auto cover = [&](std::optional<int> id, std::size_t begin, std::size_t end) {
    if (begin < end) segments.push_back({id, begin, end});
    done = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    const Entry* entry = nullptr;
    const std::size_t length = match(text, at, entry);
    if (length == 0) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + length;
    at = end;  // a match that is refused below still hides what overlaps it, as in the reference
    const bool touches_word =
        (begin > 0 && is_word(text[begin - 1])) || (end < text.size() && is_word(text[end]));
    if (entry->rules.single_word && touches_word) continue;
    while (entry->rules.lstrip && begin > done && is_space(text[begin - 1])) --begin;
    while (entry->rules.rstrip && end < text.size() && is_space(text[end])) ++end;
    if (begin > done) cover(std::nullopt, done, begin);
    cover(entry->id, begin, end);
    at = std::max(at, end);
  }
  cover(std::nullopt, done, text.size());
  return segments;
}

}  // namespace sdgen
