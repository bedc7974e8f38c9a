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

// A text and how it is read.
struct TextToEncode {
  std::string text;
  int clip_skip = 0;  // layers that are left out before the states used, as diffusers' clip_skip

  auto operator<=>(const TextToEncode&) const = default;
};

// `parts` have the same number of tokens. The pooled summary is the whole encoder's, whatever is left out.
EncodedText encode_text(const std::vector<TextPart>& parts, TextStatesUsed used, const TextToEncode& text);

// The largest clip_skip for an encoder of so many layers.
int max_clip_skip(TextStatesUsed used, std::int64_t layers);

}  // namespace sdgen
