#include "pipeline/components.h"

#include "base/stopwatch.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

// `component` built if it is not there yet.
template <typename Component, typename Build>
const Component& loaded(std::optional<Component>& component, const std::string& name, const Compute& compute,
                        const Components::LoadCallback& on_load, const Build& build) {
  if (!component) {
    const Stopwatch stopwatch;
    component.emplace(build());
    synchronize(compute);
    on_load(name, stopwatch.seconds());
  }
  return *component;
}

template <typename Component>
void release(std::optional<Component>& component) {
  component.reset();
  release_freed_memory();
}

}  // namespace

Components::Components(const ModelFolder& model, const Compute& compute)
    : model_(model),
      compute_{compute.device, compute.dtype},
      quantize_(compute.quantize),
      tokenizer_(open_tokenizer(model.path / "tokenizer")) {
  if (tokenizer_->model_max_length() > model.text.max_position_embeddings)
    fail_input((model.path / "tokenizer").string(), ": model_max_length ", tokenizer_->model_max_length(),
               " is more than the text encoder's max_position_embeddings ",
               model.text.max_position_embeddings);
  const Weights text = text_weights(Weights::Mode::kCheckOnly);
  ClipTextEncoder(text, model.text);
  // transformers 4 stored positions as a tensor; a projection belongs to CLIP's other use.
  text.require_all_used({"embeddings.position_ids", "text_projection."});
  const Weights unet = unet_weights(Weights::Mode::kCheckOnly);
  Unet(unet, model.unet);
  unet.require_all_used({});
  const Weights vae = vae_weights(Weights::Mode::kCheckOnly, compute);
  AutoencoderDecoder(vae, model.vae);
  vae.require_all_used({"encoder.", "quant_conv."});
}

Weights Components::text_weights(Weights::Mode mode) const {
  return {rename_keys(open_model_files(model_.path / "text_encoder", "model"), current_clip_name), compute_,
          mode};
}

Weights Components::unet_weights(Weights::Mode mode) const {
  Compute compute = compute_;
  compute.quantize = quantize_;
  return {open_model_files(model_.path / "unet", "diffusion_pytorch_model"), compute, mode};
}

Weights Components::vae_weights(Weights::Mode mode, const Compute& compute) const {
  return {rename_keys(open_model_files(model_.path / "vae", "diffusion_pytorch_model"), current_vae_name),
          compute, mode};
}

const ClipTextEncoder& Components::text_encoder(const LoadCallback& on_load) {
  return loaded(text_encoder_, "text_encoder", compute_, on_load,
                [&] { return ClipTextEncoder(text_weights(Weights::Mode::kRead), model_.text); });
}

const Unet& Components::unet(const LoadCallback& on_load) {
  return loaded(unet_, "unet", compute_, on_load,
                [&] { return Unet(unet_weights(Weights::Mode::kRead), model_.unet); });
}

const AutoencoderDecoder& Components::decoder(const LoadCallback& on_load) {
  return loaded(decoder_, "vae", compute_, on_load,
                [&] { return AutoencoderDecoder(vae_weights(Weights::Mode::kRead, compute_), model_.vae); });
}

const AutoencoderDecoder& Components::float32_decoder(const LoadCallback& on_load) {
  const Compute float32{compute_.device, at::kFloat};
  return loaded(float32_decoder_, "vae", compute_, on_load,
                [&] { return AutoencoderDecoder(vae_weights(Weights::Mode::kRead, float32), model_.vae); });
}

void Components::release_text_encoder() {
  release(text_encoder_);
}
void Components::release_unet() {
  release(unet_);
}

void Components::release_all() {
  release_text_encoder();
  release_unet();
  release(decoder_);
  release(float32_decoder_);
}

}  // namespace sdgen
