#include <algorithm>

#include "sdgen/printable.h"
#include "weights/original/original_unet.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

// SD 1 has 8 heads everywhere; those that project with matrices (SD 2, SDXL) have heads of this width.
constexpr std::int64_t kHeads = 8, kHeadWidth = 64;
constexpr std::int64_t kTimeEmbedding = 256;  // SDXL's sizes and crops, each

const std::string kWords = ".attn2.to_k.weight";

// The transformers of one level: how many layers each has; 0 where it is missing.
std::vector<int> transformer_depths(const TensorSource& unet, const std::string& block, int attentions) {
  std::vector<int> depths;
  for (int i = 0; i < attentions; ++i)
    depths.push_back(count_tensors(unet, block + ".attentions." + std::to_string(i) + ".transformer_blocks.",
                                   ".norm1.weight"));
  return depths;
}

bool attends(const std::vector<int>& depths) {
  return std::any_of(depths.begin(), depths.end(), [](int depth) { return depth > 0; });
}

// A number where all are alike, else a list.
template <typename T>
Json brief(const std::vector<T>& values) {
  const bool alike =
      std::all_of(values.begin(), values.end(), [&](const T& value) { return value == values[0]; });
  return alike && !values.empty() ? Json(values[0]) : Json(values);
}

struct Depths {
  std::vector<std::vector<int>> down, up;
  int mid = 0;
};

Depths read_depths(const TensorSource& unet, const UnetLayout& layout) {
  Depths depths;
  for (std::size_t i = 0; i < layout.down.size(); ++i)
    depths.down.push_back(transformer_depths(unet, "down_blocks." + std::to_string(i), layout.down[i]));
  for (std::size_t i = 0; i < layout.up.size(); ++i)
    depths.up.push_back(transformer_depths(unet, "up_blocks." + std::to_string(i), layout.up[i]));
  depths.mid = transformer_depths(unet, "mid_block", 1)[0];
  return depths;
}

// A level's depths as diffusers writes them. It takes the middle's from the innermost level, whether that
// attends or not.
std::vector<Json> written_depths(const std::vector<std::vector<int>>& levels) {
  std::vector<Json> written;
  for (const auto& level : levels) written.push_back(attends(level) ? brief(level) : Json(1));
  return written;
}

void add_transformers(const Depths& depths, Json& config) {
  std::vector<Json> down = written_depths(depths.down), up = written_depths(depths.up);
  if (!attends(depths.down.back()) && depths.mid > 0) down.back() = depths.mid;
  if (!attends(depths.up.front()) && depths.mid > 0) up.front() = depths.mid;
  std::vector<Json> attending = {down.back()};
  for (std::size_t i = 0; i < down.size(); ++i)
    if (attends(depths.down[i])) attending.push_back(down[i]);
  const bool is_mirrored = std::equal(down.rbegin(), down.rend(), up.begin(), up.end());
  if (is_mirrored && brief(attending).is_number()) {
    config["transformer_layers_per_block"] = attending[0];
    return;
  }
  config["transformer_layers_per_block"] = down;
  if (!is_mirrored ||
      std::any_of(down.begin(), down.end(), [](const Json& level) { return level.is_array(); }))
    config["reverse_transformer_layers_per_block"] = up;
}

void add_down_blocks(const TensorSource& unet, const UnetLayout& layout, Json& config) {
  std::vector<std::int64_t> channels;
  for (std::size_t i = 0; i < layout.down.size(); ++i)
    channels.push_back(size_of(unet, "down_blocks." + std::to_string(i) + ".resnets.0.conv1.weight", 0));
  config["block_out_channels"] = channels;
  config["layers_per_block"] = brief(layout.down);
}

// "2, 2, 2, 2"
std::string counts_text(const std::vector<int>& counts) {
  std::vector<std::string> texts;
  for (const int count : counts) texts.push_back(std::to_string(count));
  return printable(join(texts), 60);
}

void check_up_blocks(const TensorSource& unet, const UnetLayout& layout) {
  std::vector<int> up(layout.up.rbegin(), layout.up.rend());
  for (int& layers : up) --layers;
  if (up != layout.down)
    fail_input(unet.describe(), ": a UNet with ", counts_text(layout.down),
               " resnets a level on the way down and ", counts_text(layout.up),
               " on the way up is not one that we know (one more there)");
}

void add_block_types(const TensorSource& unet, const Depths& depths, Json& config) {
  for (const auto& level : depths.down)
    config["down_block_types"].push_back(attends(level) ? "CrossAttnDownBlock2D" : "DownBlock2D");
  for (const auto& level : depths.up)
    config["up_block_types"].push_back(attends(level) ? "CrossAttnUpBlock2D" : "UpBlock2D");
  config["mid_block_type"] = depths.mid > 0 ? Json("UNetMidBlock2DCrossAttn")
                             : has_tensor(unet, "mid_block.resnets.0.norm1.weight") ? Json("UNetMidBlock2D")
                                                                                    : Json();
}

// How attention projects and how many heads it has, by the first attention whose name begins with
// `attention`.
void add_heads(const TensorSource& unet, const std::string& attention, Json& config) {
  const TensorInfo* const projection = unet.find(attention + ".proj_in.weight");
  const bool is_linear = projection && projection->shape.size() == 2;
  config["use_linear_projection"] = is_linear;
  if (!is_linear) {
    config["attention_head_dim"] = kHeads;
    return;
  }
  std::vector<std::int64_t> heads;  // diffusers' name for their number is attention_head_dim
  for (const Json& channels : config["block_out_channels"])
    heads.push_back(std::max<std::int64_t>(1, channels.get<std::int64_t>() / kHeadWidth));
  config["attention_head_dim"] = heads;
}

// The first attention that looks at words decides for all. False: there is none.
bool add_attention(const TensorSource& unet, Json& config) {
  const auto keys = unet.keys();
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const std::string& key) { return key.ends_with(kWords); });
  if (found == keys.end()) return false;
  config["cross_attention_dim"] = size_of(unet, *found, 1);
  add_heads(unet, found->substr(0, found->find(".transformer_blocks.")), config);
  return true;
}

void add_label(const TensorSource& unet, Json& config) {
  if (has_tensor(unet, "add_embedding.linear_1.weight")) {
    config["addition_embed_type"] = "text_time";
    config["addition_time_embed_dim"] = kTimeEmbedding;
    config["projection_class_embeddings_input_dim"] = size_of(unet, "add_embedding.linear_1.weight", 1);
  } else if (has_tensor(unet, "class_embedding.linear_1.weight")) {
    config["class_embed_type"] = "projection";
    config["projection_class_embeddings_input_dim"] = size_of(unet, "class_embedding.linear_1.weight", 1);
  }
}

}  // namespace

Json unet_config(const TensorSource& unet) {
  const UnetLayout layout = diffusers_unet_layout(unet);
  if (layout.down.empty() || layout.up.size() != layout.down.size())
    fail_input(unet.describe(), ": its UNet has ", layout.down.size(), " levels on the way down and ",
               layout.up.size(), " on the way up (an incomplete file?)");
  Json config;
  config["_class_name"] = "UNet2DConditionModel";
  config["in_channels"] = size_of(unet, "conv_in.weight", 1);
  config["out_channels"] = size_of(unet, "conv_out.weight", 0);
  add_down_blocks(unet, layout, config);
  check_up_blocks(unet, layout);
  const Depths depths = read_depths(unet, layout);
  add_block_types(unet, depths, config);
  add_transformers(depths, config);
  if (!add_attention(unet, config))
    fail_input(unet.describe(), ": a UNet that looks at no words (no tensor '...", kWords, "')");
  add_label(unet, config);
  return config;
}

Json trunk_config(const TensorSource& trunk) {
  const UnetLayout layout = diffusers_unet_layout(trunk);
  if (layout.down.empty()) fail_input(trunk.describe(), ": its way down has no levels (an incomplete file?)");
  Json config;
  config["in_channels"] = size_of(trunk, "conv_in.weight", 1);
  add_down_blocks(trunk, layout, config);
  const Depths depths = read_depths(trunk, layout);
  // SDXL's smaller ControlNets have attentions of no transformer block at all
  std::vector<Json> down;
  std::string attention;
  for (std::size_t i = 0; i < layout.down.size(); ++i) {
    const std::string place = "down_blocks." + std::to_string(i) + ".attentions.0";
    const bool has_attention = has_tensor(trunk, place + ".norm.weight");
    if (has_attention) attention = place;
    config["down_block_types"].push_back(has_attention ? "CrossAttnDownBlock2D" : "DownBlock2D");
    down.push_back(has_attention ? brief(depths.down[i]) : Json(1));
  }
  const bool is_mid_attending = has_tensor(trunk, "mid_block.attentions.0.norm.weight");
  if (is_mid_attending && config["down_block_types"].back() == "DownBlock2D") down.back() = depths.mid;
  config["mid_block_type"] = is_mid_attending ? Json("UNetMidBlock2DCrossAttn") : Json("UNetMidBlock2D");
  if (!has_tensor(trunk, "mid_block.resnets.0.norm1.weight")) config["mid_block_type"] = Json();
  config["transformer_layers_per_block"] = brief(down);
  if (attention.empty() && is_mid_attending) attention = "mid_block.attentions.0";
  if (!add_attention(trunk, config)) add_heads(trunk, attention, config);
  add_label(trunk, config);
  return config;
}

}  // namespace sdgen
