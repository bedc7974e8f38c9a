// Words -> what the UNet attends to.
#pragma once

#include <string>
#include <vector>

#include "sdgen/attention.h"
#include "text/encoders/clip_text_encoder.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen {

// Which of an encoder's states the UNet attends to.
enum class TextStatesUsed {
  kLast,        // the last layer's, after the final LayerNorm: Stable Diffusion 1 and 2
  kBeforeLast,  // what enters the last layer, and the last encoder's pooled summary beside: Stable Diffusion
                // XL
};

// One text encoder with its own tokenizer. All parts of a conditioner read the same text.
struct TextPart {
  const Tokenizer& tokenizer;
  const ClipTextEncoder& encoder;
};

struct EncodedText {
  Tensor hidden;                  // [1, L, D] the parts' states side by side
  Tensor pooled;                  // [1, P]; undefined where nobody asks for it
  std::vector<PromptWord> words;  // of the text, with their rows of `hidden`
  std::string dropped;            // words past the first tokenizer's length, empty if none
};

// `parts` have the same number of tokens.
EncodedText encode_text(const std::vector<TextPart>& parts, TextStatesUsed used, const std::string& text);

}  // namespace sdgen
