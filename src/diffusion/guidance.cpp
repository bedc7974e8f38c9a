#include "diffusion/guidance.h"

#include <cmath>
#include <memory>

namespace sdgen {
namespace {

// Ways of asking the network, which a recorder must tell apart.
enum Variant { kWhole, kKeepingDeep, kShallow };

// Inputs of an evaluation: x, timestep, guidance scale; the text's; for kShallow the deep features.
constexpr std::ptrdiff_t kFirstOfText = 3;

void add_tensors(const Unet::Text& text, Tensors& tensors) {
  for (const TransformerText& transformer : text.transformers) {
    for (const TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) tensors.insert(tensors.end(), {block.attn1->keys, block.attn1->values});
      tensors.insert(tensors.end(), {block.attn2.keys, block.attn2.values});
    }
  }
}

// `text` with the tensors that stand at `next` and after it, in the order of add_tensors().
Unet::Text with_tensors(Unet::Text text, Tensors::const_iterator next) {
  for (TransformerText& transformer : text.transformers) {
    for (TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) block.attn1 = KeysValues{*next++, *next++};
      block.attn2 = KeysValues{*next++, *next++};
    }
  }
  return text;
}

// The network asked step by step, with what one step leaves for the next.
class GuidedUnet {
 public:
  GuidedUnet(const Unet& unet, const Conditioning& conditioning, const Compute& compute,
             const StepSaving& saving, Recorder* recorder)
      : unet_(unet),
        compute_(compute),
        saving_(saving),
        recorder_(recorder),
        scale_(number(conditioning.guidance_scale)) {
    if (!conditioning.guided() || saving.guidance_start > 0 || saving.guidance_end < 1)
      words_ = unet.text(conditioning.words);
    if (conditioning.guided()) both_ = unet.text(at::cat({conditioning.without, conditioning.words}));
  }

  Tensor operator()(const Tensor& x, const Level& level, double timestep) {
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    const bool guided = is_guided(timestep);
    const Unet::Text& text = guided ? both_ : words_;
    const Variant variant = next_variant(text.rows);
    Tensors inputs = {std::abs(norm - 1.0) < 1e-12 ? x : x / norm, number(timestep), scale_};
    add_tensors(text, inputs);
    if (variant == kShallow) inputs.push_back(deep_.map);
    const TensorWork work = evaluation(variant, text, guided);
    const Tensors results = recorder_ ? (*recorder_)(variant, work, inputs) : work(inputs);
    if (variant == kKeepingDeep) deep_.map = results[1];
    return results[0];
  }

 private:
  Tensor number(double value) const {
    return at::full({1}, value, at::TensorOptions().dtype(at::kFloat).device(compute_.device));
  }

  bool is_guided(double timestep) const {
    if (both_.rows == 0) return false;
    const double progress = 1.0 - timestep / saving_.num_train_timesteps;
    return progress >= saving_.guidance_start && progress <= saving_.guidance_end;
  }

  Variant next_variant(std::int64_t rows) {
    if (saving_.cache_interval <= 1) return kWhole;
    if (deep_.map.defined() && age_ < saving_.cache_interval && deep_.map.size(0) == rows) {
      ++age_;
      return kShallow;
    }
    age_ = 1;
    return kKeepingDeep;
  }

  // Reads nothing but its inputs and the network, so that it can be recorded. Gives the prediction and, for
  // kKeepingDeep, the deep features.
  TensorWork evaluation(Variant variant, const Unet::Text& text, bool guided) const {
    return [unet = &unet_, compute = compute_, text, variant, guided](const Tensors& inputs) -> Tensors {
      const Tensor x = inputs[0].to(compute.device, compute.dtype);
      const Unet::Text words = with_tensors(text, inputs.begin() + kFirstOfText);
      Unet::DeepFeatures deep;
      Unet::DeepFeatures* const kept = variant == kKeepingDeep ? &deep : nullptr;
      const Tensor predicted = (variant == kShallow ? unet->shallow(x, inputs[1], words, {inputs.back()})
                                                    : (*unet)(x, inputs[1], words, nullptr, kept))
                                   .to(at::kFloat);
      Tensors results = {predicted};
      if (guided) {
        const std::vector<Tensor> halves = predicted.chunk(2);  // without, words
        results[0] = halves[0] + inputs[2] * (halves[1] - halves[0]);
      }
      if (variant == kKeepingDeep) results.push_back(deep.map);
      return results;
    };
  }

  const Unet& unet_;
  Compute compute_;
  StepSaving saving_;
  Recorder* recorder_;
  Tensor scale_;             // [1]
  Unet::Text words_, both_;  // both_: without the words, then with them
  Unet::DeepFeatures deep_;
  int age_ = 0;  // steps that deep_ has served
};

}  // namespace

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, const StepSaving& saving, Recorder* recorder) {
  const auto guided = std::make_shared<GuidedUnet>(unet, conditioning, compute, saving, recorder);
  return {[guided](const Tensor& x, const Level& level, double timestep) {
            return (*guided)(x, level, timestep);
          },
          prediction_type};
}

}  // namespace sdgen
