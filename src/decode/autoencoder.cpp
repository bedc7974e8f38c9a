#include "decode/autoencoder.h"

namespace sdgen {
namespace {

// The one of two networks that the config names.
template <typename Large, typename Tiny>
std::variant<Large, Tiny> network_of(const Weights& weights, const AutoencoderConfig& config) {
  if (config.tiny) return Tiny(weights, config);
  return Large(weights, config);
}

}  // namespace

Decoder::Decoder(const Weights& weights, const AutoencoderConfig& config)
    : config(config), network(network_of<AutoencoderDecoder, TinyDecoder>(weights, config)) {}

Tensor Decoder::operator()(const Tensor& latents) const {
  return std::visit([&](const auto& decode) { return decode(latents); }, network);
}

Encoder::Encoder(const Weights& weights, const AutoencoderConfig& config)
    : network(network_of<AutoencoderEncoder, TinyEncoder>(weights, config)) {}

LatentDistribution Encoder::operator()(const Tensor& pixels) const {
  if (const auto* const tiny = std::get_if<TinyEncoder>(&network)) return {(*tiny)(pixels), {}};
  const auto [mean, logvar] = std::get<AutoencoderEncoder>(network)(pixels);
  return {mean, logvar};
}

}  // namespace sdgen
