#include "diffusion/guidance.h"

#include <cmath>
#include <memory>

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
TensorWork evaluation(const Unet& unet, const Compute& compute, const Unet::Text& text, bool guided,
                      const std::shared_ptr<const AttentionHooks>& hooks) {
  return [&unet, compute, text, guided, hooks](const Tensors& inputs) -> Tensors {
    const Tensor x = inputs[0].to(compute.device, compute.dtype);
    const Unet::Text words = with_tensors(text, inputs.begin() + kFirstOfText);
    const Tensor predicted = unet(x, inputs[1], words, nullptr, hooks.get()).to(at::kFloat);
    if (!guided) return {predicted};
    const std::vector<Tensor> halves = predicted.chunk(2);  // without, words
    return {halves[0] + inputs[2] * (halves[1] - halves[0])};
  };
}

// The values of the last rows times [N, L].
void weigh(KeysValues& seen, const Tensor& weights) {
  const std::int64_t others = seen.values.size(0) - weights.size(0);
  const Tensor words = seen.values.narrow(0, others, weights.size(0));
  const Tensor weighed = words * weights.unsqueeze(-1).to(words.options());
  seen.values = others == 0 ? weighed : at::cat({seen.values.narrow(0, 0, others), weighed});
}

void weigh(Unet::Text& text, const Tensor& weights) {
  for (TransformerText& transformer : text.transformers) {
    for (TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) weigh(*block.attn1, weights);
      weigh(block.attn2, weights);
    }
  }
}

std::shared_ptr<const AttentionHooks> hooks_of(const Watchers& watchers) {
  const AttentionHooks& hooks = watchers.attention;
  if (!hooks.on_cross && !hooks.cross_weights && !hooks.self) return nullptr;
  return std::make_shared<const AttentionHooks>(hooks);
}

}  // namespace

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, Recorder* recorder, Watchers watchers) {
  const bool guided = conditioning.guided();
  Unet::Text text =
      unet.text(guided ? at::cat({conditioning.without, conditioning.words}) : conditioning.words);
  if (conditioning.token_weights.defined()) weigh(text, conditioning.token_weights);
  const auto hooks = hooks_of(watchers);
  if (hooks) recorder = nullptr;  // a replay would call no hook
  const auto number = [device = compute.device](double value) {
    return at::full({1}, value, at::TensorOptions().dtype(at::kFloat).device(device));
  };
  const auto output = [text, guided, number, recorder, work = evaluation(unet, compute, text, guided, hooks),
                       scale = number(conditioning.guidance_scale),
                       watchers = std::move(watchers)](const Tensor& x, const Level& level, double timestep) {
    if (watchers.before) watchers.before();
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    Tensors inputs = {std::abs(norm - 1.0) < 1e-12 ? x : x / norm, number(timestep), scale};
    add_tensors(text, inputs);
    const Tensor predicted = (recorder ? (*recorder)(guided ? 1 : 0, work, inputs) : work(inputs)).front();
    if (watchers.after) watchers.after(x, predicted, level);
    return predicted;
  };
  return {output, prediction_type};
}

}  // namespace sdgen
