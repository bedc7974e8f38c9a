// A diffusers folder: what its configs say, checked against each other before any weight is read.
#pragma once

#include <filesystem>
#include <string>

#include "decode/autoencoder_kl.h"
#include "diffusion/schedule.h"
#include "diffusion/unet.h"
#include "text/clip_text_encoder.h"

namespace sdgen {

struct ModelFolder {
  std::filesystem::path path;
  std::string name;    // the folder's name
  std::string family;  // `_class_name` of model_index.json
  ClipTextConfig text;
  UnetConfig unet;
  AutoencoderConfig vae;
  SchedulerConfig scheduler;
  // From sdgen.json, our own file of a model's defaults, where the folder has one.
  double guidance_scale = 7.5;
  int steps = 30;

  int native_width() const {
    return static_cast<int>(unet.sample_width * vae.pixels_per_latent());
  }  // pixels
  int native_height() const {
    return static_cast<int>(unet.sample_height * vae.pixels_per_latent());
  }  // pixels
};

// Throws Error(kInput) naming file and key: no such folder, no model_index.json, an unknown family or
// component class, a missing component, a config that is damaged, unsupported or contradicts another.
ModelFolder read_model_folder(const std::filesystem::path& path);

}  // namespace sdgen
