// One component of a model from elsewhere: a folder, a model's folder, or a file under any of the names that
// such files have.
#pragma once

#include <filesystem>
#include <string>

#include "models/model_source.h"

namespace sdgen {

// A component's weights in a folder of its own, under our names.
std::shared_ptr<const TensorSource> folder_weights(const std::filesystem::path& folder,
                                                   const std::string& component);

// A component of a checkpoint under our names.
std::shared_ptr<const TensorSource> checkpoint_weights(const Checkpoint& checkpoint,
                                                       const std::string& component);

// Puts what `path` holds in the component's place. What it does not say comes from the model it becomes a
// part of: a VAE's scale belongs to the UNet whose latents it decodes, what shapes do not tell to the
// component that is replaced; and a UNet brings its prediction type. Throws Error(kInput) naming the file
// where it holds no such component.
void replace_part(ModelSource& source, const std::string& part_name, const std::filesystem::path& path);

}  // namespace sdgen
