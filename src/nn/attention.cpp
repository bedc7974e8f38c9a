#include "nn/attention.h"

#include <cmath>

#include "base/parallel.h"
#include "base/work_watch.h"
#include "compute/device_kernels.h"
#include "compute/kernels/kernels.h"
#include "compute/operator_scope.h"
#include "nn/methods/flash_attention.h"

namespace sdgen {
namespace {

// Rows that go through the feed-forward together: what lies between its two linears is eight times as wide as
// its input, and stays in the cache this way.
constexpr std::int64_t kFeedForwardRows = 1024;

Tensor split_heads(const Tensor& x, std::int64_t heads) {  // [N, L, heads*d] -> [N, heads, L, d]
  return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2);
}

// The weights (or biases) of linears that read the same input, below each other.
Tensor stacked(const Weights& weights, const std::vector<std::string>& names, const std::string& what,
               std::vector<std::int64_t> shape) {
  std::vector<Tensor> parts;
  for (const std::string& name : names) parts.push_back(weights.at(name).tensor(what, shape));
  return at::cat(parts);
}

// x1 * gelu(x2), x = [x1, x2]
Tensor geglu(const Tensor& x) {  // [..., 2 * width] -> [..., width]
  const OperatorScope scope([] { return OperatorCall{"geglu"}; });
  const std::int64_t width = x.size(-1) / 2;
  if (has_device_kernels(x, width)) return device_geglu(x);
  if (!has_kernels(x) || !x.is_contiguous()) {
    const std::vector<Tensor> halves = x.chunk(2, -1);
    return halves[0] * at::gelu(halves[1]);
  }
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = width;
  Tensor y = at::empty(shape, x.options());
  const auto run = [&]<typename T>(const T* from, T* to) {
    parallel_chunks(y.numel() / width, 64, [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().geglu(from + begin * 2 * width, to + begin * width, end - begin, width);
    });
  };
  if (x.scalar_type() == at::kFloat)
    run(x.const_data_ptr<float>(), y.data_ptr<float>());
  else
    run(static_cast<const std::uint16_t*>(x.const_data_ptr()), static_cast<std::uint16_t*>(y.data_ptr()));
  return y;
}

// SD 1 spells the projections as 1x1 convolutions.
Linear projection(const Weights& weights, std::int64_t width, bool linear) {
  if (linear) return {weights, width, width};
  return {weights.tensor("weight", {width, width, 1, 1}).flatten(1), weights.tensor("bias", {width}),
          weights.quantize()};
}

// x + attn(norm(x)) ... of one block; `rows` is the number of texts.
Tensor run_block(const BasicTransformerBlock& block, Tensor x, const TransformerText::Block& text,
                 at::IntArrayRef size, const AttentionHooks* hooks) {
  const std::int64_t rows = text.attn2.keys.size(0);
  if (block.attn1) {
    x = (*block.attn1)(block.norm1(x), x, size, hooks);
  } else {
    x = repeat_rows(x, rows);
    x = (*block.cross_attn1)(block.norm1(x), *text.attn1, x, size, hooks);
  }
  x = repeat_rows(x, rows);  // from here on each text has its own
  x = block.attn2(block.norm2(x), text.attn2, x, size, hooks);
  return block.ff(block.norm3(x), x);
}

Tensor attend_patches(const AttentionHooks& hooks, const AttentionCall& call) {
  if (hooks.self)
    if (Tensor mixed = hooks.self(call); mixed.defined()) return mixed;
  return multi_head_attention(call.q, call.k, call.v, call.heads);
}

Tensor attend_words(const AttentionHooks& hooks, const AttentionCall& call) {
  const Tensor weights = hooks.cross_weights ? hooks.cross_weights(call) : Tensor();
  if (hooks.on_cross) hooks.on_cross(call, weights);
  return weights.defined() ? mix_values(weights, call.v)
                           : multi_head_attention(call.q, call.k, call.v, call.heads);
}

}  // namespace

Tensor repeat_rows(const Tensor& x, std::int64_t rows) {
  if (x.size(0) == rows) return x;
  return at::cat(std::vector<Tensor>(static_cast<std::size_t>(rows / x.size(0)), x));
}

Tensor multi_head_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads,
                            bool causal) {
  // Q K^T and the mixture of V, each 2 L S d a head.
  const OperatorScope scope([&] {
    return OperatorCall{"attention", 4.0 * static_cast<double>(q.numel()) * static_cast<double>(k.size(1))};
  });
  if (!causal && flash_attention_fits(q, k, v, heads)) return flash_attention(q, k, v, heads);
  const Tensor mixed =
      at::scaled_dot_product_attention(split_heads(q, heads), split_heads(k, heads), split_heads(v, heads),
                                       {}, 0.0, causal);  // [N, heads, L, d]
  return mixed.transpose(1, 2).reshape(q.sizes());
}

Tensor attention_scores(const Tensor& q, const Tensor& k, std::int64_t heads) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1) / heads));
  return at::matmul(split_heads(q.to(at::kFloat) * scale, heads),
                    split_heads(k.to(at::kFloat), heads).transpose(2, 3));
}

Tensor mix_values(const Tensor& weights, const Tensor& v) {
  const Tensor mixed = at::matmul(weights, split_heads(v.to(at::kFloat), weights.size(1)));
  return mixed.transpose(1, 2).flatten(2).to(v.scalar_type());
}

SelfAttention::SelfAttention(const Weights& weights, std::int64_t width, std::int64_t heads, Bias bias)
    : to_qkv(stacked(weights, {"to_q", "to_k", "to_v"}, "weight", {width, width}),
             bias == Bias::kYes ? stacked(weights, {"to_q", "to_k", "to_v"}, "bias", {width}) : Tensor(),
             weights.quantize()),
      to_out(weights.at("to_out.0"), width, width),
      heads(heads) {}

Tensor SelfAttention::operator()(const Tensor& x, const Tensor& residual, at::IntArrayRef size,
                                 const AttentionHooks* hooks) const {
  const std::vector<Tensor> qkv = to_qkv(x).chunk(3, -1);
  if (!hooks) return to_out(multi_head_attention(qkv[0], qkv[1], qkv[2], heads), residual);
  return to_out(attend_patches(*hooks, {qkv[0], qkv[1], qkv[2], heads, size[0], size[1]}), residual);
}

CrossAttention::CrossAttention(const Weights& weights, std::int64_t width, std::int64_t context_width,
                               std::int64_t heads)
    : to_q(weights.at("to_q"), width, width, Bias::kNone),
      to_k(weights.at("to_k").unquantized(), context_width, width, Bias::kNone),
      to_v(weights.at("to_v").unquantized(), context_width, width, Bias::kNone),
      to_out(weights.at("to_out.0"), width, width),
      heads(heads) {}

KeysValues CrossAttention::keys_values(const Tensor& context) const {
  return {to_k(context), to_v(context)};
}

Tensor CrossAttention::operator()(const Tensor& x, const KeysValues& text, const Tensor& residual,
                                  at::IntArrayRef size, const AttentionHooks* hooks) const {
  const Tensor q = to_q(x);
  if (!hooks) return to_out(multi_head_attention(q, text.keys, text.values, heads), residual);
  return to_out(attend_words(*hooks, {q, text.keys, text.values, heads, size[0], size[1]}), residual);
}

GegluFeedForward::GegluFeedForward(const Weights& weights, std::int64_t width)
    : proj_in(weights.at("net.0.proj"), width, 8 * width), proj_out(weights.at("net.2"), 4 * width, width) {}

Tensor GegluFeedForward::operator()(const Tensor& x, const Tensor& residual) const {
  const std::int64_t rows = x.size(0) * x.size(1);
  if (!x.is_cpu() || rows <= kFeedForwardRows) return proj_out(geglu(proj_in(x)), residual);
  const Tensor flat = x.flatten(0, 1), flat_residual = residual.flatten(0, 1);
  Tensor y = at::empty_like(flat);
  for (std::int64_t first = 0; first < rows; first += kFeedForwardRows) {
    const std::int64_t count = std::min(kFeedForwardRows, rows - first);
    const RepeatedLayers repeated(first > 0);
    y.narrow(0, first, count)
        .copy_(proj_out(geglu(proj_in(flat.narrow(0, first, count))), flat_residual.narrow(0, first, count)));
  }
  return y.view(x.sizes());
}

BasicTransformerBlock::BasicTransformerBlock(const Weights& weights, std::int64_t width,
                                             std::int64_t context_width, std::int64_t heads,
                                             bool only_cross_attention)
    : norm1(weights.at("norm1"), width),
      norm2(weights.at("norm2"), width),
      attn2(weights.at("attn2"), width, context_width, heads),
      norm3(weights.at("norm3"), width),
      ff(weights.at("ff"), width) {
  if (only_cross_attention)
    cross_attn1.emplace(weights.at("attn1"), width, context_width, heads);
  else
    attn1.emplace(weights.at("attn1"), width, heads);
}

Transformer2d::Transformer2d(const Weights& weights, const Config& config, Residency& residency)
    : norm(weights.at("norm"), config.channels, config.groups, 1e-6),
      proj_in(projection(weights.at("proj_in"), config.channels, config.linear_projection)),
      proj_out(projection(weights.at("proj_out"), config.channels, config.linear_projection)) {
  for (std::int64_t i = 0; i < config.depth; ++i)
    blocks.emplace_back(residency, weights.at("transformer_blocks").at(i), config.channels,
                        config.context_width, config.heads, config.only_cross_attention);
}

TransformerText Transformer2d::text(const Tensor& context) const {
  TransformerText text;
  for (const Streamed<BasicTransformerBlock>& streamed : blocks)
    text.blocks.push_back(streamed.with([&](const BasicTransformerBlock& block) {
      TransformerText::Block seen;
      if (block.cross_attn1) seen.attn1 = block.cross_attn1->keys_values(context);
      seen.attn2 = block.attn2.keys_values(context);
      return seen;
    }));
  return text;
}

Tensor Transformer2d::operator()(const Tensor& x, const TransformerText& text,
                                 const AttentionHooks* hooks) const {
  const at::IntArrayRef size = x.sizes().slice(2);
  Tensor patches = proj_in(to_patches(norm(x)));
  for (std::size_t i = 0; i < blocks.size(); ++i)
    patches = blocks[i].with([&](const BasicTransformerBlock& block) {
      return run_block(block, std::move(patches), text.blocks[i], size, hooks);
    });
  return to_map(proj_out(patches, repeat_rows(to_patches(x), patches.size(0))), size);
}

}  // namespace sdgen
