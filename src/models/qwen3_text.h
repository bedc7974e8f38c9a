// One Qwen3 that reads prompts as chats: Z-Image's and FLUX.2 klein's.
#pragma once

#include <optional>

#include "models/text_model.h"
#include "text/encoders/qwen3_encoder.h"
#include "text/qwen3_conditioner.h"

namespace sdgen {

class Qwen3TextModel : public TextModel {
 public:
  std::string encoder = "text_encoder";  // component names
  std::string tokenizer = "tokenizer";
  Qwen3Config config;
  std::vector<std::int64_t> states;  // see Qwen3Encoder
  Qwen3Reading reading{};

  std::vector<std::string> encoders() const override { return {encoder}; }
  bool lengths_differ() const override { return !reading.keeps_padding; }
  std::string streamed_layer(const std::string& key) const override;
  std::unique_ptr<TextParts> open(const ModelSource& source, const Compute& compute,
                                  std::vector<std::string>& warnings) const override;
};

}  // namespace sdgen
