#include "diffusion/networks/z_image.h"

#include <utility>

#include "nn/resnet.h"

namespace sdgen {
namespace {

constexpr std::int64_t kPatch = 2;      // latents a side
constexpr std::int64_t kMultiple = 32;  // what the lengths of both parts are padded to
constexpr std::int64_t kSinusoids = 256, kTimeHidden = 1024;
constexpr double kFinalEps = 1e-6;

std::int64_t padding_of(std::int64_t length) {
  return (kMultiple - length % kMultiple) % kMultiple;
}

// tokens [N, S, dim], token [1, dim] -> [N, S padded, dim]
Tensor padded_by(const Tensor& token, const Tensor& tokens) {
  const std::int64_t count = padding_of(tokens.size(1));
  if (count == 0) return tokens;
  return at::cat({tokens, token.expand({tokens.size(0), count, -1})}, 1);
}

// [N, L] of the last rows -> [M, L, 1]
Tensor weights_of_all(const Tensor& weights, std::int64_t rows) {
  return at::cat({at::ones({rows - weights.size(0), weights.size(1)}, weights.options()), weights})
      .unsqueeze(-1);
}

// [N, C, h, w] -> [N, h/2 * w/2, 4 * C], a patch's numbers as (row, column, channel)
Tensor patches_of(const Tensor& x) {
  const std::int64_t h = x.size(2) / kPatch, w = x.size(3) / kPatch;
  return x.reshape({x.size(0), x.size(1), h, kPatch, w, kPatch})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({x.size(0), h * w, -1});
}

// The inverse; `size`: (h, w) of the latents.
Tensor latents_of(const Tensor& patches, at::IntArrayRef size) {
  return patches.reshape({patches.size(0), size[0] / kPatch, size[1] / kPatch, kPatch, kPatch, -1})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({patches.size(0), -1, size[0], size[1]});
}

std::vector<Streamed<ZImageBlock>> blocks(const Weights& weights, const ZImageConfig& config,
                                          std::int64_t count, bool modulated, Residency& residency) {
  std::vector<Streamed<ZImageBlock>> list;
  for (std::int64_t i = 0; i < count; ++i) list.emplace_back(residency, weights.at(i), config, modulated);
  return list;
}

void refuse_unknown(const NetworkInputs& inputs) {
  if (!inputs.controls.empty()) fail_request("ControlNets are not supported with this model");
  if (inputs.channels.defined()) fail_request("this model takes no picture beside its latents");
}

}  // namespace

ZImage::ZImage(const Weights& weights, const ZImageConfig& config, Residency residency)
    : config_(config),
      rope_(config.rope_theta, config.axes_dims, config.axes_lens, weights.compute().device),
      x_embedder_(weights.at("all_x_embedder.2-1").unquantized(), kPatch * kPatch * config.in_channels,
                  config.dim),
      cap_norm_(weights.at("cap_embedder.0"), config.cap_feat_dim, config.norm_eps),
      cap_linear_(weights.at("cap_embedder.1").unquantized(), config.cap_feat_dim, config.dim),
      time_linear1_(weights.at("t_embedder.mlp.0").unquantized(), kSinusoids, kTimeHidden),
      time_linear2_(weights.at("t_embedder.mlp.2").unquantized(), kTimeHidden, config.time_width()),
      x_pad_token_(weights.tensor("x_pad_token", {1, config.dim})),
      cap_pad_token_(weights.tensor("cap_pad_token", {1, config.dim})),
      noise_refiner_(blocks(weights.at("noise_refiner"), config, config.refiner_layers, true, residency)),
      context_refiner_(
          blocks(weights.at("context_refiner"), config, config.refiner_layers, false, residency)),
      layers_(blocks(weights.at("layers"), config, config.layers, true, residency)),
      final_modulation_(weights.at("all_final_layer.2-1.adaLN_modulation.1").unquantized(),
                        config.time_width(), config.dim),
      final_linear_(weights.at("all_final_layer.2-1.linear").unquantized(), config.dim,
                    kPatch * kPatch * config.in_channels) {
  streams_ = residency.streams();
}

Tensor ZImage::words(const Tensor& context) const {
  require_shape(context, {-1, -1, config_.cap_feat_dim}, "Z-Image context");
  Tensor x = padded_by(cap_pad_token_, cap_linear_(cap_norm_(context)));
  // Padding counts on; position 0 is left to the picture's padding.
  const Tensor rotations = rope_.line(0, 1, x.size(1), {0, 0, 0});
  for (const Streamed<ZImageBlock>& block : context_refiner_) x = block(x, rotations);
  return x;
}

Tensor ZImage::time_embedding(const Tensor& timestep, at::ScalarType dtype) const {
  // The network counts from noise to picture, 0 to 1.
  const Tensor time = (1000.0 - timestep) / 1000.0 * config_.t_scale;
  const Tensor sinusoids = timestep_embedding(time, kSinusoids, /*flip_sin_to_cos=*/true, /*freq_shift=*/0.0);
  return time_linear2_(at::silu(time_linear1_(sinusoids.to(dtype))));
}

Tensor ZImage::picture_rotations(std::int64_t h, std::int64_t w, std::int64_t text_tokens) const {
  const Tensor grid = rope_.grid(text_tokens + 1, h, w);  // the plane behind the text
  const std::int64_t padding = padding_of(h * w);
  return padding == 0 ? grid : at::cat({grid, rope_.line(0, 0, 1, {0, 0, 0}).expand({padding, -1})});
}

Tensor ZImage::velocity(const Tensor& tokens, const Tensor& time, at::IntArrayRef size) const {
  const Tensor normed = at::layer_norm(tokens, {config_.dim}, {}, {}, kFinalEps);
  const Tensor patches = final_linear_(normed * (1.0 + final_modulation_(at::silu(time))));
  return -latents_of(patches, size);  // the network points at the picture, the velocity away from it
}

Tensor ZImage::operator()(const Tensor& x, const Tensor& timestep, const Tensor& words, std::int64_t length,
                          const AttentionHooks* hooks, const Tensor& weights) const {
  require_shape(x, {-1, config_.in_channels, -1, -1}, "Z-Image latents");
  const std::int64_t h = x.size(2) / kPatch, w = x.size(3) / kPatch;
  if (x.size(2) % kPatch != 0 || x.size(3) % kPatch != 0)
    fail_request("latents of ", x.size(2), "x", x.size(3), ": this model's sides are even");
  const Tensor time = time_embedding(timestep, x.scalar_type());
  const Tensor rotations = picture_rotations(h, w, words.size(1));
  // Up to here no word is seen: rows that share a picture are computed once.
  Tensor tokens = padded_by(x_pad_token_, x_embedder_(patches_of(x)));
  for (const Streamed<ZImageBlock>& block : noise_refiner_) tokens = block(tokens, rotations, time);
  const Tensor all_rotations = at::cat({rotations, rope_.line(0, 1, words.size(1), {0, 0, 0})});
  const std::int64_t first_word = tokens.size(1);
  tokens = at::cat({repeat_rows(tokens, words.size(0)), words}, 1);
  const AttentionHooks none;
  const ImageAndWords watched{hooks ? *hooks : none, h, w, first_word, length, weights};
  const bool is_watched = (hooks && hooks->on_cross) || weights.defined();
  for (const Streamed<ZImageBlock>& block : layers_)
    tokens = block(tokens, all_rotations, time, is_watched ? &watched : nullptr);
  return velocity(tokens.narrow(1, 0, h * w), time, x.sizes().slice(2));
}

PreparedNetwork ZImage::prepare(const NetworkInputs& inputs, const Compute& compute) const {
  refuse_unknown(inputs);
  PreparedNetwork prepared;
  prepared.constants = {words(inputs.context.to(compute.device, compute.dtype))};
  const bool is_weighed = inputs.token_weights.defined();
  if (is_weighed)
    prepared.constants.push_back(
        weights_of_all(inputs.token_weights, inputs.context.size(0)).to(compute.device, compute.dtype));
  prepared.predict = [this, is_weighed, hooks = inputs.hooks, length = inputs.context.size(1)](
                         const Tensor& x, const Tensor& timestep, Tensors::const_iterator constants, int) {
    return (*this)(x, timestep, constants[0], length, any(hooks) ? &hooks : nullptr,
                   is_weighed ? constants[1] : Tensor());
  };
  return prepared;
}

std::unique_ptr<const Network> ZImageModel::build(const Weights& weights, Residency residency) const {
  return std::make_unique<const ZImage>(weights, config_, residency);
}

std::string ZImageModel::streamed_layer(const std::string& key) const {
  for (const std::string list : {"layers.", "noise_refiner.", "context_refiner."})
    if (key.starts_with(list)) return key.substr(0, key.find('.', list.size()));
  return "";
}

std::uint64_t ZImageModel::work_bytes(const NetworkSize& size, std::uint64_t element_bytes) const {
  // Copies of a token at once: it, normed, as query, key and value, rotated in float32, packed for attention
  // and attended; the feed-forward takes no more.
  constexpr std::int64_t kCopies = 14, kMaxWords = 512;
  const std::int64_t patches = size.height / kPatch * (size.width / kPatch);
  const std::int64_t tokens = patches + padding_of(patches) + kMaxWords;
  return static_cast<std::uint64_t>(size.rows * tokens * config_.dim * kCopies) * element_bytes +
         static_cast<std::uint64_t>(size.attended * config_.heads) * sizeof(float);
}

}  // namespace sdgen
