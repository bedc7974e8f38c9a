// What a small model was taught, so that what it cannot do is told instead of drawn as something else.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sdgen/attention.h"

namespace sdgen {

// As its sdgen.json tells it; words are folded_word(). What is empty or 0 is not told, and nothing is said of
// it.
struct Taught {
  std::set<std::string> words;  // all of them
  // The names of things, in their words, and which thing each is: {"kitty"} -> "cat".
  std::map<std::vector<std::string>, std::string> things;
  std::set<std::string> coloured;  // things that take a colour
  std::set<std::string> colours;   // words
  std::set<std::string> too_many;  // words for numbers above most_of_a_kind
  int most_of_a_kind = 0;
  int most_kinds = 0;
  std::vector<std::pair<int, int>> sizes;  // pictures that it draws well: width, height
  std::string untaught_signs;              // left out of texts
};

// The words that it was not taught with the nearest that it was, the numbers that are too high, the colours
// of things that take none: a sentence each, which goes behind "MODEL ".
std::vector<std::string> beyond_taught(const Taught& taught, const std::vector<PromptWord>& words);

// Of a prompt with too many kinds of things, likewise; empty: it has not.
std::string too_many_kinds(const Taught& taught, const std::vector<PromptWord>& words);

// Of a picture's size, likewise.
std::string unusual_size(const Taught& taught, int width, int height);

// `text` with spaces for the signs that it was not taught: words stay where they are.
std::string without_untaught_signs(const Taught& taught, const std::string& text);

}  // namespace sdgen
