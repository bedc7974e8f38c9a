#include "text/encoders/clip_layer.h"

namespace sdgen {

ClipLayer::ClipLayer(const Weights& weights, const Config& config)
    : layer_norm1(weights.at("layer_norm1"), config.hidden_size, config.layer_norm_eps),
      q_proj(weights.at("self_attn.q_proj"), config.hidden_size, config.hidden_size),
      k_proj(weights.at("self_attn.k_proj"), config.hidden_size, config.hidden_size),
      v_proj(weights.at("self_attn.v_proj"), config.hidden_size, config.hidden_size),
      out_proj(weights.at("self_attn.out_proj"), config.hidden_size, config.hidden_size),
      layer_norm2(weights.at("layer_norm2"), config.hidden_size, config.layer_norm_eps),
      fc1(weights.at("mlp.fc1"), config.hidden_size, config.intermediate_size),
      fc2(weights.at("mlp.fc2"), config.intermediate_size, config.hidden_size),
      config(config) {}

Tensor ClipLayer::operator()(Tensor x) const {
  const Tensor normed = layer_norm1(x);
  x = x + out_proj(multi_head_attention(q_proj(normed), k_proj(normed), v_proj(normed), config.heads,
                                        config.causal));
  return x + fc2(activate(config.activation, fc1(layer_norm2(x))));
}

}  // namespace sdgen
