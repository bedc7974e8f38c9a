// --edit-from: a changed prompt with the layout of a picture drawn before.
#pragma once

#include <string>
#include <vector>

#include "cli/options/prompt_file.h"
#include "sdgen/generator.h"

namespace sdgen::cli {

struct EarlierPicture {
  std::string path;
  PictureParameters parameters;
};

// Reads the picture that each line edits, where it does: its prompt becomes Request::edit_from, and whatever
// the line leaves open (seed, steps, sampler, guidance, size, negative prompt, eta, ...) what it was drawn
// with. Files that a picture's text names (start picture, mask, control images) are not taken:
// Error(kRequest) unless the line names its own. Returns them, each once. Throws Error(kInput) for a picture
// that is missing or tells no parameters; of a prompt file's lines it becomes one of `file.errors`.
std::vector<EarlierPicture> take_from_pictures(PromptFile& file);

// What keeps the earlier picture from being drawn as it was, for people; empty if nothing.
std::string edit_warning(const EarlierPicture& earlier, const ModelInfo& model);

}  // namespace sdgen::cli
