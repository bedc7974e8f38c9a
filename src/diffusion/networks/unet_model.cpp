// What a UNet's config tells before any weight is read.
#include <algorithm>

#include "diffusion/networks/unet.h"

namespace sdgen {
namespace {

// Maps of a residual block that are alive at once, and of a transformer block: its feed-forward is eight
// times as wide, and halved while both are there.
constexpr std::int64_t kResnetMaps = 5, kTransformerMaps = 18;

}  // namespace

std::uint64_t unet_work_bytes(const UnetConfig& config, const NetworkSize& size,
                              std::uint64_t element_bytes) {
  std::int64_t kept = 0, most = 0;  // numbers
  std::int64_t height = size.height, width = size.width;
  for (std::size_t level = 0; level < config.block_out_channels.size(); ++level) {
    const std::int64_t map = size.rows * config.block_out_channels[level] * height * width;
    kept += map * (config.layers_per_block[level] + 1);
    // on the way up the first residual block sees what comes from below and beside it
    const bool attends = has_attention(config.down_block_types[level]);
    most = std::max(most, map * (attends ? kTransformerMaps : 2 * kResnetMaps));
    height = (height + 1) / 2;
    width = (width + 1) / 2;
  }
  return static_cast<std::uint64_t>(kept + most) * element_bytes;
}

std::unique_ptr<const Network> UnetModel::build(const Weights& weights, Residency residency) const {
  return std::make_unique<const Unet>(weights, config_, residency);
}

std::string UnetModel::streamed_layer(const std::string& key) const {
  for (const std::string list : {".resnets.", ".transformer_blocks."})
    if (const std::size_t at = key.find(list); at != std::string::npos)
      return key.substr(0, key.find('.', at + list.size()));
  return "";
}

std::uint64_t UnetModel::work_bytes(const NetworkSize& size, std::uint64_t element_bytes) const {
  const std::int64_t heads = config_.heads.empty() ? 1 : config_.heads.front();
  return unet_work_bytes(config_, size, element_bytes) +
         static_cast<std::uint64_t>(size.attended * heads) * sizeof(float);
}

}  // namespace sdgen
