#include "text/prompt_words.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>

#include "plain/errors.h"
#include "plain/unicode.h"

namespace sdgen {
namespace {

bool joins_words(char32_t c) {
  return c == U'\'' || c == U'\u2019' || c == U'-' || c == U'\u2010';
}

// Marks, joiners and the like belong to what they follow, an emoji's variation selector too.
bool attaches(char32_t c) {
  return is_word(c) && !is_letter(c) && !is_number(c);
}

// The end of the word or of the run of other signs at `begin`, which is no space.
std::size_t word_end(const std::u32string& chars, std::size_t begin) {
  const bool in_word = is_word(chars[begin]);
  std::size_t end = begin + 1;
  while (end < chars.size() && !is_space(chars[end])) {
    const bool joins =
        in_word && joins_words(chars[end]) && end + 1 < chars.size() && is_word(chars[end + 1]);
    if (is_word(chars[end]) != in_word && !joins && !attaches(chars[end])) break;
    ++end;
  }
  return end;
}

PromptWord around(PromptWord::Kind kind, std::size_t place, int first, int end) {
  PromptWord word{kind, "", place, place};
  for (int token = first; token < end; ++token) word.tokens.push_back(token);
  return word;
}

// "+", "<": no letter, no digit.
bool is_sign(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](unsigned char c) { return c < 0x80 && !std::isalnum(c); });
}

// "apple#2" -> "apple", 2
struct Name {
  std::vector<std::string> words;
  std::optional<std::size_t> number;
};

Name parse_name(const std::string& name) {
  Name parsed;
  std::string text = name;
  if (const std::size_t hash = name.rfind('#'); hash != std::string::npos && hash > 0) {
    std::size_t number = 0;
    const char* const last = name.data() + name.size();
    const auto read = std::from_chars(name.data() + hash + 1, last, number);
    if (read.ec == std::errc() && read.ptr == last && number > 0) {
      parsed.number = number;
      text.resize(hash);
    }
  }
  for (const PromptWord& word : prompt_words(text)) parsed.words.push_back(folded_word(word.text));
  return parsed;
}

std::string known_words(const std::vector<PromptWord>& words) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const PromptWord& word : words)
    if (word.kind == PromptWord::Kind::kWord && seen.insert(folded_word(word.text)).second)
      names.push_back(word.text);
  return names.empty() ? "none" : join(names);
}

}  // namespace

std::string folded_word(const std::string& word) {
  return encode_utf8(to_lower(normalize_nfc(decode_utf8(word))).chars);
}

std::vector<PromptWord> prompt_words(const std::string& text) {
  const Text raw = decode_utf8(text);
  const auto byte = [&](std::size_t at) { return at < raw.size() ? raw.origin[at] : text.size(); };
  std::vector<PromptWord> words;
  for (std::size_t at = 0; at < raw.size();) {
    if (is_space(raw.chars[at])) {
      ++at;
      continue;
    }
    const std::size_t end = word_end(raw.chars, at);
    const bool signs = std::all_of(raw.chars.begin() + static_cast<std::ptrdiff_t>(at),
                                   raw.chars.begin() + static_cast<std::ptrdiff_t>(end), is_punctuation);
    words.push_back({signs ? PromptWord::Kind::kPunctuation : PromptWord::Kind::kWord,
                     text.substr(byte(at), byte(end) - byte(at)), byte(at), byte(end)});
    at = end;
  }
  return words;
}

std::vector<PromptWord> prompt_words(const std::string& text, const Tokens& tokens) {
  std::vector<PromptWord> words = prompt_words(text);
  auto word = words.begin();
  for (std::size_t i = 0; i < tokens.origins.size(); ++i) {
    // A piece of SentencePiece begins at the space before its word.
    while (word != words.end() && tokens.origins[i] >= word->end) ++word;
    if (word == words.end()) break;
    word->tokens.push_back(tokens.first_word + static_cast<int>(i));
  }
  const int end = tokens.first_word + static_cast<int>(tokens.origins.size());
  const int length = static_cast<int>(tokens.ids.size());
  if (tokens.first_word > 0) words.push_back(around(PromptWord::Kind::kStart, 0, 0, tokens.first_word));
  words.push_back(around(PromptWord::Kind::kEnd, text.size(), end, end + 1));
  if (end + 1 < length) words.push_back(around(PromptWord::Kind::kPadding, text.size(), end + 1, length));
  return words;
}

std::vector<std::string> words_outside(const std::set<std::string>& known,
                                       const std::vector<PromptWord>& words) {
  std::set<std::string> told;
  std::vector<std::string> outside;
  for (const PromptWord& word : words) {
    if (word.kind != PromptWord::Kind::kWord || is_sign(word.text)) continue;
    const std::string name = folded_word(word.text);
    if (!known.contains(name) && told.insert(name).second) outside.push_back(word.text);
  }
  return outside;
}

std::vector<std::vector<std::size_t>> find_words(const std::vector<PromptWord>& words,
                                                 const std::string& name, const std::string& what) {
  const Name wanted = parse_name(name);
  std::vector<std::vector<std::size_t>> places;
  for (std::size_t first = 0; !wanted.words.empty() && first + wanted.words.size() <= words.size(); ++first) {
    std::vector<std::size_t> place;
    while (place.size() < wanted.words.size() &&
           folded_word(words[first + place.size()].text) == wanted.words[place.size()])
      place.push_back(first + place.size());
    if (place.size() == wanted.words.size()) places.push_back(place);
  }
  if (wanted.number && *wanted.number <= places.size()) return {places[*wanted.number - 1]};
  if (places.empty() || wanted.number)
    fail_request(what, ": the prompt has no '", name, "'; its words: ", known_words(words));
  return places;
}

}  // namespace sdgen
