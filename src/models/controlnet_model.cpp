#include "models/controlnet_model.h"

#include "base/input_file.h"
#include "models/families/family.h"
#include "models/model.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"
#include "weights/original/controlnet_base.h"
#include "weights/original/original_controlnet.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// Whose UNet that is, as far as its config tells.
std::string unet_family(const UnetConfig& unet) {
  const std::int64_t width = unet.cross_attention_dim.front();
  const std::string known = unet.added_width > 0 ? "Stable Diffusion XL" : family_of_words(width);
  return concat(known.empty() ? "a UNet without addition_embed_type" : known, " (cross_attention_dim ", width,
                ")");
}

void check_family(const std::string& file, const UnetConfig& trunk, const Model& model) {
  const bool is_same = trunk.cross_attention_dim.front() == model.unet().cross_attention_dim.front() &&
                       trunk.added_width == model.unet().added_width;
  if (!is_same)
    fail_input(file, ": key '",
               trunk.added_width == model.unet().added_width ? "cross_attention_dim" : "addition_embed_type",
               "': this ControlNet is for ", unet_family(trunk), ", but ", model.name, " is ",
               unet_family(model.unet()), "; take a ControlNet that was trained for it");
  for (const std::int64_t width : trunk.cross_attention_dim)
    if (width != trunk.cross_attention_dim.front())
      fail_input(file, ": key 'cross_attention_dim' differs between blocks, which is not supported");
}

// What it adds must have the shapes of what it is added to.
void check_shapes(const std::string& file, const ControlNetConfig& config, const Model& model) {
  const auto same = [&](const char* key, const std::vector<std::int64_t>& own,
                        const std::vector<std::int64_t>& expected) {
    if (own != expected)
      fail_input(file, ": key '", key, "': ", shape_text(own), " contradicts ", shape_text(expected),
                 " of the UNet of ", model.name);
  };
  same("block_out_channels", config.trunk.block_out_channels, model.unet().block_out_channels);
  same("layers_per_block", config.trunk.layers_per_block, model.unet().layers_per_block);
  same("downsample_padding", {config.trunk.downsample_padding}, {model.unet().downsample_padding});
  if (config.trunk.in_channels != model.vae.latent_channels)
    fail_input(file, ": in_channels ", config.trunk.in_channels, " contradicts the VAE's latent_channels ",
               model.vae.latent_channels);
  if (config.pixels_per_latent() != model.vae.pixels_per_latent())
    fail_input(file, ": key 'conditioning_embedding_out_channels': ", config.hint_channels.size(),
               " values make a latent of ", config.pixels_per_latent(), " pixels a side, but the VAE of ",
               model.name, " of ", model.vae.pixels_per_latent());
}

// What shapes do not tell is the UNet's where the ControlNet is a change of that.
void take_untold(const Json& unet, Json& config) {
  for (const char* key : {"attention_head_dim", "num_attention_heads", "norm_num_groups", "norm_eps",
                          "act_fn", "flip_sin_to_cos", "freq_shift", "downsample_padding",
                          "mid_block_scale_factor", "resnet_time_scale_shift", "addition_time_embed_dim"})
    if (const auto found = unet.find(key); found != unet.end()) config[key] = *found;
}

}  // namespace

ControlNetModel open_controlnet(const fs::path& path, const Model& model) {
  if (!is_there(path)) fail_input(path.string(), ": no such ControlNet");
  const bool has_folder = is_folder(path);
  const auto file = has_folder ? open_model_files(path, "diffusion_pytorch_model") : open_weights_file(path);
  const bool is_whole = controlnet_form(*file) == ControlNetForm::kWhole;
  const auto tensors = !is_whole    ? controlnet_over(file, model.source.weights("unet"))
                       : has_folder ? file
                                    : controlnet_tensors(file);
  Config config = has_folder ? Config::read(path / "config.json") : Config{path, controlnet_config(*tensors)};
  if (!has_folder && !is_whole) take_untold(model.source.config("unet").json, config.json);
  // One that looks at no words goes with words of any width.
  if (!has_folder && !config.has("cross_attention_dim"))
    config.json["cross_attention_dim"] = model.unet().cross_attention_dim.front();
  const fs::path canonical = fs::weakly_canonical(path);
  ControlNetModel controlnet{(has_folder ? canonical.filename() : canonical.stem()).string(),
                             ControlNetConfig::read(config), tensors};
  check_family(config.path.string(), controlnet.config.trunk, model);
  check_shapes(config.path.string(), controlnet.config, model);
  return controlnet;
}

}  // namespace sdgen
