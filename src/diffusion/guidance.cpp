#include "diffusion/guidance.h"

#include "diffusion/text_lengths.h"

namespace sdgen {
namespace {

// Inputs of an evaluation: x, timestep, the scales; then the network's.
constexpr std::ptrdiff_t kFirstOfNetwork = 3;

Tensor deviation(const Tensor& x) {  // of each picture
  return x.flatten(1).std(1).reshape({-1, 1, 1, 1});
}

// What the guided output is made of, by the number of branches; `scales` holds guidance_scale,
// image_guidance_scale, guidance_rescale.
Tensor guided_output(const Tensor& branch_outputs, int branches, bool rescaled, const Tensor& scales) {
  if (branches == 1) return branch_outputs;
  const std::vector<Tensor> parts = branch_outputs.chunk(branches);
  const Tensor& words = parts.back();
  Tensor output = parts[0] + scales[0] * (words - parts[parts.size() - 2]);
  if (branches == 3) output = output + scales[1] * (parts[1] - parts[0]);
  if (!rescaled) return output;
  const Tensor as_words = output * (deviation(words) / deviation(output));
  return scales[2] * as_words + (1 - scales[2]) * output;
}

// One evaluation, which reads nothing but its inputs and the weights, so that it can be recorded.
struct Evaluation {
  Compute compute;
  PreparedNetwork network;
  int branches;
  bool rescaled;
  int network_variant = 0;

  Tensors operator()(const Tensors& inputs) const {
    const Tensor latents = inputs[0].to(compute.device, compute.dtype);
    const Tensor branch_outputs =
        network.predict(latents, inputs[1], inputs.begin() + kFirstOfNetwork, network_variant).to(at::kFloat);
    return {guided_output(branch_outputs, branches, rescaled, inputs[2])};
  }

  // Tells recordings apart.
  int variant() const { return branches + (rescaled ? 4 : 0) + (network_variant << 3); }
};

// All rows' texts, as Conditioning orders them.
NetworkInputs inputs_of(const Conditioning& conditioning, const AttentionHooks& hooks) {
  const int branches = conditioning.branches();
  Tensors contexts(static_cast<std::size_t>(branches), conditioning.unconditional);
  contexts.back() = conditioning.conditional;
  return {branches == 1 ? conditioning.conditional : at::cat(contexts),
          conditioning.added,
          conditioning.token_weights,
          conditioning.channels,
          conditioning.controls,
          hooks};
}

}  // namespace

Denoiser guided_denoiser(const Network& network, PredictionType prediction_type,
                         const Conditioning& conditioning, const Compute& compute, Recorder* recorder,
                         Watchers watchers) {
  // A replay would call no hook, and find no layer that was read for one use only.
  if (any(watchers.attention) || network.streams()) recorder = nullptr;
  const at::TensorOptions numbers = at::TensorOptions().dtype(at::kFloat);
  const Tensor scales =
      at::tensor({conditioning.guidance_scale, conditioning.image_guidance_scale.value_or(0.0),
                  conditioning.guidance_rescale},
                 numbers)
          .to(compute.device);
  const NetworkInputs told = inputs_of(conditioning, watchers.attention);
  Evaluation work{compute,
                  conditioning.lengths.empty()
                      ? network.prepare(told, compute)
                      : prepare_each_length(network, told, conditioning.lengths,
                                            conditioning.conditional.size(0), compute),
                  conditioning.branches(), conditioning.guidance_rescale > 0};
  const auto output = [recorder, work = std::move(work), scales, &network, watchers = std::move(watchers),
                       on_device = numbers.device(compute.device)](const Tensor& x,
                                                                   const Step& step) mutable {
    if (watchers.before) watchers.before(step);
    const double norm = network.input_norm(step.from);
    Tensors inputs = {norm == 1.0 ? x : x / norm, at::full({1}, step.timestep, on_device), scales};
    const Tensors& constants = work.network.constants;
    inputs.insert(inputs.end(), constants.begin(), constants.end());
    if (work.network.variant) work.network_variant = work.network.variant(step);
    const Tensor predicted = (recorder ? (*recorder)(work.variant(), work, inputs) : work(inputs)).front();
    if (watchers.after) watchers.after(x, predicted, step);
    return predicted;
  };
  return {output, prediction_type};
}

}  // namespace sdgen
