#include "decode/autoencoder_config.h"

#include "base/config_range.h"

namespace sdgen {
namespace {

constexpr std::size_t kMaxTinyLevels = 8;
constexpr std::size_t kMaxLevels = 16;
constexpr Range kTinyBlocks{0, 100};
constexpr Range kLayers{1, 64};          // of a block
constexpr Range kChannels{1, 1024};      // of pictures and latents
constexpr Range kSampleSizes{1, 65536};  // pixels a side

// A number, or [height, width]; diffusers' tiles take the height.
std::int64_t read_sample_size(const Config& config) {
  const bool is_pair = config.has("sample_size") && config.json.at("sample_size").is_array();
  if (!is_pair) return whole_number(config, "sample_size", kSampleSizes, 32);
  const std::vector<std::int64_t> sizes = whole_numbers(config, "sample_size", kSampleSizes);
  if (sizes.empty()) fail_input(config.path.string(), ": key 'sample_size' has no values");
  return sizes.front();
}

// Only the plain convolutional blocks of AutoencoderKL are known.
void check_block_types(const Config& config, const std::string& key, const std::string& known,
                       std::size_t blocks) {
  const auto types = config.value<std::vector<std::string>>(key, std::vector<std::string>(blocks, known));
  if (types.size() != blocks)
    fail_input(config.path.string(), ": key '", key, "' has ", types.size(), " values for ", blocks,
               " block_out_channels");
  for (const std::string& type : types)
    if (type != known)
      fail_input(config.path.string(), ": key '", key, "': ", unknown_name("block type", type, {known}));
}

void check_scaling(const Config& config, const AutoencoderConfig& vae) {
  const std::string file = config.path.string();
  if (!(vae.scaling_factor > 0)) fail_input(file, ": scaling_factor must be positive");
  if (vae.latents_mean.empty() && vae.latents_std.empty()) return;
  const auto channels = static_cast<std::size_t>(vae.latent_channels);
  if (vae.latents_mean.size() != channels || vae.latents_std.size() != channels)
    fail_input(file, ": latents_mean and latents_std must have ", channels, " values, one a latent channel");
  for (const double deviation : vae.latents_std)
    if (!(deviation > 0)) fail_input(file, ": latents_std must be positive");
}

// The blocks of each level of one half, whose levels are all as wide.
std::vector<std::int64_t> read_tiny_blocks(const Config& config, const std::string& half,
                                           std::vector<std::int64_t> blocks, std::int64_t& width) {
  using Numbers = std::vector<std::int64_t>;
  const std::string file = config.path.string(), key = "num_" + half + "_blocks",
                    widths_key = half + "_block_out_channels";
  if (config.has(key)) blocks = whole_numbers(config, key, kTinyBlocks);
  const Numbers widths =
      config.has(widths_key) ? whole_numbers(config, widths_key, kWidths) : Numbers(blocks.size(), width);
  if (blocks.empty() || blocks.size() > kMaxTinyLevels || widths.size() != blocks.size())
    fail_input(file, ": ", key, " has ", blocks.size(), " levels, ", widths_key, " ", widths.size(),
               "; expected as many, 1 to ", kMaxTinyLevels);
  for (const std::int64_t channels : widths)
    if (channels != widths.front())
      fail_input(file, ": ", widths_key, ": expected the same number for every level");
  width = widths.front();
  return blocks;
}

AutoencoderConfig read_tiny(const Config& config) {
  AutoencoderConfig vae;
  TinyLayers layers;
  layers.encoder_blocks = read_tiny_blocks(config, "encoder", {1, 3, 3, 3}, layers.encoder_width);
  layers.decoder_blocks = read_tiny_blocks(config, "decoder", {3, 3, 3, 1}, layers.decoder_width);
  if (layers.encoder_blocks.size() != layers.decoder_blocks.size())
    fail_input(config.path.string(), ": num_encoder_blocks and num_decoder_blocks differ in levels");
  vae.in_channels = whole_number(config, "in_channels", kChannels, 3);
  vae.latent_channels = whole_number(config, "latent_channels", kChannels, 4);
  vae.block_out_channels.assign(layers.decoder_blocks.size(), layers.decoder_width);
  vae.activation = activation_from_name(config.value<std::string>("act_fn", "relu"), config.path.string());
  vae.scaling_factor = config.value("scaling_factor", 1.0);
  if (config.value<std::string>("upsample_fn", "nearest") != "nearest" ||
      config.value<std::int64_t>("upsampling_scaling_factor", 2) != 2)
    fail_input(config.path.string(), ": only nearest upsampling by 2 is known");
  if (config.value<std::int64_t>("out_channels", 3) != 3 || vae.in_channels != 3)
    fail_input(config.path.string(), ": only RGB (3 in_channels and out_channels) is supported");
  check_scaling(config, vae);
  vae.tiny = layers;
  return vae;
}

// [1, C, 1, 1] on the device of `like`
Tensor of_channels(const std::vector<double>& numbers, const Tensor& like) {
  return at::tensor(numbers, at::kFloat).view({1, -1, 1, 1}).to(like.options());
}

}  // namespace

AutoencoderConfig AutoencoderConfig::read(const Config& config) {
  AutoencoderConfig vae;
  if (config.value<std::string>("_class_name", "") == "AutoencoderTiny") return read_tiny(config);
  vae.in_channels = whole_number(config, "in_channels", kChannels, 3);
  vae.out_channels = whole_number(config, "out_channels", kChannels, 3);
  vae.latent_channels = whole_number(config, "latent_channels", kChannels, 4);
  vae.block_out_channels = whole_numbers(config, "block_out_channels", kWidths);
  vae.layers_per_block = whole_number(config, "layers_per_block", kLayers, 1);
  vae.groups = whole_number(config, "norm_num_groups", kWidths, 32);
  vae.activation = activation_from_name(config.value<std::string>("act_fn", "silu"), config.path.string());
  vae.scaling_factor = config.value("scaling_factor", 0.18215);
  vae.shift_factor = config.value("shift_factor", 0.0);
  vae.use_quant_conv = config.value("use_quant_conv", true);
  vae.use_post_quant_conv = config.value("use_post_quant_conv", true);
  vae.mid_block_add_attention = config.value("mid_block_add_attention", true);
  vae.sample_size = read_sample_size(config);
  vae.latents_mean = config.value<std::vector<double>>("latents_mean", {});
  vae.latents_std = config.value<std::vector<double>>("latents_std", {});
  const std::size_t blocks = vae.block_out_channels.size();
  if (blocks == 0 || blocks > kMaxLevels)
    fail_input(config.path.string(), ": block_out_channels must have 1 to ", kMaxLevels, " values");
  check_block_types(config, "down_block_types", "DownEncoderBlock2D", blocks);
  check_block_types(config, "up_block_types", "UpDecoderBlock2D", blocks);
  for (const std::int64_t channels : vae.block_out_channels)
    if (channels % vae.groups != 0)
      fail_input(config.path.string(), ": block_out_channels ", channels,
                 " does not divide into norm_num_groups ", vae.groups);
  if (vae.out_channels != 3)
    fail_input(config.path.string(), ": out_channels ", vae.out_channels, "; only RGB (3) is supported");
  check_scaling(config, vae);
  return vae;
}

Tensor AutoencoderConfig::to_vae(const Tensor& latents) const {
  if (latents_mean.empty())
    return shift_factor == 0.0 ? latents / scaling_factor : latents / scaling_factor + shift_factor;
  return latents * of_channels(latents_std, latents) / scaling_factor + of_channels(latents_mean, latents);
}

Tensor AutoencoderConfig::from_vae(const Tensor& z) const {
  if (latents_mean.empty())
    return shift_factor == 0.0 ? z * scaling_factor : (z - shift_factor) * scaling_factor;
  return (z - of_channels(latents_mean, z)) * scaling_factor / of_channels(latents_std, z);
}

}  // namespace sdgen
