// Prompts as Z-Image and FLUX.2 klein read them: put into Qwen3's chat as what the user says, and seen by the
// denoiser as hidden states of the whole chat.
#pragma once

#include <cstddef>
#include <string>

#include "text/conditioner.h"
#include "text/encoders/qwen3_encoder.h"
#include "text/tokenizers/qwen2_tokenizer.h"

namespace sdgen {

// What Qwen3's chat template writes behind `after` where enable_thinking is false, as for klein.
inline constexpr const char* kQwen3NoThinking = "<think>\n\n</think>\n\n";

// How a family reads a prompt; by itself Z-Image's way.
struct Qwen3Reading {
  // Qwen3's chat template with one user's turn and add_generation_prompt is fixed text around the prompt.
  std::string before = "<|im_start|>user\n";
  std::string after = "<|im_end|>\n<|im_start|>assistant\n";
  // The pipeline's max_sequence_length. Of a longer chat the end is cut off, `after` first.
  std::size_t max_tokens = 512;
  // Whether rows of padding follow up to max_tokens (klein); no row sees them, but the denoiser does.
  bool keeps_padding = false;
};

class Qwen3Conditioner : public Conditioner {
 public:
  // What they refer to must outlive the conditioner. The states that `encoder` was asked for lie side by side
  // in `hidden`: hidden_states[-2] for Z-Image, layers 9, 18 and 27 for klein.
  Qwen3Conditioner(const Qwen2Tokenizer& tokenizer, const Qwen3Encoder& encoder, Qwen3Reading reading = {})
      : tokenizer_(tokenizer), encoder_(encoder), reading_(std::move(reading)) {}

  // hidden [1, L, states * D]: L is the chat's own number of tokens, or max_tokens where padding is kept.
  // `words` are the prompt's; kStart and kEnd are the rows of `before` and `after`. Throws Error(kRequest)
  // for a clip_skip.
  EncodedText encode(const TextToEncode& text) const override;

 private:
  const Qwen2Tokenizer& tokenizer_;
  const Qwen3Encoder& encoder_;
  Qwen3Reading reading_;
};

}  // namespace sdgen
