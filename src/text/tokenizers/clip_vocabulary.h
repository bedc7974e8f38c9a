// CLIP's vocabulary, which single-file checkpoints do not carry. scripts/clip_vocabulary fetches it.
#pragma once

#include <filesystem>
#include <vector>

namespace sdgen {

// The folder that holds CLIP's vocab.json and merges.txt: the environment's SDGEN_CLIP_VOCABULARY, else
// ${XDG_DATA_HOME:-~/.local/share}/sd-gen/clip-tokenizer, else clip-tokenizer in one of `search_path`. Throws
// Error(kInput) in one line that says what is missing and which command fetches it.
std::filesystem::path find_clip_vocabulary(const std::vector<std::filesystem::path>& search_path = {});

}  // namespace sdgen
