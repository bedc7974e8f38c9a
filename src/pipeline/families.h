// The one table of model families: what a pipeline class is made of and what it does to its parts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "diffusion/schedule.h"
#include "diffusion/unet.h"

namespace sdgen {

struct Family {
  std::string pipeline_class;                                   // `_class_name` of model_index.json
  std::vector<std::pair<std::string, std::string>> components;  // (name, class) that we compute with
  std::vector<std::string> ignored;                             // components that do not change the picture
  void (*adjust)(SchedulerConfig&, UnetConfig&);  // what the pipeline does to its parts' configs
};

// Throws Error(kInput) naming `file` and the known families.
const Family& find_family(const std::string& pipeline_class, const std::string& file);

}  // namespace sdgen
