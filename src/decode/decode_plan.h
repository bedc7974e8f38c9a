// Which way of decoding the memory allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decode/autoencoder.h"
#include "sdgen/request.h"

namespace sdgen {

enum class DecodeMode {
  kWhole,  // Decoder: the fastest
  kBands,  // decode_in_bands(), TinyDecoder::in_bands(): the same picture with less memory
  kTiles,  // decode_in_tiles(): diffusers' tiles, least memory
};

// "whole", "in bands", "in tiles"
std::string decode_mode_name(DecodeMode mode);

// The most bytes that decoding latents [N, C, h, w] of `options` (dtype and device) holds beside the weights,
// estimated from the sizes of the maps alive at once (sdgen_decode_bench prints it beside the measured peak).
std::uint64_t decode_bytes(DecodeMode mode, const AutoencoderConfig& config, at::IntArrayRef latents,
                           const at::TensorOptions& options);

// What to try, best first. kAuto leaves out what does not fit in `available` bytes (nothing: not known), but
// never the way that takes least: tiles, or bands where one tile is the whole picture or the autoencoder is a
// tiny one, which has no tiles. kOff and kOn leave no choice. Whole is given up beyond a few GiB even where
// there is more: bands give the same picture.
std::vector<DecodeMode> decode_modes(VaeTiling tiling, const AutoencoderConfig& config,
                                     at::IntArrayRef latents, const at::TensorOptions& options,
                                     std::optional<std::uint64_t> available);

// The decode itself: latents, as AutoencoderConfig::to_vae() makes them, to pixels.
Tensor decode(DecodeMode mode, const Decoder& decoder, const Tensor& latents);

}  // namespace sdgen
