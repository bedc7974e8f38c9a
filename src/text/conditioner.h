// Words -> what a network attends to.
#pragma once

#include <string>
#include <vector>

#include "base/tensor.h"
#include "sdgen/attention.h"

namespace sdgen {

struct EncodedText {
  Tensor hidden;                  // [1, L, D]
  Tensor pooled;                  // [1, P]; undefined where nobody asks for it
  std::vector<PromptWord> words;  // of the text, with their rows of `hidden`
  std::string dropped;            // words past the encoder's length, empty if none
};

// A text and how it is read.
struct TextToEncode {
  std::string text;
  int clip_skip = 0;  // layers that are left out before the states used, as diffusers' clip_skip

  auto operator<=>(const TextToEncode&) const = default;
};

// A model's text encoders with their tokenizers.
class Conditioner {
 public:
  virtual ~Conditioner() = default;

  virtual EncodedText encode(const TextToEncode& text) const = 0;
};

}  // namespace sdgen
