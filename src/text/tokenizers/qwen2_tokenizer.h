// Qwen2's tokenizer, which Qwen3 has too: NFC, pieces, byte-pair encoding over bytes. Follows transformers 5
// Qwen2Tokenizer (Qwen2TokenizerFast is the same class there).
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "text/tokenizers/bpe_model.h"
#include "text/tokenizers/tokenizer_added_tokens.h"

namespace sdgen {

// A token, and the bytes of the text it stands for. It begins and ends with a character as the user wrote it:
// tokens that share one, as the bytes of an emoji, share its bytes here. Where NFC changes the text, a
// character and the marks on it count as one.
struct TextToken {
  std::int64_t id;
  std::size_t begin, end;
};

class Qwen2Tokenizer {
 public:
  // Reads tokenizer.json or, where that is absent, vocab.json and merges.txt, with tokenizer_config.json,
  // special_tokens_map.json and added_tokens.json beside them. Normalisation and pieces are Qwen2's whatever
  // tokenizer.json says of them, as in the reference. Throws Error(kInput) naming the file and what is wrong
  // with it.
  static Qwen2Tokenizer open(const std::filesystem::path& folder);

  // The first `most` tokens of `text`: nothing is added before or after them. `text` is UTF-8; ill-formed
  // bytes count as U+FFFD. Added tokens (<|im_start|>) are found wherever they stand.
  std::vector<TextToken> encode(const std::string& text,
                                std::size_t most = std::numeric_limits<std::size_t>::max()) const;

  std::int64_t pad_id() const { return pad_id_; }

 private:
  struct Passage;
  Qwen2Tokenizer(const std::filesystem::path& folder, const Config* tokenizer_json);

  // Append to `tokens`, and stop where there are `most`.
  void encode_passage(const Passage& passage, std::size_t most, std::vector<TextToken>& tokens) const;
  void encode_piece(const Passage& passage, std::size_t begin, std::size_t end,
                    std::vector<TextToken>& tokens) const;

  BpeModel model_;
  AddedTokenMatcher raw_tokens_, normalized_tokens_;
  int pad_id_ = 0;
};

}  // namespace sdgen
