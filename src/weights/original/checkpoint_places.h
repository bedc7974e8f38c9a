// Where a single file keeps the parts of a model: the prefixes of their names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "weights/original/original_text.h"
#include "weights/tensor_source.h"

namespace sdgen {

struct TextPlace {
  std::string prefix;
  std::string first;  // a tensor that is there, below the prefix
  TextNames names;
  std::string component;  // empty: by the width of its words
};

// All places, the more telling first.
const std::vector<TextPlace>& text_places();

// The prefix of a UNet's or an autoencoder's original names; nothing if there is none.
std::optional<std::string> unet_prefix(const TensorSource& source);
std::optional<std::string> vae_prefix(const TensorSource& source);

// Whether these are a checkpoint's names, or those of a part of one.
bool is_checkpoint(const TensorSource& source);

}  // namespace sdgen
