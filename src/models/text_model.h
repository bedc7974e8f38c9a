// How a model reads words: its text encoders with their tokenizers, whatever they are made of. Stable
// Diffusion's are clip_text.h's, Z-Image's qwen3_text.h's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compute/compute.h"
#include "models/model_source.h"
#include "models/parts.h"
#include "text/conditioner.h"

namespace sdgen {

// A model's text encoders, in memory as long as they are needed.
class TextParts {
 public:
  virtual ~TextParts() = default;

  // A text may have so many tokens; what is behind them is dropped.
  virtual int max_tokens() const = 0;

  // Reads what is not there yet. Throws Error(kInput) if weights cannot be read or are not finite.
  virtual const Conditioner& conditioner(const LoadCallback& on_load) = 0;
  virtual void release() = 0;
  // Of the layers that can be streamed no more than `bytes` stay in memory when they are loaded next;
  // nothing: all of them. What is loaded already stays as it is.
  virtual void hold(std::optional<std::uint64_t> /*bytes*/) {}
};

// As the configs tell them, before any weight is read.
class TextModel {
 public:
  virtual ~TextModel() = default;

  // The encoders' component names; there is at least one.
  virtual std::vector<std::string> encoders() const = 0;

  // See TextToEncode; nothing where the encoder is no CLIP.
  virtual std::optional<int> max_clip_skip() const { return std::nullopt; }

  // Whether texts are encoded to their own number of rows, not to one for all.
  virtual bool lengths_differ() const { return false; }

  // The layer that an encoder's tensor belongs to, "layers.3", if it is one that can be streamed; else empty.
  virtual std::string streamed_layer(const std::string& /*key*/) const { return ""; }

  // Opens the tokenizers and checks the encoders' tensors, names and shapes; reads no weight. What users
  // should know of them is added to `warnings`. `source` and the model itself must outlive the parts.
  // Throws Error(kInput) naming file and key.
  virtual std::unique_ptr<TextParts> open(const ModelSource& source, const Compute& compute,
                                          std::vector<std::string>& warnings) const = 0;
};

}  // namespace sdgen
