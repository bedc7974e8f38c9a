#include "run/start_picture.h"

#include "base/finite_rows.h"
#include "image/pixels.h"

namespace sdgen {
namespace {

LatentDistribution encoded(const EncodeSetting& setting, const Tensor& pixels, const std::string& file) {
  const auto encode = [&](const Encoder& encoder, at::ScalarType dtype) {
    LatentDistribution z = encoder(pixels.to(setting.compute.device, dtype));
    z.mean = z.mean.to(at::kCPU, at::kFloat);
    if (z.logvar.defined()) z.logvar = z.logvar.to(at::kCPU, at::kFloat);
    return z;
  };
  const auto finite = [](const LatentDistribution& z) {
    return is_finite(z.mean) && (!z.logvar.defined() || is_finite(z.logvar));
  };
  LatentDistribution z = encode(setting.components.encoder(setting.on_load), setting.compute.dtype);
  if (!finite(z) && setting.compute.dtype != at::kFloat)
    z = encode(setting.components.float32_encoder(setting.on_load), at::kFloat);
  if (!finite(z)) fail_working(file, ": its latents are not finite; the model's VAE is unusable");
  return z;
}

Image read_resized(const std::string& file, const Request& request) {
  return resize(read_picture(file), *request.width, *request.height);
}

// A draw from the distribution for each picture, in the UNet's scale.
Tensor sampled(const LatentDistribution& z, NoiseSource& noise, const AutoencoderConfig& vae) {
  if (!z.logvar.defined()) return vae.from_vae(z.mean).expand({noise.pictures(), -1, -1, -1});
  return vae.from_vae(z.mean + at::exp(0.5 * z.logvar) * noise.draw(z.mean.sizes().slice(1)));
}

Tensor noised(const Tensor& z, const Tensor& eps, const Level& level) {
  return level.alpha * z + level.sigma * eps;
}

// The mask and what lies outside of it, drawn after everything else.
Tensor masked_channels(const EncodedPicture& picture, NoiseSource& noise, const Model& model) {
  const Tensor outside = sampled(picture.outside, noise, model.vae);
  return at::cat({picture.mask.expand({outside.size(0), -1, -1, -1}), outside}, 1);
}

// The picture to be changed, not scaled; unseen by the branch that asks without it.
Tensor picture_channels(const EncodedPicture& picture, std::int64_t rows, int branches) {
  const Tensor seen = picture.whole.mean.expand({rows, -1, -1, -1});
  return branches == 1 ? seen : at::cat({at::zeros_like(seen), seen, seen});
}

}  // namespace

PictureKey picture_key(const Request& request) {
  return {request.init_image.value_or(""), request.mask.value_or(""), *request.width, *request.height};
}

StartPixels read_start_picture(const Request& request) {
  StartPixels pixels{pixels_from_image(read_resized(*request.init_image, request)), {}};
  if (request.mask) pixels.mask = mask_from_image(read_resized(*request.mask, request));
  return pixels;
}

EncodedPicture encode_start_picture(const EncodeSetting& setting, const StartPixels& pixels,
                                    const std::string& file) {
  EncodedPicture picture;
  picture.whole = encoded(setting, pixels.picture, file);
  if (!pixels.mask.defined()) return picture;
  picture.outside = encoded(setting, pixels.picture * (pixels.mask < 0.5), file);
  // Nearest, as torch's interpolate() by default: the upper left pixel of each latent's.
  picture.mask = at::upsample_nearest2d(pixels.mask, picture.whole.mean.sizes().slice(2));
  return picture;
}

StartLatents start_latents(const EncodedPicture* picture, const Model& model, const Request& request,
                           const SamplingPlan& plan, int branches, NoiseSource& noise) {
  const std::int64_t scale = model.vae.pixels_per_latent();
  const std::vector<std::int64_t> shape = {model.vae.latent_channels, *request.height / scale,
                                           *request.width / scale};
  const ImageInput input = model.image_input;
  StartLatents start;
  if (!picture || input == ImageInput::kPicture) {
    start.x = noise.draw(shape) * plan.initial_noise_scale;
    if (picture) start.channels = picture_channels(*picture, start.x.size(0), branches);
    return start;
  }
  const bool has_mask = picture->mask.defined();
  const bool from_noise = has_mask && *request.strength == 1.0;
  Tensor z;
  if (!from_noise || input == ImageInput::kNone) z = sampled(picture->whole, noise, model.vae);
  const Tensor eps = noise.draw(shape);
  start.x = from_noise ? eps * plan.initial_noise_scale : noised(z, eps, plan.entries[plan.first].level);
  if (!has_mask) return start;
  const Tensor channels = masked_channels(*picture, noise, model);
  if (input == ImageInput::kMasked) {
    start.channels = channels;
    return start;
  }
  start.keep = [z, eps, mask = picture->mask, plan](const Step& step, Tensor& x) {
    const bool is_last = step.index == plan.steps.back().index;
    const Tensor kept = is_last ? z : noised(z, eps, plan.entries[step.index + 1].level);
    x = (1.0 - mask.to(x.device())) * kept.to(x.device()) + mask.to(x.device()) * x;
  };
  return start;
}

}  // namespace sdgen
