// A prompt's words, and which tokens they became.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "sdgen/attention.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen {

// Letters, digits and marks in a row are a word, with the apostrophes and hyphens inside it; so are other
// signs in a row, as kPunctuation if they are nothing but that. `tokens` stay empty.
std::vector<PromptWord> prompt_words(const std::string& text);

// The same with the rows of their tokens, then what stands around the words.
std::vector<PromptWord> prompt_words(const std::string& text, const Tokens& tokens);

// A word as words are compared: in lower case, composed (NFC).
std::string folded_word(const std::string& word);

// The words that are not among `known` folded words; each once, in order, as it stands in the prompt. Lone
// ASCII signs are not told.
std::vector<std::string> words_outside(const std::set<std::string>& known,
                                       const std::vector<PromptWord>& words);

// The indexes of the words that `name` means (see WordName), one list a place. Throws Error(kRequest) naming
// `what` (e.g. "attend") if it stands nowhere in the prompt.
std::vector<std::vector<std::size_t>> find_words(const std::vector<PromptWord>& words,
                                                 const std::string& name, const std::string& what);

}  // namespace sdgen
