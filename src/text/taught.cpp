#include "text/taught.h"

#include <algorithm>
#include <cstdlib>

#include "plain/errors.h"
#include "plain/nearest.h"
#include "plain/unicode.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

constexpr std::size_t kMostTold = 8;  // words of one sentence
constexpr std::size_t kMostMeant = 3;
constexpr std::size_t kLongWord = 8;  // bytes: two letters of it may be wrong

std::vector<std::string> folded(const std::vector<PromptWord>& words) {
  std::vector<std::string> names;
  for (const PromptWord& word : words)
    if (word.kind == PromptWord::Kind::kWord) names.push_back(folded_word(word.text));
  return names;
}

// The longest name of a thing that begins with names[at]: how many words, 0 if none.
std::size_t thing_at(const Taught& taught, const std::vector<std::string>& names, std::size_t at,
                     std::string& thing) {
  std::size_t longest = 0;
  std::vector<std::string> name;
  for (std::size_t end = at; end < names.size() && end < at + 4; ++end) {
    name.push_back(names[end]);
    const auto found = taught.things.find(name);
    if (found == taught.things.end()) continue;
    longest = name.size();
    thing = found->second;
  }
  return longest;
}

bool is_number(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_too_many(const Taught& taught, const std::string& word) {
  if (taught.most_of_a_kind == 0) return false;
  return taught.too_many.contains(word) ||
         (is_number(word) && std::atof(word.c_str()) > taught.most_of_a_kind);
}

void add_new(std::vector<std::string>& list, const std::string& word) {
  if (std::find(list.begin(), list.end(), word) == list.end()) list.push_back(word);
}

// What a word may have been meant to be, "cat or hat": rather the names of things than other words.
std::string meant_words(const Taught& taught, const std::string& name) {
  const std::size_t most = name.size() < kLongWord ? 1 : 2;
  std::vector<std::string> things;
  for (const auto& [words, thing] : taught.things) things.push_back(join(words, " "));
  std::vector<std::string> nearest = all_nearest_of(name, things, most);
  if (nearest.empty()) nearest = all_nearest_of(name, taught.words, most);
  if (nearest.size() > kMostMeant) nearest.resize(kMostMeant);
  return join(nearest, " or ");
}

std::string shown(std::vector<std::string> list) {
  if (list.size() > kMostTold) {
    list.resize(kMostTold);
    list.emplace_back("...");
  }
  return join(list);
}

}  // namespace

std::vector<std::string> beyond_taught(const Taught& taught, const std::vector<PromptWord>& words) {
  std::vector<std::string> unknown, numbers, colourless, lines;
  for (const std::string& word : words_outside(taught.words, words)) {
    const std::string name = folded_word(word);
    if (taught.words.empty() || is_too_many(taught, name)) continue;
    const std::string nearest = meant_words(taught, name);
    unknown.push_back(word + (nearest.empty() ? "" : " (did you mean " + nearest + "?)"));
  }
  const std::vector<std::string> names = folded(words);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (is_too_many(taught, names[i])) add_new(numbers, names[i]);
    std::string thing;
    if (taught.colours.contains(names[i]) && thing_at(taught, names, i, thing) == 0 &&
        thing_at(taught, names, i + 1, thing) > 0 && !taught.coloured.contains(thing))
      add_new(colourless, thing);
  }
  if (!unknown.empty())
    lines.push_back("was not taught: " + shown(unknown) + "; `sd-gen words` lists what it knows");
  if (!numbers.empty())
    lines.push_back(concat("counts to ", taught.most_of_a_kind, ", not to ", shown(numbers)));
  if (!colourless.empty()) lines.push_back("draws these in their own colours only: " + shown(colourless));
  return lines;
}

std::string too_many_kinds(const Taught& taught, const std::vector<PromptWord>& words) {
  if (taught.most_kinds == 0) return "";
  const std::vector<std::string> names = folded(words);
  std::vector<std::string> things;
  for (std::size_t i = 0; i < names.size();) {
    std::string thing;
    const std::size_t length = thing_at(taught, names, i, thing);
    if (length > 0) add_new(things, thing);
    i += std::max<std::size_t>(1, length);
  }
  if (things.size() <= static_cast<std::size_t>(taught.most_kinds)) return "";
  return concat("draws at most ", taught.most_kinds, " kinds of things at a time, not ", things.size(), ": ",
                shown(things));
}

std::string unusual_size(const Taught& taught, int width, int height) {
  std::vector<std::string> sizes;
  for (const auto& [known_width, known_height] : taught.sizes) {
    if (known_width == width && known_height == height) return "";
    sizes.push_back(concat(known_width, "x", known_height));
  }
  if (sizes.empty()) return "";
  return concat("was taught pictures of ", join(sizes), " pixels, not ", width, "x", height);
}

std::string without_untaught_signs(const Taught& taught, const std::string& text) {
  if (taught.untaught_signs.empty()) return text;
  const std::u32string signs = decode_utf8(taught.untaught_signs).chars;
  const Text raw = decode_utf8(text);
  std::string kept = text;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (signs.find(raw.chars[i]) == std::u32string::npos) continue;
    const std::size_t begin = raw.origin[i], end = i + 1 < raw.size() ? raw.origin[i + 1] : text.size();
    std::fill(kept.begin() + static_cast<std::ptrdiff_t>(begin),
              kept.begin() + static_cast<std::ptrdiff_t>(end), ' ');
  }
  return kept;
}

}  // namespace sdgen
