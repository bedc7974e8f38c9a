// Single-file checkpoints: whole models, or parts of one, under the names of the original code (CompVis,
// Stability), seen as diffusers would see them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

// Training keeps a running mean of the UNet's weights beside them.
enum class Ema { kNo, kYes };

struct Checkpoint {
  std::string file;
  // diffusers' class for the UNet (families/): one that is drawn with, or one that is only told apart. Empty:
  // no UNet.
  std::string pipeline_class;
  // "unet" or "transformer", "vae", "text_encoder", "text_encoder_2", as far as the file holds them, in
  // diffusers' and transformers 5's names (text_encoder_2: with `text_model.` in front, and
  // text_projection.weight).
  std::map<std::string, std::shared_ptr<const TensorSource>> components;
  // What diffusers would have written as each component's config.json, and as "scheduler" and "model_index"
  // where there is a UNet. From names, shapes and markers (v_pred, ztsnr, modelspec), never from the file's
  // name. A VAE without a UNet has no scaling_factor: that belongs to the UNet whose latents it decodes.
  std::map<std::string, Json> configs;
  // What a VAE's tensors do not tell: the native size, and the scale of the latents that the UNet makes.
  Json latents = Json::object();
  std::vector<std::string> missing;  // components that pipeline_class needs and the file lacks
  std::vector<std::string> unused;   // tensors that belong to no component
  bool has_ema = false;
};

// Throws Error(kInput) naming file, key and remedy: not a checkpoint, a component that is incomplete,
// Ema::kYes for a file without.
Checkpoint read_checkpoint(const std::shared_ptr<const TensorSource>& source, Ema ema = Ema::kNo);

// The same of a file, .safetensors or .ckpt (open_weights_file).
Checkpoint open_checkpoint(const std::filesystem::path& path, Ema ema = Ema::kNo);

// Throws Error(kInput) "FILE: holds no vae; ..." if a component is missing.
void require_whole(const Checkpoint& checkpoint);

}  // namespace sdgen
