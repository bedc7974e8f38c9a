// Files that change a model: LoRAs and new words.
#pragma once

#include <string>
#include <vector>

#include "models/model.h"
#include "sdgen/model_files.h"

namespace sdgen {

// Makes `model` read its weights with files.loras merged and files.embeddings known to its tokenizers and
// text encoders; parts of a LoRA that fit nothing are warned of. Throws Error(kInput)
// naming the file for one that fits nowhere, and key, expected and found for a part that does not fit.
void add_adapters(Model& model, const ModelFiles& files);

// ModelInfo's words for them: "name:scale", and each new word once.
std::string adapter_text(const Adapter& adapter);
std::vector<std::string> embedding_tokens(const Model& model);

}  // namespace sdgen
