#include "decode/decode_plan.h"

#include <algorithm>

#include "decode/banded_decode.h"
#include "decode/tiled_decode.h"

namespace sdgen {
namespace {

// A whole process that decodes stays under 4 GiB with it.
constexpr std::uint64_t kMaxBytesWhole = std::uint64_t{3} << 30;

// Maps of a level's first, widest residual block that are alive at its first convolution: input, normed,
// activated, result, and the convolution's own copies. Measured with Stable Diffusion's: 2.5 to 3.0 by the
// CPU's fused operators, 4.7 to 5.0 by libtorch's own.
constexpr std::uint64_t kFusedMapsAlive = 3;
constexpr std::uint64_t kMapsAlive = 5;
constexpr std::uint64_t kBandsAlive = 8;

// Rows of latents that a tiny decoder's band has.
constexpr std::int64_t kTinyBandRows = 32;

struct Size {
  std::uint64_t rows = 0;
  std::uint64_t height = 0;
  std::uint64_t width = 0;
  std::uint64_t element = 0;  // bytes
  std::uint64_t maps_alive = kMapsAlive;
};

std::uint64_t maps_alive(const at::TensorOptions& options) {
  const bool fused = options.device().is_cpu() && c10::typeMetaToScalarType(options.dtype()) != at::kHalf;
  return fused ? kFusedMapsAlive : kMapsAlive;
}

// A map of `channels` as large as level `level` of up_blocks has it.
std::uint64_t map_bytes(const Size& latents, std::int64_t channels, std::size_t level) {
  return latents.rows * static_cast<std::uint64_t>(channels) * (latents.height << level) *
         (latents.width << level) * latents.element;
}

std::uint64_t level_bytes(const AutoencoderConfig& config, const Size& latents, std::size_t level) {
  const auto channels = config.block_out_channels.rbegin() + static_cast<std::ptrdiff_t>(level);
  return latents.maps_alive *
         map_bytes(latents, level == 0 ? *channels : std::max(*channels, *(channels - 1)), level);
}

std::uint64_t tiny_bytes(const AutoencoderConfig& config, const Size& latents) {
  return latents.maps_alive *
         map_bytes(latents, config.tiny->decoder_width, config.block_out_channels.size() - 1);
}

std::uint64_t whole_bytes(const AutoencoderConfig& config, const Size& latents) {
  if (config.tiny) return tiny_bytes(config, latents);
  std::uint64_t most = 0;
  for (std::size_t level = 0; level < config.block_out_channels.size(); ++level)
    most = std::max(most, level_bytes(config, latents, level));
  return most;
}

std::uint64_t banded_bytes(const AutoencoderConfig& config, const Size& latents) {
  if (config.tiny) {
    const auto rows = static_cast<std::uint64_t>(kTinyBandRows + 2 * tiny_decoder_halo(config));
    const Size band{latents.rows, std::min(rows, latents.height), latents.width, latents.element,
                    latents.maps_alive};
    return tiny_bytes(config, band) +
           2 * map_bytes(latents, config.out_channels, config.block_out_channels.size() - 1);
  }
  std::uint64_t most = 0;
  for (std::size_t level = 0; level < config.block_out_channels.size(); ++level) {
    const std::int64_t channels = config.block_out_channels.rbegin()[static_cast<std::ptrdiff_t>(level)];
    most = std::max(most, is_level_whole(config, level)
                              ? level_bytes(config, latents, level) + 2 * kBandBytes
                              : map_bytes(latents, channels, level) + kBandsAlive * kBandBytes);
  }
  return most;
}

std::uint64_t tiled_bytes(const AutoencoderConfig& config, const Size& latents) {
  const auto side = static_cast<std::uint64_t>(DecodeTiling(config).tile);
  const Size tile{latents.rows, std::min(side, latents.height), std::min(side, latents.width),
                  latents.element, latents.maps_alive};
  return whole_bytes(config, tile) +
         2 * map_bytes(latents, config.out_channels, config.block_out_channels.size() - 1);
}

}  // namespace

std::string decode_mode_name(DecodeMode mode) {
  switch (mode) {
    case DecodeMode::kWhole:
      return "whole";
    case DecodeMode::kBands:
      return "in bands";
    case DecodeMode::kTiles:
      return "in tiles";
  }
  return "";
}

std::uint64_t decode_bytes(DecodeMode mode, const AutoencoderConfig& config, at::IntArrayRef latents,
                           const at::TensorOptions& options) {
  const Size size{static_cast<std::uint64_t>(latents[0]), static_cast<std::uint64_t>(latents[2]),
                  static_cast<std::uint64_t>(latents[3]), options.dtype().itemsize(), maps_alive(options)};
  switch (mode) {
    case DecodeMode::kWhole:
      return whole_bytes(config, size);
    case DecodeMode::kBands:
      return banded_bytes(config, size);
    case DecodeMode::kTiles:
      return tiled_bytes(config, size);
  }
  return 0;
}

std::vector<DecodeMode> decode_modes(VaeTiling tiling, const AutoencoderConfig& config,
                                     at::IntArrayRef latents, const at::TensorOptions& options,
                                     std::optional<std::uint64_t> available) {
  if (tiling == VaeTiling::kOff) return {DecodeMode::kWhole};
  if (tiling == VaeTiling::kOn) return {config.tiny ? DecodeMode::kBands : DecodeMode::kTiles};
  const std::uint64_t whole = decode_bytes(DecodeMode::kWhole, config, latents, options);
  const std::uint64_t bands = decode_bytes(DecodeMode::kBands, config, latents, options);
  // Where one tile is all, bands need less, or the picture is as small as a band.
  const bool is_one_tile = std::max(latents[2], latents[3]) <= DecodeTiling(config).tile;
  const DecodeMode smallest = config.tiny || (is_one_tile && bands < whole) ? DecodeMode::kBands
                              : is_one_tile                                 ? DecodeMode::kWhole
                                                                            : DecodeMode::kTiles;
  std::vector<DecodeMode> modes;
  if (whole <= std::min(kMaxBytesWhole, available.value_or(kMaxBytesWhole)))
    modes.push_back(DecodeMode::kWhole);
  if (smallest == DecodeMode::kTiles && bands <= available.value_or(bands) && bands < whole)
    modes.push_back(DecodeMode::kBands);
  if (modes.empty() || modes.back() != smallest) modes.push_back(smallest);
  return modes;
}

Tensor decode(DecodeMode mode, const Decoder& decoder, const Tensor& latents) {
  if (mode == DecodeMode::kWhole) return decoder(latents);
  if (const auto* const tiny = std::get_if<TinyDecoder>(&decoder.network))
    return tiny->in_bands(latents, kTinyBandRows);
  const auto& large = std::get<AutoencoderDecoder>(decoder.network);
  return mode == DecodeMode::kBands ? decode_in_bands(large, latents) : decode_in_tiles(large, latents);
}

}  // namespace sdgen
