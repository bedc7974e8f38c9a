#include "decode/latent_preview.h"

#include <algorithm>

#include "base/noise.h"

namespace sdgen {
namespace {

constexpr std::int64_t kSamples = 4;
constexpr std::int64_t kSide = 16;  // latents
// Up to here a decode costs about as much as one step of a model that draws such pictures.
constexpr std::int64_t kMaxDecodedPixels = 192 * 192;
constexpr std::int64_t kPreviewSide = 256;  // pixels of a projection at most, about

// Fields of unit variance in which neighbours are alike, as they are in a picture.
Tensor smooth_latents(std::int64_t channels) {
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 0; seed < kSamples; ++seed) seeds.push_back(seed);
  NoiseSource noise(seeds);
  Tensor sum = at::zeros({kSamples, channels, kSide, kSide});
  for (const std::int64_t side : {std::int64_t{2}, std::int64_t{4}, std::int64_t{8}})
    sum += at::upsample_bilinear2d(noise.draw({channels, side, side}), {kSide, kSide}, false);
  return sum / sum.std();
}

}  // namespace

Tensor LatentProjection::operator()(const Tensor& latents) const {
  const Tensor rows = latents.to(at::kCPU, at::kFloat).permute({0, 2, 3, 1});  // [N, h, w, C]
  return (at::matmul(rows, weight.t()) + bias).permute({0, 3, 1, 2});
}

LatentProjection fit_latent_projection(const Decoder& decoder, const at::TensorOptions& options) {
  const std::int64_t channels = decoder.config.latent_channels, scale = decoder.config.pixels_per_latent();
  const Tensor latents = smooth_latents(channels);
  const Tensor pixels = decoder(decoder.config.to_vae(latents).to(options)).to(at::kCPU, at::kFloat);
  const Tensor colors = at::avg_pool2d(pixels.clamp(-1, 1), {scale, scale});  // [N, 3, side, side]
  const auto by_patch = [](const Tensor& map) {
    return map.permute({0, 2, 3, 1}).flatten(0, 2).to(at::kDouble);
  };
  const Tensor known =
      at::cat({by_patch(latents), at::ones({latents.numel() / channels, 1}, at::kDouble)}, 1);
  // The normal equations of [channels + 1] unknowns.
  const Tensor left = at::matmul(known.t(), known) + 1e-6 * at::eye(channels + 1, at::kDouble);
  const Tensor solved = at::matmul(at::inverse(left), at::matmul(known.t(), by_patch(colors))).to(at::kFloat);
  return {solved.narrow(0, 0, channels).t().contiguous(), solved[channels].contiguous()};
}

std::vector<std::int64_t> previewed_latents(const AutoencoderConfig& config, std::int64_t height,
                                            std::int64_t width) {
  const std::int64_t scale = config.pixels_per_latent();
  if (height * width * scale * scale <= kMaxDecodedPixels) return {1, config.latent_channels, height, width};
  return {kSamples, config.latent_channels, kSide, kSide};
}

Tensor LatentPreview::operator()(const Tensor& latents) {
  const std::int64_t h = latents.size(2), w = latents.size(3), scale = decoder_.config.pixels_per_latent();
  if (previewed_latents(decoder_.config, h, w).front() == 1) {
    std::vector<Tensor> rows;  // one by one: a decode of many needs much memory
    for (const Tensor& row : decoder_.config.to_vae(latents).to(options_).split(1))
      rows.push_back(decoder_(row).to(at::kCPU, at::kFloat));
    return at::cat(rows);
  }
  if (!projection_) projection_ = fit_latent_projection(decoder_, options_);
  const std::int64_t factor = std::clamp<std::int64_t>(kPreviewSide / std::max(h, w), 1, scale);
  return at::upsample_bilinear2d((*projection_)(latents), {h * factor, w * factor}, false);
}

}  // namespace sdgen
