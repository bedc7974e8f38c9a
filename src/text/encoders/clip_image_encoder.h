// CLIP's other tower: a picture -> its place among the texts ("Learning Transferable Visual Models From
// Natural Language Supervision", section 2.4; a vision transformer, as transformers'
// CLIPVisionModelWithProjection).
#pragma once

#include <vector>

#include "base/json_file.h"
#include "text/encoders/clip_layer.h"

namespace sdgen {

struct ClipImageConfig {
  std::int64_t hidden_size = 768;
  std::int64_t intermediate_size = 3072;
  std::int64_t layers = 12;
  std::int64_t heads = 12;
  std::int64_t image_size = 224;  // pixels a side
  std::int64_t patch_size = 32;   // pixels a side
  std::int64_t projection_dim = 512;
  double layer_norm_eps = 1e-5;
  Activation activation = Activation::kQuickGelu;

  // Reads the vision_config of a CLIPModel, whose projection_dim stands beside it. Throws Error(kInput)
  // naming file and key.
  static ClipImageConfig read(const Config& vision, std::int64_t projection_dim);
};

class ClipImageEncoder {
 public:
  // Tensor names are those below a CLIPModel: vision_model..., visual_projection.
  ClipImageEncoder(const Weights& weights, const ClipImageConfig& config);

  // pixels [N, 3, image_size, image_size], normalized -> [N, projection_dim]
  Tensor operator()(const Tensor& pixels) const;

 private:
  ClipImageConfig config_;
  Tensor class_embedding_;     // [D]
  Tensor patch_embedding_;     // [D, 3, patch_size, patch_size]
  Tensor position_embedding_;  // [1 + patches, D]
  LayerNorm pre_layer_norm_;
  std::vector<ClipLayer> layers_;
  LayerNorm post_layer_norm_;
  Linear visual_projection_;
};

}  // namespace sdgen
