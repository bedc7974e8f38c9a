// The one table of model families: what a pipeline class is made of and what it does to its parts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "diffusion/networks/unet.h"
#include "diffusion/schedule.h"
#include "text/conditioner.h"

namespace sdgen {

// A text encoder of a family. Where the folder left out one that is `optional`, the others speak alone.
struct FamilyText {
  std::string encoder;     // component name, "text_encoder_2"
  std::string class_name;  // "CLIPTextModelWithProjection"
  std::string tokenizer;   // component name, "tokenizer_2"
  bool optional = false;
};

struct Family {
  std::string pipeline_class;  // `_class_name` of model_index.json
  std::vector<FamilyText> texts;
  TextStatesUsed text_states = TextStatesUsed::kLast;
  double guidance_scale = 7.5;  // the pipeline's defaults, where the model has none of its own
  int steps = 30;
  void (*adjust)(SchedulerConfig&, UnetConfig&) = nullptr;  // what the pipeline does to its parts' configs
};

// Components that no family computes with: they do not change the picture.
const std::vector<std::string>& ignored_components();

// Throws Error(kInput) naming `file` and the known families.
const Family& find_family(const std::string& pipeline_class, const std::string& file);

}  // namespace sdgen
