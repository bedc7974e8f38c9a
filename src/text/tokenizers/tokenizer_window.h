// Fitting tokens into a model's fixed length.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "plain/unicode.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen {

struct PlacedToken {
  int id;
  std::size_t origin;  // byte offset in the user's text
};

// The frame around the words.
struct TokenWindow {
  int length = 0;            // tokens in all
  std::optional<int> begin;  // absent: none (T5)
  int end = 0;
  int pad = 0;

  std::size_t words() const { return static_cast<std::size_t>(length) - (begin ? 2 : 1); }
};

// The end of the user's text that did not fit, from the start of the word in which the limit fell (byte
// `origin`), or from the very character where that start is more than 32 characters away, as in scripts
// without spaces; no white space around it.
std::string dropped_text(const Text& raw, std::size_t origin);

// begin, the first window.words() of `tokens`, end, padding. `raw` is the user's text: what of it did not fit
// goes to Tokens::dropped, as dropped_text() has it.
Tokens fit_tokens(const std::vector<PlacedToken>& tokens, const TokenWindow& window, const Text& raw);

}  // namespace sdgen
