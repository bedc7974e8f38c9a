#include "diffusion/guidance.h"

#include <cmath>

namespace sdgen {
namespace {

// Inputs of an evaluation: x, timestep, guidance scale; the text's.
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

// One evaluation of the network, which reads nothing but its inputs and the weights, so that it can be
// recorded.
TensorWork evaluation(const Unet& unet, const Compute& compute, const Unet::Text& text, bool guided) {
  return [&unet, compute, text, guided](const Tensors& inputs) -> Tensors {
    const Tensor x = inputs[0].to(compute.device, compute.dtype);
    const Unet::Text words = with_tensors(text, inputs.begin() + kFirstOfText);
    const Tensor predicted = unet(x, inputs[1], words).to(at::kFloat);
    if (!guided) return {predicted};
    const std::vector<Tensor> halves = predicted.chunk(2);  // without, words
    return {halves[0] + inputs[2] * (halves[1] - halves[0])};
  };
}

}  // namespace

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, Recorder* recorder) {
  const bool guided = conditioning.guided();
  const Unet::Text text =
      unet.text(guided ? at::cat({conditioning.without, conditioning.words}) : conditioning.words);
  const auto number = [device = compute.device](double value) {
    return at::full({1}, value, at::TensorOptions().dtype(at::kFloat).device(device));
  };
  const auto output = [text, guided, number, recorder, work = evaluation(unet, compute, text, guided),
                       scale = number(conditioning.guidance_scale)](const Tensor& x, const Level& level,
                                                                    double timestep) {
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    Tensors inputs = {std::abs(norm - 1.0) < 1e-12 ? x : x / norm, number(timestep), scale};
    add_tensors(text, inputs);
    return (recorder ? (*recorder)(guided ? 1 : 0, work, inputs) : work(inputs)).front();
  };
  return {output, prediction_type};
}

}  // namespace sdgen
