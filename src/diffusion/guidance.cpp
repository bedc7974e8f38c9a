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
  GuidedUnet(const Unet& unet, const Conditioning& conditioning, const Compute& compute, int cache_interval,
             Recorder* recorder)
      : unet_(unet),
        compute_(compute),
        guided_(conditioning.guided()),
        cache_interval_(cache_interval),
        recorder_(recorder),
        scale_(number(conditioning.guidance_scale)),
        text_(unet.text(guided_ ? at::cat({conditioning.without, conditioning.words}) : conditioning.words)) {}

  Tensor operator()(const Tensor& x, const Level& level, double timestep) {
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    const Variant variant = next_variant();
    Tensors inputs = {std::abs(norm - 1.0) < 1e-12 ? x : x / norm, number(timestep), scale_};
    add_tensors(text_, inputs);
    if (variant == kShallow) inputs.push_back(deep_.map);
    const TensorWork work = evaluation(variant);
    const Tensors results = recorder_ ? (*recorder_)(variant, work, inputs) : work(inputs);
    if (variant == kKeepingDeep) deep_.map = results[1];
    return results[0];
  }

 private:
  Tensor number(double value) const {
    return at::full({1}, value, at::TensorOptions().dtype(at::kFloat).device(compute_.device));
  }

  Variant next_variant() {
    if (cache_interval_ <= 1) return kWhole;
    if (age_ < cache_interval_ && age_ > 0) {
      ++age_;
      return kShallow;
    }
    age_ = 1;
    return kKeepingDeep;
  }

  // Reads nothing but its inputs and the network, so that it can be recorded. Gives the prediction and, for
  // kKeepingDeep, the deep features.
  TensorWork evaluation(Variant variant) const {
    return [unet = &unet_, compute = compute_, text = text_, variant, guided = guided_](const Tensors& inputs) -> Tensors {
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
  bool guided_;
  int cache_interval_;
  Recorder* recorder_;
  Tensor scale_;     // [1]
  Unet::Text text_;  // guided: without the words, then with them
  Unet::DeepFeatures deep_;
  int age_ = 0;  // steps that deep_ has served
};

}  // namespace

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, int cache_interval, Recorder* recorder) {
  const auto guided = std::make_shared<GuidedUnet>(unet, conditioning, compute, cache_interval, recorder);
  return {[guided](const Tensor& x, const Level& level, double timestep) {
            return (*guided)(x, level, timestep);
          },
          prediction_type};
}

}  // namespace sdgen
