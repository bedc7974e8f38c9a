#include "models/components.h"

namespace sdgen {
Components::Components(const Model& model, const Compute& compute)
    : model_(model),
      compute_{compute.device, compute.dtype},
      quantize_(compute.quantize),
      texts_(model.text->open(model.source, {compute.device, compute.dtype}, warnings_)) {
  constexpr Weights::Mode kCheckOnly = Weights::Mode::kCheckOnly;
  const Weights network = weights(model.denoiser, kCheckOnly, compute.dtype);
  model.network->build(network, Residency());
  warn_of_unused(network, {"v_pred", "ztsnr"}, warnings_);  // markers, not weights
  const Weights vae = weights("vae", kCheckOnly, compute.dtype);
  Decoder(vae, model.vae);
  warn_of_unused(vae, {"encoder.", "quant_conv."}, warnings_);
  for (const ControlNetModel& controlnet : model.controlnets) {
    const Weights weights_of = controlnet_weights(controlnet, kCheckOnly);
    ControlNet(weights_of, controlnet.config);
    warn_of_unused(weights_of, {}, warnings_);
  }
}

Weights Components::weights(const std::string& component, Weights::Mode mode, at::ScalarType dtype) const {
  Compute compute{compute_.device, dtype};
  if (component == model_.denoiser) compute.quantize = quantize_;
  return {model_.source.weights(component), compute, mode};
}

Weights Components::controlnet_weights(const ControlNetModel& controlnet, Weights::Mode mode) const {
  return {controlnet.weights, compute_, mode};
}

const Network& Components::network(const LoadCallback& on_load) {
  return loaded(network_, model_.denoiser, compute_, on_load, [&] {
    return model_.network->build(weights(model_.denoiser, Weights::Mode::kRead, compute_.dtype),
                                 network_held_bytes_ ? Residency(*network_held_bytes_) : Residency());
  });
}

const std::vector<ControlNet>& Components::controlnets(const LoadCallback& on_load) {
  for (std::size_t i = controlnets_.size(); i < model_.controlnets.size(); ++i) {
    const Stopwatch stopwatch;
    const ControlNetModel& controlnet = model_.controlnets[i];
    const WorkStage stage("load", "controlnet " + controlnet.name);
    controlnets_.emplace_back(controlnet_weights(controlnet, Weights::Mode::kRead), controlnet.config);
    synchronize(compute_);
    on_load("controlnet " + controlnet.name, stopwatch.seconds());
  }
  return controlnets_;
}

const Decoder& Components::decoder(const LoadCallback& on_load) {
  return loaded(decoder_, "vae", compute_, on_load,
                [&] { return Decoder(weights("vae", Weights::Mode::kRead, compute_.dtype), model_.vae); });
}

const Decoder& Components::float32_decoder(const LoadCallback& on_load) {
  return loaded(float32_decoder_, "vae", compute_, on_load,
                [&] { return Decoder(weights("vae", Weights::Mode::kRead, at::kFloat), model_.vae); });
}

const Encoder& Components::encoder(const LoadCallback& on_load) {
  const auto vae = model_.vae.tiny ? model_.source.weights("vae") : nullptr;
  if (vae && !vae->find("encoder.layers.0.weight"))
    fail_input(vae->describe(),
               ": holds no encoder, which a starting picture needs; take an AutoencoderTiny that has one, or "
               "another VAE");
  return loaded(encoder_, "vae encoder", compute_, on_load,
                [&] { return Encoder(weights("vae", Weights::Mode::kRead, compute_.dtype), model_.vae); });
}

const Encoder& Components::float32_encoder(const LoadCallback& on_load) {
  return loaded(float32_encoder_, "vae encoder", compute_, on_load,
                [&] { return Encoder(weights("vae", Weights::Mode::kRead, at::kFloat), model_.vae); });
}

bool Components::hold_of_network(std::optional<std::uint64_t> bytes) {
  const bool releases = network_ && bytes != network_held_bytes_;
  if (releases) release_network();
  network_held_bytes_ = bytes;
  return releases;
}

void Components::release_encoders() {
  release(encoder_);
  release(float32_encoder_);
}
void Components::release_network() {
  controlnets_.clear();
  release(network_);
}

void Components::release_all() {
  release_text_encoders();
  release_encoders();
  release_network();
  release(decoder_);
  release(float32_decoder_);
}

}  // namespace sdgen
