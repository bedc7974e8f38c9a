// Words -> what the UNet attends to.
#pragma once

#include <string>

#include "sdgen/attention.h"
#include "text/clip_text_encoder.h"
#include "text/tokenizer.h"

namespace sdgen {

struct EncodedText {
  Tensor hidden;                  // [1, L, D]
  std::vector<PromptWord> words;  // of the text, with their rows of `hidden`
  std::string dropped;            // words past the tokenizer's length, empty if none
};

EncodedText encode_text(const Tokenizer& tokenizer, const ClipTextEncoder& encoder, const std::string& text);

}  // namespace sdgen
