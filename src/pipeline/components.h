// The parts of a model in memory: each loaded when first asked for and gone when released.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pipeline/model_folder.h"
#include "text/tokenizer.h"

namespace sdgen {

class Components {
 public:
  // Told what was loaded and how long it took, seconds.
  using LoadCallback = std::function<void(const std::string& component, double seconds)>;

  // Checks every weight header against its config, names and shapes; reads no weight.
  // Throws Error(kInput) naming file and key.
  Components(const ModelFolder& model, const Compute& compute);

  const Tokenizer& tokenizer() const { return *tokenizer_; }

  // Throw Error(kInput) if weights cannot be read or are not finite.
  const ClipTextEncoder& text_encoder(const LoadCallback& on_load);
  const Unet& unet(const LoadCallback& on_load);
  const AutoencoderDecoder& decoder(const LoadCallback& on_load);
  const AutoencoderDecoder& float32_decoder(const LoadCallback& on_load);  // whatever the compute dtype

  void release_text_encoder();
  void release_unet();
  void release_all();

 private:
  Weights text_weights(Weights::Mode mode) const;
  Weights unet_weights(Weights::Mode mode) const;
  Weights vae_weights(Weights::Mode mode, const Compute& compute) const;

  const ModelFolder& model_;
  Compute compute_;
  Quantize quantize_;  // of the UNet; the other parts stay as they are
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<ClipTextEncoder> text_encoder_;
  std::optional<Unet> unet_;
  std::optional<AutoencoderDecoder> decoder_, float32_decoder_;
};

}  // namespace sdgen
