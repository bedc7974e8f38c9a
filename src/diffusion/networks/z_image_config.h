// What a ZImageTransformer2DModel's config.json says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json_file.h"

namespace sdgen {

struct ZImageConfig {
  std::int64_t in_channels = 16;  // of latents
  std::int64_t dim = 3840;        // width of a token
  std::int64_t layers = 30;
  std::int64_t refiner_layers = 2;
  std::int64_t heads = 30;
  double norm_eps = 1e-5;
  bool qk_norm = true;
  std::int64_t cap_feat_dim = 2560;  // width of the text encoder's states
  double rope_theta = 256.0;
  double t_scale = 1000.0;
  std::vector<std::int64_t> axes_dims = {32, 48, 48};      // channels of a head that turn with text, y, x
  std::vector<std::int64_t> axes_lens = {1024, 512, 512};  // positions

  std::int64_t head_dim() const { return dim / heads; }
  std::int64_t time_width() const { return dim < 256 ? dim : 256; }  // what modulates the layers is made of
  // As the reference rounds it.
  std::int64_t hidden_dim() const { return static_cast<std::int64_t>(static_cast<double>(dim) / 3.0 * 8.0); }

  // Reads transformer/config.json. Throws Error(kInput) naming file and key for what is out of range, does
  // not fit together or is not supported (other patches than 2x2, SigLIP features).
  static ZImageConfig read(const Config& config);
};

}  // namespace sdgen
