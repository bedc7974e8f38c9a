#include "diffusion/guidance.h"

#include <cmath>
#include <memory>

namespace sdgen {
namespace {

// The network asked step by step, with what one step leaves for the next.
class GuidedUnet {
 public:
  GuidedUnet(const Unet& unet, const Conditioning& conditioning, const Compute& compute, const StepSaving& saving)
      : unet_(unet), compute_(compute), saving_(saving), scale_(conditioning.guidance_scale) {
    if (!conditioning.guided() || saving.guidance_start > 0 || saving.guidance_end < 1)
      words_ = unet.text(conditioning.words);
    if (conditioning.guided()) both_ = unet.text(at::cat({conditioning.without, conditioning.words}));
  }

  Tensor operator()(const Tensor& x, const Level& level, double timestep) {
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    const Tensor input = std::abs(norm - 1.0) < 1e-12 ? x : x / norm;
    const Tensor timesteps =
        at::full({1}, timestep, at::TensorOptions().dtype(at::kFloat).device(compute_.device));
    const bool guided = is_guided(timestep);
    const Tensor predicted =
        predict(input.to(compute_.device, compute_.dtype), timesteps, guided ? both_ : words_).to(at::kFloat);
    if (!guided) return predicted;
    const std::vector<Tensor> halves = predicted.chunk(2);  // without, words
    return halves[0] + scale_ * (halves[1] - halves[0]);
  }

 private:
  bool is_guided(double timestep) const {
    if (both_.rows == 0) return false;
    const double progress = 1.0 - timestep / saving_.num_train_timesteps;
    return progress >= saving_.guidance_start && progress <= saving_.guidance_end;
  }

  Tensor predict(const Tensor& input, const Tensor& timesteps, const Unet::Text& text) {
    if (saving_.cache_interval <= 1) return unet_(input, timesteps, text);
    if (deep_.map.defined() && age_ < saving_.cache_interval && deep_.map.size(0) == text.rows) {
      ++age_;
      return unet_.shallow(input, timesteps, text, deep_);
    }
    age_ = 1;
    return unet_(input, timesteps, text, nullptr, &deep_);
  }

  const Unet& unet_;
  Compute compute_;
  StepSaving saving_;
  double scale_;
  Unet::Text words_, both_;  // both_: without the words, then with them
  Unet::DeepFeatures deep_;
  int age_ = 0;  // steps that deep_ has served
};

}  // namespace

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, const StepSaving& saving) {
  const auto guided = std::make_shared<GuidedUnet>(unet, conditioning, compute, saving);
  return {[guided](const Tensor& x, const Level& level, double timestep) { return (*guided)(x, level, timestep); },
          prediction_type};
}

}  // namespace sdgen
