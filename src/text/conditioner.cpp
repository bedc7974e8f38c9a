#include "text/conditioner.h"

#include "text/prompt_words.h"

namespace sdgen {

EncodedText encode_text(const std::vector<TextPart>& parts, TextStatesUsed used, const std::string& text) {
  EncodedText encoded;
  std::vector<Tensor> hidden;
  for (const TextPart& part : parts) {
    Tokens tokens = part.tokenizer.encode(text);
    const Tensor ids = at::tensor(tokens.ids, at::kLong).unsqueeze(0);  // [1, L]
    const TextStates states = part.encoder.states(ids);
    if (hidden.empty()) {  // words are told by the first
      encoded.words = prompt_words(text, tokens);
      encoded.dropped = std::move(tokens.dropped);
    }
    if (used == TextStatesUsed::kLast) {
      hidden.push_back(states.last);
    } else {
      if (states.layers.size() < 2) fail_working("the text encoder has no layer before its last");
      hidden.push_back(states.layers[states.layers.size() - 2]);
      encoded.pooled = part.encoder.pooled(ids, states.last);
    }
  }
  encoded.hidden = hidden.size() == 1 ? hidden.front() : at::cat(hidden, -1);
  return encoded;
}

}  // namespace sdgen
