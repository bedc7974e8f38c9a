// A file of LoRAs, sorted by the layers that they change: which tensors belong together, and what each is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weights/tensor_source.h"

namespace sdgen {

enum class LoraPart {
  kDown,  // [rank, in, ...]: A of LoRA
  kUp,    // [out, rank]: B
  kMid,   // [rank, rank, kh, kw]: the kernel between them (CP decomposition)
  kAlpha,
  kMagnitude,  // DoRA's, one number an output
  kDoraScale,  // the same by LyCORIS, or one number an input
  kHada1A,     // LoHa: (1A 1B) times (2A 2B), element by element
  kHada1B,
  kHada2A,
  kHada2B,
  kHadaT1,
  kHadaT2,
  kLokr1,  // LoKr: the Kronecker product of 1 and 2, each whole or A B
  kLokr1A,
  kLokr1B,
  kLokr2,
  kLokr2A,
  kLokr2B,
  kLokrT2,
  kDiff,  // the whole difference
  kDiffBias,
};

// A layer as a LoRA file names it.
struct LoraPlace {
  std::string component;  // "unet", "text_encoder", "text_encoder_2"
  std::string layer;      // its name there, words joined by underscores, without `text_model`
};

struct LoraModule {
  std::string name;  // in the file, without the endings of its parts
  LoraPlace place;
  std::map<LoraPart, std::string> keys;
  std::optional<double> alpha;   // none: the rank
  bool alpha_over_root = false;  // alpha / sqrt(rank) rather than alpha / rank (rsLoRA)
};

struct LoraFile {
  std::string path;  // for messages
  std::shared_ptr<const TensorSource> tensors;
  std::vector<LoraModule> modules;   // by name
  std::vector<std::string> unknown;  // keys of no form that is known here
};

// Opens a file, or the one that `path`, a folder, holds under diffusers' or PEFT's name. Throws Error(kInput)
// naming file and key: no such file, damaged, no LoRA in it, an alpha that is no finite number.
LoraFile open_lora(const std::filesystem::path& path);

}  // namespace sdgen
