#include "text/encoders/clip_image_encoder.h"

#include "base/config_range.h"

namespace sdgen {
namespace {

constexpr Range kSizes{1, 4096};  // pixels a side

std::int64_t patches(const ClipImageConfig& config) {
  const std::int64_t side = config.image_size / config.patch_size;
  return side * side;
}

}  // namespace

ClipImageConfig ClipImageConfig::read(const Config& vision, std::int64_t projection_dim) {
  const std::string file = vision.path.string();
  ClipImageConfig clip;
  clip.hidden_size = whole_number(vision, "hidden_size", kWidths, clip.hidden_size);
  clip.intermediate_size = whole_number(vision, "intermediate_size", kWidths, clip.intermediate_size);
  clip.layers = whole_number(vision, "num_hidden_layers", kEncoderLayers, clip.layers);
  clip.heads = whole_number(vision, "num_attention_heads", kHeads, clip.heads);
  clip.image_size = whole_number(vision, "image_size", kSizes, clip.image_size);
  clip.patch_size = whole_number(vision, "patch_size", kSizes, clip.patch_size);
  clip.projection_dim = projection_dim;
  clip.layer_norm_eps = vision.value("layer_norm_eps", clip.layer_norm_eps);
  clip.activation = activation_from_name(vision.value<std::string>("hidden_act", "quick_gelu"), file);
  if (clip.hidden_size % clip.heads != 0)
    fail_input(file, ": hidden_size ", clip.hidden_size, " does not divide into num_attention_heads ",
               clip.heads);
  if (clip.image_size < clip.patch_size)
    fail_input(file, ": image_size ", clip.image_size, " is less than patch_size ", clip.patch_size);
  if (vision.value<std::int64_t>("num_channels", 3) != 3) fail_input(file, ": num_channels must be 3 (RGB)");
  return clip;
}

ClipImageEncoder::ClipImageEncoder(const Weights& weights, const ClipImageConfig& config)
    : config_(config),
      class_embedding_(weights.at("vision_model.embeddings").tensor("class_embedding", {config.hidden_size})),
      patch_embedding_(weights.at("vision_model.embeddings")
                           .tensor("patch_embedding.weight",
                                   {config.hidden_size, 3, config.patch_size, config.patch_size})),
      position_embedding_(
          weights.at("vision_model.embeddings")
              .tensor("position_embedding.weight", {1 + patches(config), config.hidden_size})),
      // "pre_layrnorm" is how transformers spells it
      pre_layer_norm_(weights.at("vision_model.pre_layrnorm"), config.hidden_size, config.layer_norm_eps),
      post_layer_norm_(weights.at("vision_model.post_layernorm"), config.hidden_size, config.layer_norm_eps),
      visual_projection_(weights.at("visual_projection"), config.hidden_size, config.projection_dim,
                         Bias::kNone) {
  for (std::int64_t i = 0; i < config.layers; ++i)
    layers_.emplace_back(weights.at("vision_model.encoder.layers").at(i),
                         ClipLayer::Config{config.hidden_size, config.intermediate_size, config.heads,
                                           config.layer_norm_eps, config.activation, /*causal=*/false});
}

Tensor ClipImageEncoder::operator()(const Tensor& pixels) const {
  require_shape(pixels, {-1, 3, config_.image_size, config_.image_size}, "CLIP pixels");
  const Tensor map = at::conv2d(pixels, patch_embedding_, {}, config_.patch_size);  // [N, D, h, w]
  const Tensor all = class_embedding_.expand({pixels.size(0), 1, -1});
  Tensor x = at::cat({all, map.flatten(2).transpose(1, 2)}, 1) + position_embedding_;
  x = pre_layer_norm_(x);
  for (const ClipLayer& layer : layers_) x = layer(x);
  return visual_projection_(post_layer_norm_(x.select(1, 0)));
}

}  // namespace sdgen
