// Stable Diffusion's texts: one CLIP, or two side by side.
#pragma once

#include <vector>

#include "text/conditioner.h"
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

class ClipConditioner : public Conditioner {
 public:
  // `parts` have the same number of tokens; what they refer to must outlive the conditioner.
  ClipConditioner(std::vector<TextPart> parts, TextStatesUsed used) : parts_(std::move(parts)), used_(used) {}

  // The parts' states side by side. Words are told by the first. The pooled summary is the whole encoder's,
  // whatever is left out.
  EncodedText encode(const TextToEncode& text) const override;

 private:
  std::vector<TextPart> parts_;
  TextStatesUsed used_;
};

// The largest clip_skip for an encoder of so many layers.
int max_clip_skip(TextStatesUsed used, std::int64_t layers);

}  // namespace sdgen
