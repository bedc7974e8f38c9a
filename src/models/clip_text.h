// Stable Diffusion's text encoders: one CLIP, or two that read the same text.
#pragma once

#include <optional>

#include "models/text_model.h"
#include "text/clip_conditioner.h"
#include "text/encoders/clip_text_encoder.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen {

struct ClipText {
  std::string encoder;    // component name
  std::string tokenizer;  // component name
  ClipTextConfig config;
  std::vector<NewWord> new_words{};  // beside the tokenizer's own
};

class ClipTextModel : public TextModel {
 public:
  std::vector<ClipText> texts;  // never empty
  TextStatesUsed used = TextStatesUsed::kLast;

  std::vector<std::string> encoders() const override;
  std::optional<int> max_clip_skip() const override;
  std::unique_ptr<TextParts> open(const ModelSource& source, const Compute& compute,
                                  std::vector<std::string>& warnings) const override;

  // Of what the network attends to: the encoders' states lie side by side.
  std::int64_t width() const;
};

}  // namespace sdgen
