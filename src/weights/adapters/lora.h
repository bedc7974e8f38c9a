// LoRAs merged into a model's weights while these are read, so that no layer knows of them and nothing gets
// slower.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weights/adapters/lora_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

struct LoraChange {
  std::shared_ptr<const LoraFile> file;
  std::size_t module = 0;  // of file->modules
  double scale = 1.0;
};

// What is done to the tensors of one component, by their names, in order.
using LoraChanges = std::map<std::string, std::vector<LoraChange>>;

// `source` with the changes merged, in float32. Throws Error(kInput) on reading where a change is not finite.
std::shared_ptr<const TensorSource> with_loras(std::shared_ptr<const TensorSource> source,
                                               const LoraChanges& changes);

// Adds the changes of `file` to those of the components they belong to. Returns the names of its modules that
// fit no layer, and its keys of no known form. Throws Error(kInput) as check_lora_module() does.
std::vector<std::string> match_lora(
    const std::shared_ptr<const LoraFile>& file, double scale,
    const std::map<std::string, std::shared_ptr<const TensorSource>>& components,
    std::map<std::string, LoraChanges>& changes);

}  // namespace sdgen
