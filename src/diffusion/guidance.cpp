#include "diffusion/guidance.h"

#include <cmath>
#include <memory>

#include "diffusion/text_tensors.h"

namespace sdgen {
namespace {

// Inputs of an evaluation: x, timestep, the scales; then the extra channels and the text's, where there are.
constexpr std::ptrdiff_t kFirstOfText = 3;

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

// What a ControlNet is given at every evaluation; its tensors are constants, as the UNet's text.
struct ControlInputs {
  const ControlNet& net;
  Unet::Text text;
  Tensor hint;   // [1, C, h, w]
  Tensor scale;  // a number
};

void add_tensors(const ControlInputs& control, Tensors& tensors) {
  add_tensors(control.text, tensors);
  tensors.insert(tensors.end(), {control.hint, control.scale});
}

void add_scaled(const UnetResiduals& more, const Tensor& scale, UnetResiduals& sum) {
  const bool is_first = !sum.mid.defined();
  const auto add = [&](const Tensor& x, Tensor& to) {
    to = is_first ? x * scale : sum_of_rows(to, x * scale);
  };
  sum.skips.resize(more.skips.size());
  for (std::size_t i = 0; i < more.skips.size(); ++i) add(more.skips[i], sum.skips[i]);
  add(more.mid, sum.mid);
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
  std::shared_ptr<const AttentionHooks> hooks, control_hooks;
  std::vector<ControlInputs> controls{};
  std::uint32_t active = 0;  // a bit a ControlNet

  // What the active ControlNets add; without a middle where there is none. Their inputs stand at `next`.
  UnetResiduals residuals(const Tensor& x, const Tensor& timestep, Tensors::const_iterator next) const {
    UnetResiduals sum;
    for (std::size_t i = 0; i < controls.size(); ++i) {
      const Unet::Text words = with_tensors(controls[i].text, next);
      const Tensor& hint = *next++;
      const Tensor& scale = *next++;
      if ((active >> i & 1U) != 0)
        add_scaled(controls[i].net(x, timestep, words, hint, control_hooks.get()), scale, sum);
    }
    return sum;
  }

  Tensors operator()(const Tensors& inputs) const {
    const Tensor latents = inputs[0].to(compute.device, compute.dtype);
    Tensor x = latents;
    auto next = inputs.begin() + kFirstOfText;
    if (has_channels) {
      const Tensor& channels = *next++;
      x = at::cat({repeat_rows(x, channels.size(0)), channels}, 1);
    }
    const Unet::Text words = with_tensors(text, next);
    const UnetResiduals added = residuals(latents, inputs[1], next);
    const Tensor answers =
        unet(x, inputs[1], words, nullptr, hooks.get(), added.mid.defined() ? &added : nullptr)
            .to(at::kFloat);
    return {guided_output(answers, questions, rescaled, inputs[2])};
  }

  // Tells recordings apart.
  int variant() const {
    return questions + (rescaled ? 4 : 0) + (has_channels ? 8 : 0) + static_cast<int>(active << 4U);
  }
};

std::shared_ptr<const AttentionHooks> hooks_of(const Watchers& watchers) {
  const AttentionHooks& hooks = watchers.attention;
  if (!hooks.on_cross && !hooks.cross_weights && !hooks.self) return nullptr;
  return std::make_shared<const AttentionHooks>(hooks);
}

// Words steer ControlNets as they steer the UNet; whoever watches looks at the UNet.
std::shared_ptr<const AttentionHooks> hooks_of_controls(const Watchers& watchers) {
  Watchers steering;
  steering.attention = watchers.attention;
  steering.attention.on_cross = nullptr;
  return hooks_of(steering);
}

std::vector<ControlInputs> controls_of(const Conditioning& conditioning, const Tensor& contexts,
                                       const Compute& compute) {
  std::vector<ControlInputs> inputs;
  for (const Control& control : conditioning.controls) {
    Unet::Text text = control.net.text(contexts, conditioning.added);
    if (conditioning.token_weights.defined()) weigh(text, conditioning.token_weights);
    const Tensor scale = at::scalar_tensor(control.scale, at::TensorOptions().dtype(at::kFloat));
    inputs.push_back({control.net, std::move(text),
                      control.net.hint(control.picture.to(compute.device, compute.dtype)),
                      scale.to(compute.device)});
  }
  return inputs;
}

std::uint32_t active_at(const std::vector<Control>& controls, const Step& step) {
  std::uint32_t active = 0;
  for (std::size_t i = 0; i < controls.size(); ++i)
    if (controls[i].active.at(step.index)) active |= 1U << i;
  return active;
}

}  // namespace

Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, Recorder* recorder, Watchers watchers) {
  const int questions = conditioning.questions();
  Tensors contexts(static_cast<std::size_t>(questions), conditioning.without);
  contexts.back() = conditioning.words;
  const Tensor seen = questions == 1 ? conditioning.words : at::cat(contexts);
  Unet::Text text = unet.text(seen, conditioning.added);
  if (conditioning.token_weights.defined()) weigh(text, conditioning.token_weights);
  const auto hooks = hooks_of(watchers);
  // A replay would call no hook, and find no layer that was read for one use only.
  if (hooks || unet.streams()) recorder = nullptr;
  const at::TensorOptions numbers = at::TensorOptions().dtype(at::kFloat);
  Tensors constants = {
      at::tensor({conditioning.guidance_scale, conditioning.image_guidance_scale.value_or(0.0),
                  conditioning.guidance_rescale},
                 numbers)
          .to(compute.device)};
  if (conditioning.channels.defined())
    constants.push_back(conditioning.channels.to(compute.device, compute.dtype));
  add_tensors(text, constants);
  Evaluation work{unet,
                  compute,
                  text,
                  questions,
                  conditioning.guidance_rescale > 0,
                  conditioning.channels.defined(),
                  hooks,
                  hooks_of_controls(watchers),
                  controls_of(conditioning, seen, compute)};
  for (const ControlInputs& control : work.controls) add_tensors(control, constants);
  const auto output = [recorder, work, constants, watchers = std::move(watchers),
                       controls = conditioning.controls, on_device = numbers.device(compute.device)](
                          const Tensor& x, const Step& step) mutable {
    if (watchers.before) watchers.before(step);
    const double norm = std::sqrt(step.from.alpha * step.from.alpha + step.from.sigma * step.from.sigma);
    Tensors inputs = {std::abs(norm - 1.0) < 1e-12 ? x : x / norm, at::full({1}, step.timestep, on_device)};
    inputs.insert(inputs.end(), constants.begin(), constants.end());
    work.active = active_at(controls, step);
    const Tensor predicted = (recorder ? (*recorder)(work.variant(), work, inputs) : work(inputs)).front();
    if (watchers.after) watchers.after(x, predicted, step);
    return predicted;
  };
  return {output, prediction_type};
}

}  // namespace sdgen
