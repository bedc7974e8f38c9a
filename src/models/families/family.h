// A family of models in one place: what tells it, what it is made of, its defaults. One file a family; the
// rows stand in table.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "weights/edited_source.h"
#include "weights/original/markers.h"

namespace sdgen {

struct Model;

// What an original single file shows.
struct OriginalFacts {
  std::int64_t words = 0;          // width of what its cross-attention looks at; 0: it looks at nothing
  std::int64_t in_channels = 4;    // of the UNet
  bool text_time = false;          // told sizes and pooled text (Stable Diffusion XL)
  bool linear_projection = false;  // of its transformers
  bool class_embedding = false;
  bool noise_level = false;  // told how noisy the picture is that it enlarges
  bool conditioner = false;  // the names of Stable Diffusion XL's own repository
  bool first_text = false;   // holds a text_encoder, not only a text_encoder_2
  Markers markers{};
};

// diffusers' configs of such a file, as far as shapes do not tell them.
struct OriginalConfigs {
  Json unet;         // the network's; comes with what shapes tell
  Json vae;          // sample_size and scaling_factor
  Json scheduler;    // scheduler_config.json
  Json model_index;  // beside the components: what the pipeline is told
};

// A text encoder of a family. Where a folder left out one that is `optional`, the others speak alone.
struct FamilyText {
  std::string encoder;     // component name, "text_encoder_2"
  std::string class_name;  // "CLIPTextModelWithProjection"
  std::string tokenizer;   // component name, "tokenizer_2"
  bool optional = false;
  std::string tokenizer_class = "CLIPTokenizer";
};

struct Family {
  std::string name;                    // "Stable Diffusion 1.x"
  std::vector<std::string> pipelines;  // diffusers' classes in model_index.json; the first is written
  std::int64_t words = 0;              // width of what its network attends to
  std::vector<FamilyText> texts{};
  std::string denoiser = "unet";  // component name
  std::string denoiser_class = "UNet2DConditionModel";
  double guidance_scale = 7.5;  // the pipeline's defaults, where the model has none of its own
  int steps = 30;

  // Fills `model` from the configs of its source and checks them against each other. Throws Error(kInput)
  // naming file and key. nullptr: known by name, but not drawn with.
  void (*open)(const Family& family, Model& model) = nullptr;

  // Single files under original names. nullptr: there are none. Those of a network that is no UNet: its
  // tensors under diffusers' names, nothing where the file holds none, and what shapes tell of it.
  std::optional<std::map<std::string, EditedTensor>> (*find_denoiser)(const TensorSource& source) = nullptr;
  Json (*denoiser_config)(const TensorSource& denoiser) = nullptr;
  // Of a UNet.
  bool (*is_original)(const OriginalFacts& facts) = nullptr;
  void (*configure)(const OriginalFacts& facts, OriginalConfigs& configs) = nullptr;
  std::vector<std::string> left_out{};  // texts that such a file does not hold
};

// All that are drawn with, and some that are only told apart.
const std::vector<Family>& families();

// The family of a folder: that of its pipeline class; of several, the one whose network attends to `words`
// numbers. A class that none has, but whose parts are those of a family (ControlNet's pipelines and the
// like), is of the plain one that they make. Throws Error(kInput) naming `index` and the known classes.
const Family& find_family(const Config& index, std::int64_t words);

// Of an original file.
const Family& family_of_original(const OriginalFacts& facts);

// The name of the plain family whose network attends to `words` numbers; empty: there is none.
std::string family_of_words(std::int64_t words);

}  // namespace sdgen
