// Files of textual inversion: the vectors of one new word.
#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <string>
#include <vector>

namespace sdgen {

struct EmbeddingVectors {
  std::string component;  // "text_encoder", "text_encoder_2"; empty: the file does not say
  std::string key;        // of the tensor, for messages
  at::Tensor vectors;     // [n, D] float32
};

struct EmbeddingFile {
  std::string path;   // for messages
  std::string token;  // the file's own name of the word, else the file's name
  std::vector<EmbeddingVectors> parts;
};

// Reads {token: vectors} (diffusers), string_to_param (AUTOMATIC1111's .pt, and the first program's with a
// ParameterDict), emb_params (its safetensors), clip_l and clip_g or text_encoders_0 and _1 (Stable Diffusion
// XL), a tensor by itself, or learned_embeds.* where `path` is a folder. Throws Error(kInput) naming file and
// key: none of these, several words, vectors that are no [n, D] of finite numbers.
EmbeddingFile read_embedding(const std::filesystem::path& path);

}  // namespace sdgen
