#include "models/components.h"

#include "base/stopwatch.h"

namespace sdgen {
namespace {

// `component`, an optional or a pointer, built if it is not there yet.
template <typename Component, typename Build>
const auto& loaded(Component& component, const std::string& name, const Compute& compute,
                   const Components::LoadCallback& on_load, const Build& build) {
  if (!component) {
    const Stopwatch stopwatch;
    component = build();
    synchronize(compute);
    on_load(name, stopwatch.seconds());
  }
  return *component;
}

template <typename Component>
void release(Component& component) {
  component.reset();
  release_freed_memory();
}

}  // namespace

Components::Components(const Model& model, const Compute& compute)
    : model_(model),
      compute_{compute.device, compute.dtype},
      quantize_(compute.quantize),
      text_encoders_(model.texts.size()) {
  for (const TextModel& text : model.texts)
    tokenizers_.push_back(model.source.tokenizer(text.tokenizer, text.encoder, text.new_words));
  check_tokenizers();
  constexpr Weights::Mode kCheckOnly = Weights::Mode::kCheckOnly;
  for (const TextModel& text : model.texts) {
    const Weights weights_of = weights(text.encoder, kCheckOnly, compute.dtype);
    ClipTextEncoder(weights_of, text.config);
    // transformers 4 stored positions as a tensor; a projection that nobody asks for belongs to CLIP's other
    // use.
    warn_of_unused(weights_of, {"embeddings.position_ids", "text_projection."});
  }
  const Weights network = weights(model.denoiser, kCheckOnly, compute.dtype);
  model.network->build(network, Residency());
  warn_of_unused(network, {"v_pred", "ztsnr"});  // markers, not weights
  const Weights vae = weights("vae", kCheckOnly, compute.dtype);
  Decoder(vae, model.vae);
  warn_of_unused(vae, {"encoder.", "quant_conv."});
  for (const ControlNetModel& controlnet : model.controlnets) {
    const Weights weights_of = controlnet_weights(controlnet, kCheckOnly);
    ControlNet(weights_of, controlnet.config);
    warn_of_unused(weights_of, {});
  }
}

void Components::warn_of_unused(const Weights& weights, const std::vector<std::string>& ignored) {
  if (const std::string warning = weights.unused_warning(ignored); !warning.empty())
    warnings_.push_back(warning);
}

void Components::check_tokenizers() const {
  for (std::size_t i = 0; i < tokenizers_.size(); ++i) {
    const TextModel& text = model_.texts[i];
    const int length = tokenizers_[i]->model_max_length();
    const std::string file = (model_.source.path() / text.tokenizer).string();
    if (length > text.config.max_position_embeddings)
      fail_input(file, ": model_max_length ", length,
                 " is more than the text encoder's max_position_embeddings ",
                 text.config.max_position_embeddings);
    if (length != text_tokens())
      fail_input(file, ": model_max_length ", length, " contradicts the first tokenizer's ", text_tokens());
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

const Conditioner& Components::conditioner(const LoadCallback& on_load) {
  std::vector<TextPart> parts;
  for (std::size_t i = 0; i < model_.texts.size(); ++i) {
    const TextModel& text = model_.texts[i];
    parts.push_back({*tokenizers_[i], loaded(text_encoders_[i], text.encoder, compute_, on_load, [&] {
                       return ClipTextEncoder(weights(text.encoder, Weights::Mode::kRead, compute_.dtype),
                                              text.config);
                     })});
  }
  if (!conditioner_)
    conditioner_ = std::make_unique<const ClipConditioner>(std::move(parts), model_.text_states);
  return *conditioner_;
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

void Components::release_text_encoders() {
  conditioner_.reset();
  for (std::optional<ClipTextEncoder>& encoder : text_encoders_) release(encoder);
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
