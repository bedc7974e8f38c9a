// Words -> token ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace sdgen {

struct Tokens {
  std::vector<std::int64_t> ids;     // [model_max_length]: begin (CLIP only), words, end, padding
  int first_word = 0;                // the row of the first word's token, behind begin
  std::vector<std::size_t> origins;  // of each word's token, the byte of the text where it begins
  std::string dropped;  // the end of the text that did not fit, as the user wrote it; empty if all did
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // `text` is UTF-8; ill-formed bytes count as U+FFFD.
  virtual Tokens encode(const std::string& text) const = 0;

  virtual int model_max_length() const = 0;
};

// A word that the tokenizer's own files do not know (textual inversion), found whole in the text, as
// transformers' add_tokens() does. It may be several tokens long, then called `token`, `token_1`, `token_2`,
// ...; a text that holds `token` as it is spelled here means all of them, one after the other, as diffusers'
// maybe_convert_prompt() has it; one with capitals, which that never finds, means its first token only.
struct NewWord {
  std::string token;
  int first_id = 0;  // those of the others follow
  int tokens = 1;
  std::string file;  // where it is from, for messages
};

// Opens the tokenizer that `folder` (a pipeline's tokenizer/) holds: spiece.model -> SentencePiece;
// tokenizer.json, or vocab.json and merges.txt -> CLIP's byte-level BPE; tokenizer_config.json names special
// tokens and lengths. Throws Error(kInput) naming the file and what is wrong with it.
// A new word whose name is taken or empty is refused; only CLIP's tokenizer takes any.
std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& folder,
                                          const std::vector<NewWord>& new_words = {});

}  // namespace sdgen
