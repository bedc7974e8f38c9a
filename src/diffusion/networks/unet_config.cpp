#include <algorithm>
#include <cstdio>

#include "base/config_range.h"
#include "diffusion/networks/unet_config.h"

namespace sdgen {
namespace {

constexpr Range kLatents{1, 2048};   // a side
constexpr Range kChannels{1, 1024};  // of latents
constexpr std::size_t kMaxBlocks = 16;
constexpr Range kLayers{1, 64};  // of a block
constexpr std::int64_t kMaxTransformerLayers = 256;
constexpr Range kKernels{1, 31};
constexpr Range kPadding{0, 1};

// A key that is one value for all blocks or a list with one a block.
std::vector<std::int64_t> per_block(const Config& config, const std::string& key, std::size_t blocks,
                                    Range range, std::int64_t fallback) {
  if (!config.has(key) || !config.json.at(key).is_array())
    return std::vector<std::int64_t>(blocks, whole_number(config, key, range, fallback));
  const std::vector<std::int64_t> values = whole_numbers(config, key, range);
  if (values.size() != blocks)
    fail_input(config.path.string(), ": key '", key, "' has ", values.size(), " values for ", blocks,
               " blocks");
  return values;
}

template <typename T>
std::vector<T> per_block(const Config& config, const std::string& key, std::size_t blocks,
                         const T& fallback) {
  if (!config.has(key)) return std::vector<T>(blocks, fallback);
  if (!config.json.at(key).is_array()) return std::vector<T>(blocks, config.at<T>(key));
  const auto values = config.at<std::vector<T>>(key);
  if (values.size() != blocks)
    fail_input(config.path.string(), ": key '", key, "' has ", values.size(), " values for ", blocks,
               " blocks");
  return values;
}

void refuse_unsupported_unet(const Config& config) {
  for (const std::string key :
       {"class_embed_type", "encoder_hid_dim", "encoder_hid_dim_type", "num_class_embeds",
        "timestep_post_act", "time_embedding_act_fn", "time_embedding_dim", "num_attention_heads"})
    if (config.has(key))
      fail_input(config.path.string(), ": key '", key, "' is ", shown(config.json.at(key)),
                 "; only the UNets of Stable Diffusion 1, 2 and XL are supported (null there)");
  for (const std::string key : {"dual_cross_attention", "class_embeddings_concat", "resnet_skip_time_act"})
    if (config.value(key, false))
      fail_input(config.path.string(), ": key '", key, "' is true, which is not supported");
  if (const auto type = config.value<std::string>("time_embedding_type", "positional"); type != "positional")
    fail_input(config.path.string(), ": time_embedding_type '", type, "' is not supported (positional is)");
  if (const auto type = config.value<std::string>("attention_type", "default"); type != "default")
    fail_input(config.path.string(), ": attention_type '", type, "' is not supported (default is)");
}

void check_block_types(const Config& config, const std::string& key, const std::vector<std::string>& types,
                       std::size_t blocks, const std::vector<std::string>& known) {
  if (types.size() != blocks)
    fail_input(config.path.string(), ": key '", key, "' has ", types.size(), " values for ", blocks,
               " block_out_channels");
  for (const std::string& type : types)
    if (std::find(known.begin(), known.end(), type) == known.end())
      fail_input(config.path.string(), ": key '", key, "': ", unknown_name("block type", type, known));
}

void check_divisions(const Config& config, const UnetConfig& unet) {
  for (std::size_t i = 0; i < unet.block_out_channels.size(); ++i) {
    const std::int64_t channels = unet.block_out_channels[i];
    if (channels % unet.groups != 0)
      fail_input(config.path.string(), ": block_out_channels ", channels,
                 " does not divide into norm_num_groups ", unet.groups);
    if (channels % unet.heads[i] != 0)
      fail_input(config.path.string(), ": block_out_channels ", channels, " does not divide into ",
                 unet.heads[i], " heads (attention_head_dim)");
  }
}

void read_sample_size(const Config& config, UnetConfig& unet) {
  if (!config.has("sample_size")) return;
  if (config.json.at("sample_size").is_array()) {
    const std::vector<std::int64_t> size = whole_numbers(config, "sample_size", kLatents);
    if (size.size() != 2)
      fail_input(config.path.string(), ": sample_size must be a number or [height, width]");
    unet.sample_height = size[0];
    unet.sample_width = size[1];
  } else {
    unet.sample_height = unet.sample_width = whole_number(config, "sample_size", kLatents);
  }
}

bool is_older_than_0_9(const Config& config) {
  int major = 0, minor = 0;
  const auto version = config.value<std::string>("_diffusers_version", "");
  return std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2 && major == 0 && minor < 9;
}

void read_block_types(const Config& config, bool has_way_up, UnetConfig& unet) {
  const std::size_t blocks = unet.block_out_channels.size();
  if (blocks == 0 || blocks > kMaxBlocks)
    fail_input(config.path.string(), ": block_out_channels must have 1 to ", kMaxBlocks, " values");
  unet.down_block_types = config.at<std::vector<std::string>>("down_block_types");
  check_block_types(config, "down_block_types", unet.down_block_types, blocks,
                    {"CrossAttnDownBlock2D", "DownBlock2D"});
  if (!has_way_up) return;
  unet.up_block_types = config.at<std::vector<std::string>>("up_block_types");
  check_block_types(config, "up_block_types", unet.up_block_types, blocks,
                    {"CrossAttnUpBlock2D", "UpBlock2D"});
}

void read_mid_block(const Config& config, UnetConfig& unet) {
  const std::vector<std::pair<std::string, UnetConfig::MidBlock>> known = {
      {"UNetMidBlock2DCrossAttn", UnetConfig::MidBlock::kCrossAttention},
      {"UNetMidBlock2D", UnetConfig::MidBlock::kResnet}};
  if (config.json.contains("mid_block_type") && config.json.at("mid_block_type").is_null()) {
    unet.mid_block = UnetConfig::MidBlock::kNone;
    return;
  }
  const auto type = config.value<std::string>("mid_block_type", known.front().first);
  for (const auto& [name, mid_block] : known) {
    unet.mid_block = mid_block;
    if (name == type) return;
  }
  fail_input(config.path.string(), ": ",
             unknown_name("mid_block_type", type, {known[0].first, known[1].first}));
}

// One block's entry of transformer_layers_per_block: a number for all its layers, or one a layer.
std::vector<std::int64_t> transformer_layers(const Config& config, const std::string& key, const Json& entry,
                                             std::int64_t layers) {
  std::vector<std::int64_t> depths(static_cast<std::size_t>(layers), 1);
  try {
    if (entry.is_array())
      depths = entry.get<std::vector<std::int64_t>>();
    else if (entry.is_number_integer())
      depths.assign(static_cast<std::size_t>(layers), entry.get<std::int64_t>());
    else
      depths.clear();
  } catch (const Json::exception&) {
    depths.clear();
  }
  const auto usable = [](std::int64_t depth) { return depth >= 0 && depth <= kMaxTransformerLayers; };
  if (static_cast<std::int64_t>(depths.size()) < layers || !std::all_of(depths.begin(), depths.end(), usable))
    fail_input(config.path.string(), ": key '", key, "': ", shown(entry), " is neither a depth nor ", layers,
               " of them");
  return depths;
}

// The entry of each block, in the config's order.
std::vector<Json> entries_per_block(const Config& config, const std::string& key, std::size_t blocks) {
  if (!config.has(key)) return std::vector<Json>(blocks, Json(1));
  const Json& value = config.json.at(key);
  if (!value.is_array()) return std::vector<Json>(blocks, value);
  if (value.size() != blocks)
    fail_input(config.path.string(), ": key '", key, "' has ", value.size(), " values for ", blocks,
               " blocks");
  return value.get<std::vector<Json>>();
}

void read_transformer_layers(const Config& config, bool has_way_up, UnetConfig& unet) {
  const std::string key = "transformer_layers_per_block";
  const std::string up_key = "reverse_transformer_layers_per_block";
  const std::size_t blocks = unet.block_out_channels.size();
  const std::vector<Json> down = entries_per_block(config, key, blocks);
  for (std::size_t i = 0; i < blocks; ++i)
    unet.down_transformer_layers.push_back(
        transformer_layers(config, key, down[i], unet.layers_per_block[i]));
  unet.mid_transformer_layers = unet.down_transformer_layers.back().front();
  if (!has_way_up) return;
  std::vector<Json> up(down.rbegin(), down.rend());
  if (config.has(up_key)) {
    up = entries_per_block(config, up_key, blocks);
  } else if (std::any_of(down.begin(), down.end(), [](const Json& entry) { return entry.is_array(); })) {
    fail_input(config.path.string(), ": key '", up_key, "' is missing; a list a block in ", key,
               " needs one for the way up");
  }
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::int64_t up_layers = unet.layers_per_block[blocks - 1 - i] + 1;
    unet.up_transformer_layers.push_back(
        transformer_layers(config, config.has(up_key) ? up_key : key, up[i], up_layers));
  }
}

// What the network is told besides words and timestep.
void read_conditions(const Config& config, UnetConfig& unet) {
  if (config.has("addition_embed_type")) {
    if (const auto type = config.at<std::string>("addition_embed_type"); type != "text_time")
      fail_input(config.path.string(), ": addition_embed_type '", type, "' is not supported (text_time is)");
    unet.added_width = whole_number(config, "projection_class_embeddings_input_dim", kWidths);
    unet.addition_time_embed_dim = whole_number(config, "addition_time_embed_dim", kWidths, 256);
    if (unet.added_width < unet.addition_time_embed_dim)
      fail_input(config.path.string(), ": projection_class_embeddings_input_dim ", unet.added_width,
                 " and addition_time_embed_dim ", unet.addition_time_embed_dim, " do not fit together");
  }
  unet.time_cond_proj_dim = whole_number(config, "time_cond_proj_dim", {0, kWidths.most}, 0);
  if (unet.time_cond_proj_dim != 0)
    require_range(config, "time_cond_proj_dim", unet.time_cond_proj_dim, {4, kWidths.most});
}

std::int64_t kernel_size(const Config& config, const std::string& key) {
  const std::int64_t size = whole_number(config, key, kKernels, 3);
  if (size % 2 == 0)
    fail_input(config.path.string(), ": key '", key, "' is ", size, "; expected an odd number");
  return size;
}

UnetConfig read_config(const Config& config, bool has_way_up) {
  refuse_unsupported_unet(config);
  UnetConfig unet;
  read_sample_size(config, unet);
  unet.older_than_0_9 = is_older_than_0_9(config);
  unet.in_channels = whole_number(config, "in_channels", kChannels, 4);
  unet.out_channels = whole_number(config, "out_channels", kChannels, 4);
  unet.block_out_channels = whole_numbers(config, "block_out_channels", kWidths);
  read_block_types(config, has_way_up, unet);
  const std::size_t blocks = unet.block_out_channels.size();
  unet.layers_per_block = per_block(config, "layers_per_block", blocks, kLayers, 2);
  unet.heads = per_block(config, "attention_head_dim", blocks, kHeads, 8);
  unet.cross_attention_dim = per_block(config, "cross_attention_dim", blocks, kWidths, 1280);
  unet.only_cross_attention = per_block<bool>(config, "only_cross_attention", blocks, false);
  unet.groups = whole_number(config, "norm_num_groups", kWidths, 32);
  unet.norm_eps = config.value("norm_eps", 1e-5);
  unet.activation = activation_from_name(config.value<std::string>("act_fn", "silu"), config.path.string());
  unet.linear_projection = config.value("use_linear_projection", false);
  unet.flip_sin_to_cos = config.value("flip_sin_to_cos", true);
  unet.freq_shift = config.value("freq_shift", 0.0);
  const auto scale_shift = config.value<std::string>("resnet_time_scale_shift", "default");
  if (scale_shift != "default" && scale_shift != "scale_shift")
    fail_input(config.path.string(), ": resnet_time_scale_shift '", scale_shift,
               "' is not supported (default and scale_shift are)");
  unet.scale_shift = scale_shift == "scale_shift";
  unet.downsample_padding = whole_number(config, "downsample_padding", kPadding, 1);
  unet.mid_block_scale_factor = config.value("mid_block_scale_factor", 1.0);
  unet.center_input_sample = config.value("center_input_sample", false);
  unet.conv_in_kernel = kernel_size(config, "conv_in_kernel");
  unet.conv_out_kernel = kernel_size(config, "conv_out_kernel");
  check_divisions(config, unet);
  read_mid_block(config, unet);
  read_transformer_layers(config, has_way_up, unet);
  read_conditions(config, unet);
  return unet;
}

}  // namespace

UnetConfig UnetConfig::read(const Config& config) {
  return read_config(config, true);
}

UnetConfig UnetConfig::read_trunk(const Config& config) {
  return read_config(config, false);
}

}  // namespace sdgen
