#include "decode/tiny_autoencoder.h"

#include "weights/model_files.h"
#include "weights/weights_file.h"

namespace sdgen {
namespace {

constexpr std::int64_t kMostLevels = 8;

std::string layer_name(std::size_t index) {
  return "decoder.layers." + std::to_string(index);
}

// Where the last convolution stands: behind the first and its activation, the blocks, and two layers for each
// doubling.
std::size_t last_layer(const TinyAutoencoderConfig& config) {
  std::size_t index = 2 + 2 * (config.blocks.size() - 1);
  for (const std::int64_t blocks : config.blocks) index += static_cast<std::size_t>(blocks);
  return index;
}

// The original code has a clamp before the first layer, so its numbers are one higher.
std::string diffusers_name(const std::string& key) {
  const std::size_t dot = key.find('.');
  if (dot == std::string::npos || key.find_first_not_of("0123456789") != dot || dot > 3) return key;
  const int index = std::stoi(key.substr(0, dot));
  return index < 1 ? key : layer_name(static_cast<std::size_t>(index - 1)) + key.substr(dot);
}

bool is_original(const TensorSource& source) {
  return source.find("1.weight") && source.find("3.conv.0.weight");
}

// A file says its sizes by its shapes: TAESD's own numbers of blocks, whatever the channels.
TinyAutoencoderConfig config_of(const TensorSource& source) {
  const TensorInfo* const first = source.find(layer_name(0) + ".weight");
  if (!first || first->shape.size() != 4)
    fail_input(source.describe(), ": tensor '", layer_name(0), ".weight' is missing or no convolution");
  TinyAutoencoderConfig config;
  config.latent_channels = first->shape[1];
  config.block_out_channels.assign(config.blocks.size(), first->shape[0]);
  return config;
}

}  // namespace

TinyAutoencoderConfig TinyAutoencoderConfig::read(const Config& config) {
  using Numbers = std::vector<std::int64_t>;
  const std::string file = config.path.string();
  TinyAutoencoderConfig tiny;
  tiny.latent_channels = config.value("latent_channels", tiny.latent_channels);
  tiny.out_channels = config.value("out_channels", tiny.out_channels);
  tiny.block_out_channels = config.value<Numbers>("decoder_block_out_channels", tiny.block_out_channels);
  tiny.blocks = config.value<Numbers>("num_decoder_blocks", tiny.blocks);
  tiny.activation = activation_from_name(config.value<std::string>("act_fn", "relu"), file);
  tiny.scaling_factor = config.value("scaling_factor", tiny.scaling_factor);
  const auto levels = static_cast<std::int64_t>(tiny.blocks.size());
  if (levels < 1 || levels > kMostLevels || tiny.block_out_channels.size() != tiny.blocks.size())
    fail_input(file, ": num_decoder_blocks has ", levels, " levels, decoder_block_out_channels ",
               tiny.block_out_channels.size(), "; expected as many, 1 to ", kMostLevels);
  for (const std::int64_t channels : tiny.block_out_channels)
    if (channels < 1 || channels != tiny.block_out_channels.front())
      fail_input(file, ": decoder_block_out_channels: expected the same number for every level");
  for (const std::int64_t blocks : tiny.blocks)
    if (blocks < 0 || blocks > 100)
      fail_input(file, ": num_decoder_blocks: ", blocks, " is no sensible number");
  if (config.value<std::string>("upsample_fn", "nearest") != "nearest" ||
      config.value<std::int64_t>("upsampling_scaling_factor", 2) != 2)
    fail_input(file, ": only nearest upsampling by 2 is known");
  return tiny;
}

TinyDecoder::TinyDecoder(const Weights& weights, const TinyAutoencoderConfig& config)
    : config_(config),
      conv_in_(weights.at(layer_name(0)), config.latent_channels, config.block_out_channels.front(), {}),
      conv_out_(weights.at(layer_name(last_layer(config))), config.block_out_channels.back(),
                config.out_channels, {}) {
  const std::int64_t channels = config.block_out_channels.front();
  std::size_t index = 2;
  for (std::size_t level = 0; level < config.blocks.size(); ++level) {
    for (std::int64_t i = 0; i < config.blocks[level]; ++i, ++index) {
      const Weights block = weights.at(layer_name(index)).at("conv");
      const auto conv = [&](int place) { return Conv2d(block.at(place), channels, channels, {}); };
      steps_.emplace_back(Block{{conv(0), conv(2), conv(4)}});
    }
    if (level + 1 == config.blocks.size()) break;
    steps_.emplace_back(
        Upsampling{weights.at(layer_name(index + 1)).tensor("weight", {channels, channels, 3, 3})});
    index += 2;
  }
}

Tensor TinyDecoder::operator()(const Tensor& latents) const {
  Tensor x = activate(config_.activation, conv_in_(at::tanh(latents / 3) * 3));
  for (const Step& step : steps_) {
    if (const auto* const up = std::get_if<Upsampling>(&step)) {
      const Tensor large = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
      x = at::conv2d(large, up->weight, {}, 1, 1);
      continue;
    }
    const auto& convs = std::get<Block>(step).convs;
    Tensor y = activate(config_.activation, convs[0](x));
    y = activate(config_.activation, convs[1](y));
    x = at::relu(x + convs[2](y));
  }
  return conv_out_(x) * 2 - 1;  // the network's pixels are 0 to 1
}

bool is_tiny_autoencoder(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    if (!std::filesystem::exists(path / "config.json")) return false;
    return Config::read(path / "config.json").value<std::string>("_class_name", "") == "AutoencoderTiny";
  }
  const auto source = open_weights_file(path);
  return is_original(*source) || source->find(layer_name(2) + ".conv.0.weight");
}

TinyAutoencoderFiles open_tiny_autoencoder(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path))
    return {TinyAutoencoderConfig::read(Config::read(path / "config.json")),
            open_model_files(path, "diffusion_pytorch_model")};
  auto source = open_weights_file(path);
  if (is_original(*source)) source = rename_keys(source, diffusers_name);
  return {config_of(*source), source};
}

}  // namespace sdgen
