// Vocabularies that single files do not carry, in the user's data folder.
#pragma once

#include <filesystem>
#include <vector>

namespace sdgen {

// The folder that holds CLIP's vocab.json and merges.txt: the environment's SDGEN_CLIP_VOCABULARY, else
// ${XDG_DATA_HOME:-~/.local/share}/sd-gen/clip-tokenizer, else clip-tokenizer in one of `search_path`.
// scripts/clip_vocabulary fetches it. Throws Error(kInput) in one line that says what is missing and which
// command fetches it.
std::filesystem::path find_clip_vocabulary(const std::vector<std::filesystem::path>& search_path = {});

// The folder that holds Qwen3's tokenizer.json, or its vocab.json and merges.txt: SDGEN_QWEN_TOKENIZER, else
// qwen-tokenizer where CLIP's is. Throws likewise.
std::filesystem::path find_qwen_tokenizer();

}  // namespace sdgen
