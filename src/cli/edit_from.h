// --edit-from: a changed prompt with the layout of a picture drawn before.
#pragma once

#include "cli/request_fields.h"
#include "sdgen/generator.h"

namespace sdgen::cli {

// Reads job.edit_picture, where there is one: its prompt becomes Request::edit_from, and whatever the job
// leaves open (seed, steps, sampler, guidance, size, negative prompt) becomes what it was drawn with. Throws
// Error(kInput) for a picture that is missing or tells no parameters. Returns what was read.
std::optional<PictureParameters> take_from_picture(Job& job);

// What keeps the earlier picture from being drawn as it was, for people; empty if nothing.
std::string edit_warning(const std::string& picture, const PictureParameters& earlier,
                         const ModelInfo& model);

}  // namespace sdgen::cli
