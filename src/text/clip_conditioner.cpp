#include "text/clip_conditioner.h"

#include "text/prompt_words.h"

namespace sdgen {

int max_clip_skip(TextStatesUsed used, std::int64_t layers) {
  return static_cast<int>(used == TextStatesUsed::kLast ? layers : layers - 1);
}

EncodedText ClipConditioner::encode(const TextToEncode& text) const {
  EncodedText encoded;
  std::vector<Tensor> hidden;
  for (const TextPart& part : parts_) {
    Tokens tokens = part.tokenizer.encode(text.text);
    const Tensor ids = at::tensor(tokens.ids, at::kLong).unsqueeze(0);  // [1, L]
    const TextStates states = part.encoder.states(ids);
    if (hidden.empty()) {  // words are told by the first
      encoded.words = prompt_words(text.text, tokens);
      encoded.dropped = std::move(tokens.dropped);
    }
    const auto skip = static_cast<std::size_t>(text.clip_skip);
    const std::size_t entering = used_ == TextStatesUsed::kLast ? 1 : 2;  // counted from the end
    if (states.layers.size() < skip + entering)
      fail_working("the text encoder has no ", skip + entering - 1, " layers to leave out");
    const Tensor& state = states.layers[states.layers.size() - entering - skip];
    if (used_ == TextStatesUsed::kLast) {
      hidden.push_back(skip == 0 ? states.last : part.encoder.normed(state));
    } else {
      hidden.push_back(state);
      encoded.pooled = part.encoder.pooled(ids, states.last);
    }
  }
  encoded.hidden = hidden.size() == 1 ? hidden.front() : at::cat(hidden, -1);
  return encoded;
}

}  // namespace sdgen
