#include "diffusion/guidance.h"

#include <cmath>
#include <memory>

namespace sdgen {
namespace {

// Inputs of an evaluation: x, timestep, the scales; then the extra channels and the text's, where there are.
constexpr std::ptrdiff_t kFirstOfText = 3;

void add_if_defined(const Tensor& tensor, Tensors& tensors) {
  if (tensor.defined()) tensors.push_back(tensor);
}

void add_tensors(const Unet::Text& text, Tensors& tensors) {
  for (const TransformerText& transformer : text.transformers) {
    for (const TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) tensors.insert(tensors.end(), {block.attn1->keys, block.attn1->values});
      tensors.insert(tensors.end(), {block.attn2.keys, block.attn2.values});
    }
  }
  add_if_defined(text.added, tensors);
  add_if_defined(text.condition, tensors);
}

// `text` with the tensors that stand at `next` and after it, in the order of add_tensors().
Unet::Text with_tensors(Unet::Text text, Tensors::const_iterator next) {
  for (TransformerText& transformer : text.transformers) {
    for (TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) block.attn1 = KeysValues{*next++, *next++};
      block.attn2 = KeysValues{*next++, *next++};
    }
  }
  if (text.added.defined()) text.added = *next++;
  if (text.condition.defined()) text.condition = *next++;
  return text;
}

Tensor deviation(const Tensor& x) {  // of each picture
  return x.flatten(1).std(1).reshape({-1, 1, 1, 1});
}

// What the guided output is made of, by the number of questions; `scales` holds guidance_scale,
// image_guidance_scale, guidance_rescale.
Tensor guided_output(const Tensor& answers, int questions, bool rescaled, const Tensor& scales) {
  if (questions == 1) return answers;
  const std::vector<Tensor> parts = answers.chunk(questions);
  const Tensor& words = parts.back();
  Tensor output = parts[0] + scales[0] * (words - parts[parts.size() - 2]);
  if (questions == 3) output = output + scales[1] * (parts[1] - parts[0]);
  if (!rescaled) return output;
  const Tensor as_words = output * (deviation(words) / deviation(output));
  return scales[2] * as_words + (1 - scales[2]) * output;
}

// One evaluation of the network, which reads nothing but its inputs and the weights, so that it can be
// recorded.
struct Evaluation {
  const Unet& unet;
  Compute compute;
  Unet::Text text;
  int questions;
  bool rescaled;
  bool has_channels;
  std::shared_ptr<const AttentionHooks> hooks;

  Tensors operator()(const Tensors& inputs) const {
    Tensor x = inputs[0].to(compute.device, compute.dtype);
    auto next = inputs.begin() + kFirstOfText;
    if (has_channels) {
      const Tensor& channels = *next++;
      x = at::cat({repeat_rows(x, channels.size(0)), channels}, 1);
    }
    const Unet::Text words = with_tensors(text, next);
    const Tensor answers = unet(x, inputs[1], words, nullptr, hooks.get()).to(at::kFloat);
    return {guided_output(answers, questions, rescaled, inputs[2])};
  }

  // Tells recordings apart.
  int variant() const { return questions + (rescaled ? 4 : 0) + (has_channels ? 8 : 0); }
};

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
  const int questions = conditioning.questions();
  Tensors contexts(static_cast<std::size_t>(questions), conditioning.without);
  contexts.back() = conditioning.words;
  Unet::Text text = unet.text(questions == 1 ? conditioning.words : at::cat(contexts), conditioning.added);
  if (conditioning.token_weights.defined()) weigh(text, conditioning.token_weights);
  const auto hooks = hooks_of(watchers);
  if (hooks) recorder = nullptr;  // a replay would call no hook
  const at::TensorOptions numbers = at::TensorOptions().dtype(at::kFloat);
  Tensors constants = {
      at::tensor({conditioning.guidance_scale, conditioning.image_guidance_scale.value_or(0.0),
                  conditioning.guidance_rescale},
                 numbers)
          .to(compute.device)};
  if (conditioning.channels.defined())
    constants.push_back(conditioning.channels.to(compute.device, compute.dtype));
  add_tensors(text, constants);
  const Evaluation work{
      unet, compute, text, questions, conditioning.guidance_rescale > 0, conditioning.channels.defined(),
      hooks};
  const auto output = [recorder, work, constants, watchers = std::move(watchers),
                       on_device = numbers.device(compute.device)](const Tensor& x, const Level& level,
                                                                   double timestep) {
    if (watchers.before) watchers.before();
    const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    Tensors inputs = {std::abs(norm - 1.0) < 1e-12 ? x : x / norm, at::full({1}, timestep, on_device)};
    inputs.insert(inputs.end(), constants.begin(), constants.end());
    const Tensor predicted = (recorder ? (*recorder)(work.variant(), work, inputs) : work(inputs)).front();
    if (watchers.after) watchers.after(x, predicted, level);
    return predicted;
  };
  return {output, prediction_type};
}

}  // namespace sdgen
