// What a model, a checkpoint, an adapter or a picture is, from its headers alone: no tensor is read but
// single numbers (a LoRA's alpha).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sdgen {

// A part of a model: "unet", "vae", "text_encoder", ...
struct InspectedComponent {
  std::string name;
  std::string class_name;                         // diffusers' or transformers'; empty where it is not told
  std::size_t tensors = 0;                        // how many
  std::uint64_t parameters = 0;                   // numbers in them
  std::uint64_t bytes = 0;                        // as stored
  std::map<std::string, std::uint64_t> dtypes{};  // "float32" -> numbers stored so

  // What the part takes in memory with so many bytes a number: 4 float32, 2 bfloat16 and float16.
  std::uint64_t memory_bytes(int bytes_each) const {
    return parameters * static_cast<std::uint64_t>(bytes_each);
  }
};

struct Inspection {
  std::string path;
  // "model", "checkpoint", "unet", "vae", "tiny vae", "text encoder", "lora", "embedding", "controlnet",
  // "t2i-adapter", "ip-adapter", "picture", "other model", "unknown".
  std::string kind;
  std::string
      format;  // "diffusers folder", "safetensors", "pytorch", "png", "jpeg", "webp", "avif", "gif", "bmp"
  // The pipeline class of a model, or what an adapter is for: "Stable Diffusion 1.x", "Stable Diffusion 2.x",
  // "Stable Diffusion XL", "Stable Diffusion XL refiner". Empty where nothing tells.
  std::string family;
  std::uint64_t bytes = 0;  // on disk
  std::vector<InspectedComponent> components{};
  // What else there is to know, in the order to show it: ("rank", "16"), ("prompt", "a cat"), ...
  std::vector<std::pair<std::string, std::string>> facts{};
  // Of a checkpoint: the config.json of each component as diffusers would have written it, JSON texts.
  std::map<std::string, std::string> configs{};
  std::vector<std::string> missing{};             // components that the model needs and the file lacks
  std::vector<std::string> unused{};              // tensors that belong to no component
  std::map<std::string, std::string> metadata{};  // what the file says of itself
};

// Throws Error(kInput) naming the file: missing, damaged, or of no kind that can be opened.
Inspection inspect(const std::filesystem::path& path);

}  // namespace sdgen
