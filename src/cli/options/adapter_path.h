// --lora FILE[:SCALE] and --embedding FILE[:TOKEN].
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sdgen/generator.h"

namespace sdgen::cli {

// What is behind the last colon is the scale if it is a number, the token if it is not empty, unless the
// whole text is a file that exists. A name without a slash that is no file here is looked for in `folders`
// (those of models) and in their folders loras/ or embeddings/, with and without .safetensors, .pt, .bin.
// Throws Error(kInput) naming the folders looked in, Error(kRequest) for a scale that is no finite number.
Adapter read_lora_flag(const std::string& text, const std::vector<std::filesystem::path>& folders);
Embedding read_embedding_flag(const std::string& text, const std::vector<std::filesystem::path>& folders);

}  // namespace sdgen::cli
