// A model: what its configs say, checked against each other before any weight is read.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "decode/autoencoder.h"
#include "diffusion/network.h"
#include "diffusion/networks/unet_config.h"
#include "diffusion/schedule.h"
#include "models/clip_text.h"
#include "models/controlnet_model.h"
#include "models/model_source.h"
#include "models/text_model.h"
#include "text/taught.h"

namespace sdgen {

// Of a run. Training has some 1000 timesteps; more steps than that repeat them.
constexpr int kMaxSteps = 10'000;

// What the UNet sees behind the noisy latents' channels.
enum class ImageInput {
  kNone,
  kMasked,   // a mask and the picture outside it: inpainting models
  kPicture,  // the picture that is to be changed: InstructPix2Pix
};

struct Model {
  ModelSource source;
  std::string name;    // the folder's or file's name
  std::string family;  // `_class_name` of model_index.json
  std::shared_ptr<TextModel> text;
  bool zeros_for_empty_prompt = false;  // an empty negative prompt is no text at all, but zeros
  std::string denoiser;                 // the network's component, "unet"
  std::shared_ptr<const NetworkModel> network;
  ImageInput image_input = ImageInput::kNone;
  // Numbers told to the network besides the words (Stable Diffusion XL): 0, 5 (the refiner's) or 6.
  std::int64_t time_id_count = 0;
  AutoencoderConfig vae;
  SchedulerConfig scheduler;
  std::vector<ControlNetModel> controlnets;  // that steer the UNet
  // The family's, or from sdgen.json, our own file of a model's defaults, where the folder has one.
  double guidance_scale = 7.5;
  // Whether the pipeline counts guidance from the words on, pos + g (pos - neg) instead of neg + g (pos -
  // neg): then all above 0 guides, else all above 1.
  bool guidance_from_zero = false;
  double guidance_rescale = 0.0;
  int steps = 30;
  std::vector<std::string> warnings;  // what users should know of its files
  Taught taught;                      // what sdgen.json tells that it can draw

  // Of a UNet: what controlnets are compared with.
  const UnetConfig& unet() const;
  // nullptr where the words are not read by CLIP alone.
  ClipTextModel* clip_text() const { return dynamic_cast<ClipTextModel*>(text.get()); }

  // What the sides of a picture are multiples of, pixels.
  int size_multiple() const;
  // See Conditioning::guidance_scale.
  double guidance_of(double told) const { return guidance_from_zero ? 1.0 + told : told; }

  int native_width() const {
    return static_cast<int>(network->native_width() * vae.pixels_per_latent());
  }  // pixels
  int native_height() const {
    return static_cast<int>(network->native_height() * vae.pixels_per_latent());
  }  // pixels
};

// The class of a component in model_index.json: an entry ["library", "Class"]; empty for [null, null], a
// component that was left out. Throws Error(kInput) for anything else.
std::string component_class(const Config& index, const std::string& name);

// Whether the component is there; throws Error(kInput) where it is of another class than `expected`, or
// missing and not `optional`.
bool check_component(const Config& index, const std::string& name, const std::string& expected,
                     bool optional = false);

// Opens a model but for its refiner. Throws Error(kInput) naming file and key: no such folder or file, no
// model_index.json, an unknown family or component class, a missing component, a config that is damaged,
// unsupported or contradicts another.
Model read_model(const ModelFiles& files);

}  // namespace sdgen
