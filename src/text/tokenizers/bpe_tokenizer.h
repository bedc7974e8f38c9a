// CLIP's tokenizer: normalise, split into words, byte-pair encode. Follows transformers 5 CLIPTokenizer (the
// one with the tokenizers backend); transformers 4's CLIPTokenizerFast gives the same ids.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizers/bpe_model.h"
#include "text/tokenizers/tokenizer.h"
#include "text/tokenizers/tokenizer_added_tokens.h"
#include "text/tokenizers/tokenizer_settings.h"
#include "text/tokenizers/tokenizer_window.h"

namespace sdgen {

class BpeTokenizer : public Tokenizer {
 public:
  // Reads tokenizer.json or, where that is absent, vocab.json and merges.txt, with tokenizer_config.json and
  // special_tokens_map.json beside them; a `pad_token`, where given, in place of theirs. Throws Error(kInput)
  // naming the file and what is wrong with it.
  static std::unique_ptr<BpeTokenizer> open(const std::filesystem::path& folder,
                                            const std::vector<NewWord>& new_words = {},
                                            const std::string& pad_token = "");

  Tokens encode(const std::string& text) const override;
  int model_max_length() const override { return window_.length; }

 private:
  BpeTokenizer(const BpeTables& tables, const TokenizerSettings& settings,
               const std::vector<NewWord>& new_words);
  void add_words(const std::vector<NewWord>& new_words, const std::vector<AddedToken>& added);

  // Both append to `tokens` and stop once `tokens` holds more than the window.
  // `written`: what `text` was decoded from.
  void encode_raw(const std::string& written, const Text& text, std::vector<PlacedToken>& tokens) const;
  // An added token and, where it is the name of a longer word, the rest of that.
  void append_added(int id, std::size_t origin, const std::string& written,
                    std::vector<PlacedToken>& tokens) const;
  void encode_words(const Text& text, std::vector<PlacedToken>& tokens) const;
  void encode_word(const Text& text, std::size_t begin, std::size_t end,
                   std::vector<PlacedToken>& tokens) const;
  bool full(const std::vector<PlacedToken>& tokens) const { return tokens.size() > window_.words(); }

  BpeModel model_;
  AddedTokenMatcher raw_tokens_, normalized_tokens_;
  std::map<int, NewWord> long_words_;  // by their first id
  TokenWindow window_;
};

}  // namespace sdgen
