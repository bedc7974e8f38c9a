// Which files of a diffusers folder hold a component's weights, and older names of tensors.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "weights/tensor_source.h"

namespace sdgen {

// Opens the weights of `folder` whose files begin with `stem` ("diffusion_pytorch_model", "model"), those
// that diffusers takes where it is told no variant: STEM.safetensors (or its shards by
// STEM.safetensors.index.json, which come first with diffusers' stem and last with transformers'), else
// PyTorch's own .bin files (pickle_file.h). Where diffusers would ask for a variant: the fp16, bf16 or
// another one of that kind. Throws Error(kInput) listing what was looked for.
std::shared_ptr<const TensorSource> open_model_files(const std::filesystem::path& folder,
                                                     const std::string& stem);

// The same of a folder of CLIP's text encoder, which may hold a whole CLIPModel: its picture's half is left
// out.
std::shared_ptr<const TensorSource> open_text_files(const std::filesystem::path& folder);

// transformers 4 put CLIP's text tensors under `text_model.`; transformers 5 does not, and that is our name.
std::string current_clip_name(const std::string& key);

// Autoencoders before diffusers 0.18 named attention `query, key, value, proj_attn`; now `to_q, to_k, to_v,
// to_out.0`.
std::string current_vae_name(const std::string& key);

}  // namespace sdgen
