// Latents -> pictures, with what memory and dtype allow.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "decode/decode_plan.h"
#include "models/components.h"
#include "run/memory_plan.h"
#include "sdgen/image.h"

namespace sdgen {

// What decoding works with; all of it outlives the decode.
struct DecodeSetting {
  const AutoencoderConfig& config;
  const Compute& compute;
  const MemoryUse& memory;
  Components& components;
  const LoadCallback& on_load;
  std::function<void(const std::string&)> warn;  // things a user should know
};

struct DecodedPictures {
  std::vector<Image> images;  // one a row; empty where it is not finite, in float32 either
  std::string how;            // empty: whole; else e.g. "in bands (whole needs 5.0 GiB)"
};

// latents [N, latent_channels, h, w] float32, as the sampler leaves them. Rows that are not finite in
// half precision are decoded again in float32.
DecodedPictures decode_latents(const DecodeSetting& setting, const Tensor& latents);

}  // namespace sdgen
