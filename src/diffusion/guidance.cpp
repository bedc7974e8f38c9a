#include "diffusion/guidance.h"

#include <cmath>

namespace sdgen {
namespace {

// Ways of evaluating the network that a recorder must tell apart.
constexpr int kWholeNetwork = 0;

// The tensors of `text`, in one order, as inputs of recorded work.
void add_tensors(const Unet::Text& text, std::vector<Tensor>& tensors) {
  for (const TransformerText& transformer : text.transformers) {
    for (const TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) tensors.insert(tensors.end(), {block.attn1->keys, block.attn1->values});
      tensors.insert(tensors.end(), {block.attn2.keys, block.attn2.values});
    }
  }
}

// `text` with the tensors that stand at `next` and after it instead of its own.
Unet::Text with_tensors(Unet::Text text, std::vector<Tensor>::const_iterator next) {
  for (TransformerText& transformer : text.transformers) {
    for (TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) block.attn1 = KeysValues{*next++, *next++};
      block.attn2 = KeysValues{*next++, *next++};
    }
  }
  return text;
}

}  // namespace

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, Recorder& recorder) {
  const bool guided = conditioning.guided();
  const Unet::Text text =
      unet.text(guided ? at::cat({conditioning.without, conditioning.words}) : conditioning.words);
  const auto number = [device = compute.device](double value) {
    return at::full({1}, value, at::TensorOptions().dtype(at::kFloat).device(device));
  };
  // inputs: x, timestep, guidance scale, then the text's
  const TensorWork evaluate = [&unet, text, guided, compute](const std::vector<Tensor>& inputs) {
    const Tensor predicted =
        unet(inputs[0].to(compute.device, compute.dtype), inputs[1], with_tensors(text, inputs.begin() + 3))
            .to(at::kFloat);
    if (!guided) return predicted;
    const std::vector<Tensor> halves = predicted.chunk(2);  // without, words
    return halves[0] + inputs[2] * (halves[1] - halves[0]);
  };
  std::vector<Tensor> inputs = {{}, {}, number(conditioning.guidance_scale)};
  add_tensors(text, inputs);
  const auto output = [evaluate, inputs, number, &recorder](const Tensor& x, const Level& level,
                                                            double timestep) mutable {
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    inputs[0] = std::abs(norm - 1.0) < 1e-12 ? x : x / norm;
    inputs[1] = number(timestep);
    return recorder(kWholeNetwork, evaluate, inputs);
  };
  return {output, prediction_type};
}

}  // namespace sdgen
