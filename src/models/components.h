// The parts of a model in memory: each loaded when first asked for and gone when released.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "models/parts.h"
#include "text/conditioner.h"
#include "weights/weights.h"

namespace sdgen {

class Components {
 public:
  // Checks every weight header against its config, names and shapes; reads no weight.
  // Throws Error(kInput) naming file and key.
  Components(const Model& model, const Compute& compute);

  // Of tensors that no layer asks for; not yet told.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

  // A text may have so many tokens.
  int text_tokens() const { return texts_->max_tokens(); }

  // Throw Error(kInput) if weights cannot be read or are not finite.
  const Conditioner& conditioner(const LoadCallback& on_load) { return texts_->conditioner(on_load); }
  const Network& network(const LoadCallback& on_load);
  // Of the network's layers that can be streamed no more than `bytes` stay in memory when it is loaded next;
  // nothing: all of them. Whether one that is loaded was released because it held another part.
  bool hold_of_network(std::optional<std::uint64_t> bytes);
  // Likewise of the text encoders' layers, where they are not loaded.
  void hold_of_texts(std::optional<std::uint64_t> bytes) { texts_->hold(bytes); }
  const std::vector<ControlNet>& controlnets(const LoadCallback& on_load);  // of model.controlnets
  const Decoder& decoder(const LoadCallback& on_load);
  const Decoder& float32_decoder(const LoadCallback& on_load);  // whatever the compute dtype
  const Encoder& encoder(const LoadCallback& on_load);
  const Encoder& float32_encoder(const LoadCallback& on_load);

  void release_text_encoders() { texts_->release(); }
  void release_encoders();
  void release_network();  // and the ControlNets
  void release_all();

 private:
  Weights weights(const std::string& component, Weights::Mode mode, at::ScalarType dtype) const;
  // Stays as it is where the network is quantized.
  Weights controlnet_weights(const ControlNetModel& controlnet, Weights::Mode mode) const;

  const Model& model_;
  std::vector<std::string> warnings_;
  Compute compute_;
  Quantize quantize_;  // of the network; the other parts stay as they are
  std::unique_ptr<TextParts> texts_;
  std::unique_ptr<const Network> network_;
  std::optional<std::uint64_t> network_held_bytes_;  // nothing: all of them
  std::vector<ControlNet> controlnets_;              // empty until loaded
  std::optional<Decoder> decoder_, float32_decoder_;
  std::optional<Encoder> encoder_, float32_encoder_;
};

}  // namespace sdgen
