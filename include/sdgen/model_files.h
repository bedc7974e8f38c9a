// What a model is put together from, and what it then says of itself.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sdgen {

// A small file that changes a model's weights: LoRA ("LoRA: Low-Rank Adaptation of Large Language Models", Hu
// et al. 2021) as diffusers, PEFT and kohya write it; LyCORIS' Hadamard and Kronecker products and whole
// differences ("Navigating Text-To-Image Customization", Yeh et al. 2023); any of them with DoRA's magnitudes
// ("DoRA: Weight-Decomposed Low-Rank Adaptation", Liu et al. 2024).
struct Adapter {
  std::filesystem::path path;  // .safetensors, .pt or .bin; a folder with pytorch_lora_weights.safetensors
  double scale = 1.0;          // of the change; may be negative
};

// A new word, by textual inversion ("An Image is Worth One Word", Gal et al. 2022): vectors that a text
// encoder looks up for it. Files of diffusers ({token: vectors}), of AUTOMATIC1111 and for Stable Diffusion
// XL (clip_l, clip_g).
struct Embedding {
  std::filesystem::path path;  // .safetensors, .pt or .bin; a folder with learned_embeds.safetensors
  std::string token{};  // what a prompt calls it; empty: the file's own name of it, else the file's name
};

// What a model is put together from.
struct ModelFiles {
  // A diffusers folder, or a single file: .safetensors, or a PyTorch pickle (.ckpt, .pt), of which nothing is
  // executed. A single file carries no tokenizer: CLIP's vocabulary must be on this machine (README).
  std::filesystem::path model;
  bool ema = false;  // of a single file, the running mean of the UNet's weights that lies beside them
  // Parts from elsewhere by component name ("vae", "unet", "text_encoder", "text_encoder_2"): a component's
  // folder, a model's folder, or a file that holds it.
  std::map<std::string, std::filesystem::path> parts{};
  // A second model that does the last steps (Stable Diffusion XL's refiner), from Request::refiner_start on.
  std::optional<std::filesystem::path> refiner{};
  // ControlNets that steer the model by pictures, each by one of Request::control_image: diffusers folders,
  // or single files under original or diffusers' names.
  std::vector<std::filesystem::path> controlnets{};
  // A CLIP that ranks pictures for Request::best_of: a folder of a transformers CLIPModel. Absent: `ranker`
  // in the model's folder, or MODEL-ranker beside it, if there is one.
  std::optional<std::filesystem::path> ranker{};
  std::vector<Adapter> loras{};         // merged in this order when weights are read; not into the refiner
  std::vector<Embedding> embeddings{};  // not for the refiner either
};

// What a model folder says of itself, and what will compute it.
struct ModelInfo {
  std::string name{};    // the folder's name
  std::string family{};  // `_class_name` of model_index.json, e.g. StableDiffusionPipeline
  int width = 0;         // native size, pixels
  int height = 0;
  std::string sampler{};        // the folder's own scheduler as a sampler name; empty if we have none like it
  double guidance_scale = 7.5;  // the folder's own defaults
  double guidance_rescale = 0.0;
  int steps = 30;
  std::string device{};                    // "cpu", "cuda:0"
  std::string dtype{};                     // "float32", "bfloat16", "float16"
  std::string quantize{};                  // "none", "int8"
  int threads = 0;                         // CPU threads that run() computes with
  std::string refiner{};                   // the refiner's name; empty: none
  bool takes_picture = false;              // it changes an init_image as the prompt says (InstructPix2Pix)
  std::vector<std::string> controlnets{};  // their names
  std::vector<std::string> loras{};        // "name:scale" of each
  std::vector<std::string> embeddings{};   // their tokens
  std::string ranker{};                    // its name; empty: none
};

}  // namespace sdgen
