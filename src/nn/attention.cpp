#include "nn/attention.h"

namespace sdgen {
namespace {

Tensor split_heads(const Tensor& x, std::int64_t heads) {  // [N, L, heads*d] -> [N, heads, L, d]
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

}  // namespace

Tensor multi_head_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads,
                            bool causal) {
  const Tensor mixed =
      at::scaled_dot_product_attention(split_heads(q, heads), split_heads(k, heads), split_heads(v, heads),
                                       {}, 0.0, causal);  // [N, heads, L, d]
  return mixed.transpose(1, 2).reshape(q.sizes());
}

CrossAttention::CrossAttention(const Weights& weights, std::int64_t width, std::int64_t context_width,
                               std::int64_t heads)
    : to_q(weights.at("to_q"), width, width, Bias::kNone),
      to_k(weights.at("to_k"), context_width, width, Bias::kNone),
      to_v(weights.at("to_v"), context_width, width, Bias::kNone),
      to_out(weights.at("to_out.0"), width, width),
      heads(heads) {}

Tensor CrossAttention::operator()(const Tensor& x, const Tensor& context) const {
  return to_out(multi_head_attention(to_q(x), to_k(context), to_v(context), heads));
}

GegluFeedForward::GegluFeedForward(const Weights& weights, std::int64_t width)
    : proj_in(weights.at("net.0.proj"), width, 8 * width), proj_out(weights.at("net.2"), 4 * width, width) {}

Tensor GegluFeedForward::operator()(const Tensor& x) const {
  const std::vector<Tensor> halves = proj_in(x).chunk(2, -1);
  return proj_out(halves[0] * at::gelu(halves[1]));
}

BasicTransformerBlock::BasicTransformerBlock(const Weights& weights, std::int64_t width,
                                             std::int64_t context_width, std::int64_t heads,
                                             bool only_cross_attention)
    : norm1(weights.at("norm1"), width),
      attn1(weights.at("attn1"), width, only_cross_attention ? context_width : width, heads),
      norm2(weights.at("norm2"), width),
      attn2(weights.at("attn2"), width, context_width, heads),
      norm3(weights.at("norm3"), width),
      ff(weights.at("ff"), width),
      only_cross_attention(only_cross_attention) {}

Tensor BasicTransformerBlock::operator()(Tensor x, const Tensor& context) const {
  const Tensor normed = norm1(x);
  x = x + attn1(normed, only_cross_attention ? context : normed);
  x = x + attn2(norm2(x), context);
  return x + ff(norm3(x));
}

Transformer2d::Transformer2d(const Weights& weights, const Config& config)
    : norm(weights.at("norm"), config.channels, config.groups, 1e-6) {
  const std::int64_t width = config.channels;
  if (config.linear_projection) {
    linear_in.emplace(weights.at("proj_in"), width, width);
    linear_out.emplace(weights.at("proj_out"), width, width);
  } else {
    conv_in.emplace(weights.at("proj_in"), width, width, Conv2d::Geometry{1, 1, 0});
    conv_out.emplace(weights.at("proj_out"), width, width, Conv2d::Geometry{1, 1, 0});
  }
  for (std::int64_t i = 0; i < config.depth; ++i)
    blocks.emplace_back(weights.at("transformer_blocks").at(i), width, config.context_width, config.heads,
                        config.only_cross_attention);
}

Tensor Transformer2d::operator()(const Tensor& x, const Tensor& context) const {
  const auto to_patches = [](const Tensor& map) { return map.flatten(2).transpose(1, 2); };  // [N, h*w, C]
  const auto to_map = [&](const Tensor& patches) { return patches.transpose(1, 2).reshape(x.sizes()); };
  const Tensor normed = norm(x);
  Tensor patches = linear_in ? (*linear_in)(to_patches(normed)) : to_patches((*conv_in)(normed));
  for (const BasicTransformerBlock& block : blocks) patches = block(patches, context);
  return x + (linear_out ? to_map((*linear_out)(patches)) : (*conv_out)(to_map(patches)));
}

}  // namespace sdgen
