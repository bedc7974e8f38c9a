// CLIP's text encoders as single files hold them: transformers' names below a prefix, or OpenCLIP's, whose
// query, key and value are one matrix.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "weights/edited_source.h"
#include "weights/tensor_source.h"

namespace sdgen {

enum class TextNames { kTransformers, kOpenClip };

// Names of transformers 5's CLIPTextModel, or CLIPTextModelWithProjection (`with_projection`), for the
// tensors of `source` below `prefix`; what neither model has is left out. OpenCLIP's last layer is left out
// where there are 24: Stable Diffusion 2 takes the one before.
std::map<std::string, EditedTensor> text_tensors(const TensorSource& source, const std::string& prefix,
                                                 TextNames names, bool with_projection);

// The other way round: OpenCLIP's names below `prefix` for a text encoder in transformers' names.
std::map<std::string, EditedTensor> open_clip_tensors(const TensorSource& text, const std::string& prefix);

// What transformers' config.json of these tensors says, from their shapes; `text` has transformers' names.
// Throws Error(kInput) naming file and key.
Json text_config(const TensorSource& text, TextNames trained_as);

}  // namespace sdgen
