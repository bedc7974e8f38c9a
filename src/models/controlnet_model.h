// ControlNets beside a model: opened and checked against it before any weight is read.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/networks/controlnet.h"
#include "weights/tensor_source.h"

namespace sdgen {

struct Model;

struct ControlNetModel {
  std::string name;  // the folder's or file's name
  ControlNetConfig config;
  std::shared_ptr<const TensorSource> weights;
};

// A diffusers ControlNetModel folder: config.json and diffusion_pytorch_model.safetensors (or its shards,
// fp16 or bf16 variant); or a file of its weights under original or diffusers' names, whose shapes tell its
// config. Throws Error(kInput) naming file and key where it is missing, damaged, not
// supported, or was trained for another UNet than `model`'s.
ControlNetModel open_controlnet(const std::filesystem::path& path, const Model& model);

}  // namespace sdgen
