// A UNet with its ControlNets as guidance asks them: the words are made keys and values once a batch.
#include <utility>

#include "diffusion/networks/controlnet.h"
#include "diffusion/networks/unet.h"
#include "diffusion/samplers/sampler.h"

namespace sdgen {
namespace {

void add_if_defined(const Tensor& tensor, Tensors& tensors) {
  if (tensor.defined()) tensors.push_back(tensor);
}

// The values of the last rows times [N, L].
void weigh(KeysValues& seen, const Tensor& weights) {
  const std::int64_t others = seen.values.size(0) - weights.size(0);
  const Tensor words = seen.values.narrow(0, others, weights.size(0));
  const Tensor weighed = words * weights.unsqueeze(-1).to(words.options());
  seen.values = others == 0 ? weighed : at::cat({seen.values.narrow(0, 0, others), weighed});
}

// The words as rows of tensors, inputs of work that is recorded: appends them.
void add_tensors(const UnetText& text, Tensors& tensors) {
  for (const TransformerText& transformer : text.transformers) {
    for (const TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) tensors.insert(tensors.end(), {block.attn1->keys, block.attn1->values});
      tensors.insert(tensors.end(), {block.attn2.keys, block.attn2.values});
    }
  }
  add_if_defined(text.added, tensors);
  add_if_defined(text.condition, tensors);
}

// `text` with the tensors that stand at `next` and after it, in the order of add_tensors(); `next` goes
// behind them.
UnetText with_tensors(UnetText text, Tensors::const_iterator& next) {
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

// Multiplies the values of the last N rows by `weights` [N, L].
void weigh(UnetText& text, const Tensor& weights) {
  for (TransformerText& transformer : text.transformers) {
    for (TransformerText::Block& block : transformer.blocks) {
      if (block.attn1) weigh(*block.attn1, weights);
      weigh(block.attn2, weights);
    }
  }
}

// What a ControlNet is given at every evaluation; its tensors are constants, as the UNet's text.
struct ControlInputs {
  const ControlNet& net;
  UnetText text;
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

std::shared_ptr<const AttentionHooks> shared_hooks(const AttentionHooks& hooks) {
  return any(hooks) ? std::make_shared<const AttentionHooks>(hooks) : nullptr;
}

// Words steer ControlNets as they steer the UNet; whoever watches looks at the UNet.
std::shared_ptr<const AttentionHooks> hooks_of_controls(AttentionHooks hooks) {
  hooks.on_cross = nullptr;
  return shared_hooks(hooks);
}

// One evaluation.
struct Evaluation {
  const Unet& unet;
  UnetText text;
  bool has_channels;
  std::shared_ptr<const AttentionHooks> hooks, control_hooks;
  std::vector<ControlInputs> controls{};

  // What the active ControlNets (a bit each) add; without a middle where there is none. Their inputs stand at
  // `next`. They see the latents alone.
  UnetResiduals residuals(const Tensor& latents, const Tensor& timestep, Tensors::const_iterator next,
                          int active) const {
    UnetResiduals sum;
    for (std::size_t i = 0; i < controls.size(); ++i) {
      const UnetText words = with_tensors(controls[i].text, next);
      const Tensor& hint = *next++;
      const Tensor& scale = *next++;
      if ((active >> i & 1) != 0)
        add_scaled(controls[i].net(latents, timestep, words, hint, control_hooks.get()), scale, sum);
    }
    return sum;
  }

  Tensor operator()(const Tensor& latents, const Tensor& timestep, Tensors::const_iterator next,
                    int active) const {
    Tensor x = latents;
    if (has_channels) {
      const Tensor& channels = *next++;
      x = at::cat({repeat_rows(x, channels.size(0)), channels}, 1);
    }
    const UnetText words = with_tensors(text, next);
    const UnetResiduals added = residuals(latents, timestep, next, active);
    return unet(x, timestep, words, nullptr, hooks.get(), added.mid.defined() ? &added : nullptr);
  }
};

// `net`'s own view of the words.
template <typename Net>
UnetText text_of(const Net& net, const NetworkInputs& inputs) {
  UnetText text = net.text(inputs.context, inputs.added);
  if (inputs.token_weights.defined()) weigh(text, inputs.token_weights);
  return text;
}

std::vector<ControlInputs> controls_of(const NetworkInputs& inputs, const Compute& compute) {
  std::vector<ControlInputs> controls;
  for (const Control& control : inputs.controls) {
    const Tensor scale = at::scalar_tensor(control.scale, at::TensorOptions().dtype(at::kFloat));
    controls.push_back({control.net, text_of(control.net, inputs),
                        control.net.hint(control.picture.to(compute.device, compute.dtype)),
                        scale.to(compute.device)});
  }
  return controls;
}

int active_at(const std::vector<Control>& controls, const Step& step) {
  int active = 0;
  for (std::size_t i = 0; i < controls.size(); ++i)
    if (controls[i].active.at(step.index)) active |= 1 << i;
  return active;
}

}  // namespace

PreparedNetwork Unet::prepare(const NetworkInputs& inputs, const Compute& compute) const {
  const bool has_channels = inputs.channels.defined();
  const Evaluation evaluation{*this,
                              text_of(*this, inputs),
                              has_channels,
                              shared_hooks(inputs.hooks),
                              hooks_of_controls(inputs.hooks),
                              controls_of(inputs, compute)};
  PreparedNetwork prepared;
  if (has_channels) prepared.constants.push_back(inputs.channels.to(compute.device, compute.dtype));
  add_tensors(evaluation.text, prepared.constants);
  for (const ControlInputs& control : evaluation.controls) add_tensors(control, prepared.constants);
  if (!inputs.controls.empty())
    prepared.variant = [controls = inputs.controls](const Step& step) { return active_at(controls, step); };
  prepared.predict = evaluation;
  return prepared;
}

}  // namespace sdgen
