#include "weights/original/original_vae.h"

#include <algorithm>
#include <array>
#include <set>

#include "weights/shapes.h"

namespace sdgen {
namespace {

constexpr std::array kVaeResnet = {LeafName{"norm1", "norm1"}, LeafName{"conv1", "conv1"},
                                   LeafName{"norm2", "norm2"}, LeafName{"conv2", "conv2"},
                                   LeafName{"nin_shortcut", "conv_shortcut"}};

constexpr std::array kAttention = {LeafName{"norm", "group_norm"}, LeafName{"q", "to_q"},
                                   LeafName{"k", "to_k"}, LeafName{"v", "to_v"},
                                   LeafName{"proj_out", "to_out.0"}};

constexpr int kMaxLevels = 16;

void add_vae_half(NameMap& names, const std::string& half) {
  names.add(half + ".conv_in", half + ".conv_in");
  names.add(half + ".conv_out", half + ".conv_out");
  names.add(half + ".norm_out", half + ".conv_norm_out");
  names.add(half + ".mid.block_1", half + ".mid_block.resnets.0", kVaeResnet);
  names.add(half + ".mid.block_2", half + ".mid_block.resnets.1", kVaeResnet);
  names.add(half + ".mid.attn_1", half + ".mid_block.attentions.0", kAttention);
}

}  // namespace

NameMap vae_names(int levels, int resnets) {
  NameMap names;
  names.add("quant_conv", "quant_conv");
  names.add("post_quant_conv", "post_quant_conv");
  add_vae_half(names, "encoder");
  add_vae_half(names, "decoder");
  for (int level = 0; level < levels; ++level) {
    const std::string in = std::to_string(level), out = std::to_string(levels - 1 - level);
    const std::string down = "encoder.down_blocks." + in, up = "decoder.up_blocks." + out;
    for (int i = 0; i < resnets; ++i) {
      const std::string number = std::to_string(i);
      names.add("encoder.down." + in + ".block." + number, down + ".resnets." + number, kVaeResnet);
      names.add("decoder.up." + in + ".block." + number, up + ".resnets." + number, kVaeResnet);
    }
    names.add("encoder.down." + in + ".downsample.conv", down + ".downsamplers.0.conv");
    names.add("decoder.up." + in + ".upsample.conv", up + ".upsamplers.0.conv");
  }
  return names;
}

int original_vae_levels(const std::vector<std::string>& keys) {
  const std::set<std::string> names(keys.begin(), keys.end());
  int levels = 0;
  while (levels < kMaxLevels &&
         (names.contains("decoder.up." + std::to_string(levels) + ".block.0.conv1.weight") ||
          names.contains("encoder.down." + std::to_string(levels) + ".block.0.conv1.weight")))
    ++levels;
  return levels;
}

int diffusers_vae_levels(const TensorSource& vae) {
  const std::string first = ".resnets.0.conv1.weight";
  return std::min(kMaxLevels, std::max(count_tensors(vae, "decoder.up_blocks.", first),
                                       count_tensors(vae, "encoder.down_blocks.", first)));
}

bool is_vae_attention_matrix(const std::string& diffusers_key) {
  const std::string attention = "mid_block.attentions.0.to_";
  return diffusers_key.find(attention) != std::string::npos && diffusers_key.ends_with(".weight");
}

Json vae_config(const TensorSource& vae) {
  const int levels = diffusers_vae_levels(vae);
  if (levels == 0) fail_input(vae.describe(), ": its autoencoder has no levels (an incomplete file?)");
  const bool has_encoder = has_tensor(vae, "encoder.conv_in.weight");
  std::vector<std::int64_t> channels;
  for (int level = 0; level < levels; ++level) {
    const std::string block = has_encoder ? "encoder.down_blocks." + std::to_string(level)
                                          : "decoder.up_blocks." + std::to_string(levels - 1 - level);
    channels.push_back(size_of(vae, block + ".resnets.0.conv1.weight", 0));
  }
  Json config;
  config["_class_name"] = "AutoencoderKL";
  config["block_out_channels"] = channels;
  config["down_block_types"] = std::vector<std::string>(channels.size(), "DownEncoderBlock2D");
  config["up_block_types"] = std::vector<std::string>(channels.size(), "UpDecoderBlock2D");
  config["in_channels"] = has_encoder ? size_of(vae, "encoder.conv_in.weight", 1) : 3;
  config["out_channels"] =
      has_tensor(vae, "decoder.conv_out.weight") ? size_of(vae, "decoder.conv_out.weight", 0) : 3;
  config["latent_channels"] = has_tensor(vae, "decoder.conv_in.weight")
                                  ? size_of(vae, "decoder.conv_in.weight", 1)
                                  : size_of(vae, "encoder.conv_out.weight", 0) / 2;
  config["layers_per_block"] = has_encoder
                                   ? count_tensors(vae, "encoder.down_blocks.0.resnets.", ".conv1.weight")
                                   : count_tensors(vae, "decoder.up_blocks.0.resnets.", ".conv1.weight") - 1;
  for (const std::string name : {"quant_conv", "post_quant_conv"})
    if (!has_tensor(vae, name + ".weight") && (has_encoder || name == "post_quant_conv"))
      config["use_" + name] = false;
  return config;
}

}  // namespace sdgen
