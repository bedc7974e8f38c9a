#include "text/conditioner.h"

#include "text/prompt_words.h"

namespace sdgen {

EncodedText encode_text(const Tokenizer& tokenizer, const ClipTextEncoder& encoder, const std::string& text) {
  Tokens tokens = tokenizer.encode(text);
  const Tensor ids = at::tensor(tokens.ids, at::kLong).unsqueeze(0);  // [1, L]
  return {encoder(ids), prompt_words(text, tokens), std::move(tokens.dropped)};
}

}  // namespace sdgen
