#include "diffusion/guidance.h"

#include <cmath>

namespace sdgen {

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute) {
  const bool guided = conditioning.guided();
  const Unet::Text text =
      unet.text(guided ? at::cat({conditioning.without, conditioning.words}) : conditioning.words);
  const auto output = [&unet, text, guided, compute, scale = conditioning.guidance_scale](
                          const Tensor& x, const Level& level, double timestep) {
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    const Tensor input = std::abs(norm - 1.0) < 1e-12 ? x : x / norm;
    const Tensor timesteps =
        at::full({1}, timestep, at::TensorOptions().dtype(at::kFloat).device(compute.device));
    const Tensor predicted = unet(input.to(compute.device, compute.dtype), timesteps, text).to(at::kFloat);
    if (!guided) return predicted;
    const std::vector<Tensor> halves = predicted.chunk(2);  // without, words
    return halves[0] + scale * (halves[1] - halves[0]);
  };
  return {output, prediction_type};
}

}  // namespace sdgen
