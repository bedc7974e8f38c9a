// SentencePiece (Kudo and Richardson 2018) through libsentencepiece, then </s> and padding, as transformers'
// T5Tokenizer.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizers/sentencepiece_model.h"
#include "text/tokenizers/tokenizer.h"
#include "text/tokenizers/tokenizer_added_tokens.h"
#include "text/tokenizers/tokenizer_window.h"

namespace sdgen {

class SentencePieceTokenizer : public Tokenizer {
 public:
  // Reads spiece.model and tokenizer_config.json. Throws Error(kInput) naming the file and what is wrong with
  // it.
  explicit SentencePieceTokenizer(const std::filesystem::path& folder);

  // Control pieces that the text spells out ("</s>") become their ids, as in the reference. Where
  // transformers 5's own copy of the algorithm differs from libsentencepiece (rare stacked accents, U+0085),
  // this is libsentencepiece.
  Tokens encode(const std::string& text) const override;
  int model_max_length() const override { return window_.length; }

 private:
  std::unique_ptr<const SentencePieceModel> model_;
  AddedTokenMatcher control_pieces_;
  TokenWindow window_;
};

}  // namespace sdgen
