#include "diffusion/guidance.h"

#include <cmath>

namespace sdgen {

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute) {
  const bool guided = conditioning.guided();
  const Tensor context = guided ? at::cat({conditioning.without, conditioning.words}) : conditioning.words;
  const auto output = [&unet, context, guided, compute, scale = conditioning.guidance_scale](
                          const Tensor& x, const Level& level, double timestep) {
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    Tensor input = std::abs(norm - 1.0) < 1e-12 ? x : x / norm;
    if (guided) input = at::cat({input, input});
    const Tensor timesteps =
        at::full({input.size(0)}, timestep, at::TensorOptions().dtype(at::kFloat).device(compute.device));
    const Tensor predicted = unet(input.to(compute.device, compute.dtype), timesteps, context).to(at::kFloat);
    if (!guided) return predicted;
    const std::vector<Tensor> halves = predicted.chunk(2);  // without, words
    return halves[0] + scale * (halves[1] - halves[0]);
  };
  return {output, prediction_type};
}

}  // namespace sdgen
