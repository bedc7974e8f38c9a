#include "weights/original/tiny_vae.h"

#include <algorithm>

#include "weights/shapes.h"

namespace sdgen {
namespace {

constexpr int kMaxLayers = 200;

bool is_original_decoder(const TensorSource& source) {
  return has_tensor(source, "1.weight") && has_tensor(source, "3.conv.0.weight");
}

bool is_original_encoder(const TensorSource& source) {
  return has_tensor(source, "0.weight") && has_tensor(source, "1.conv.0.weight");
}

// "3.conv.0.weight" -> "HALF.layers.N.conv.0.weight" with N = 3 - `before`
std::string numbered_name(const std::string& key, const std::string& half, int before) {
  const std::size_t dot = key.find('.');
  if (dot == 0 || dot == std::string::npos || dot > 3 || key.find_first_not_of("0123456789") != dot)
    return key;
  const int index = std::stoi(key.substr(0, dot)) - before;
  return index < 0 ? key : concat(half, ".layers.", index, key.substr(dot));
}

// The number of blocks on each level: a convolution without a bias leads to the next level, one with a bias
// ends the half.
std::vector<std::int64_t> blocks_of(const TensorSource& vae, const std::string& half, int first) {
  std::vector<std::int64_t> blocks = {0};
  for (int i = first; i < kMaxLayers; ++i) {
    const std::string layer = concat(half, ".layers.", i);
    if (has_tensor(vae, layer + ".conv.0.weight"))
      ++blocks.back();
    else if (has_tensor(vae, layer + ".bias"))
      break;
    else if (has_tensor(vae, layer + ".weight"))
      blocks.push_back(0);
  }
  return blocks;
}

void add_tiny_half(const TensorSource& vae, const std::string& half, int first, Json& config) {
  const std::vector<std::int64_t> blocks = blocks_of(vae, half, first);
  config["num_" + half + "_blocks"] = blocks;
  config[half + "_block_out_channels"] =
      std::vector<std::int64_t>(blocks.size(), size_of(vae, half + ".layers.0.weight", 0));
}

}  // namespace

bool is_tiny_vae(const TensorSource& source) {
  return is_original_decoder(source) || is_original_encoder(source) ||
         has_tensor(source, "decoder.layers.2.conv.0.weight") ||
         has_tensor(source, "encoder.layers.1.conv.0.weight");
}

std::shared_ptr<const TensorSource> tiny_vae_tensors(const std::shared_ptr<const TensorSource>& source) {
  // The original decoder's first layer, a clamp, has a number of its own.
  if (is_original_decoder(*source))
    return rename_keys(source, [](const std::string& key) { return numbered_name(key, "decoder", 1); });
  if (is_original_encoder(*source))
    return rename_keys(source, [](const std::string& key) { return numbered_name(key, "encoder", 0); });
  return source;
}

Json tiny_vae_config(const TensorSource& vae) {
  if (!has_tensor(vae, "decoder.layers.0.weight"))
    fail_input(vae.describe(),
               ": holds a tiny encoder only; name the decoder's file or the folder of an AutoencoderTiny");
  Json config;
  config["_class_name"] = "AutoencoderTiny";
  config["latent_channels"] = size_of(vae, "decoder.layers.0.weight", 1);
  config["scaling_factor"] = 1.0;
  add_tiny_half(vae, "decoder", 2, config);
  if (has_tensor(vae, "encoder.layers.0.weight"))
    add_tiny_half(vae, "encoder", 1, config);
  else  // of no consequence, but as many levels
    config["num_encoder_blocks"] = config["num_decoder_blocks"];
  return config;
}

}  // namespace sdgen
