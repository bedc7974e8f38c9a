// What a picture's metadata tell of how it was drawn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sdgen/model_files.h"
#include "sdgen/request.h"

namespace sdgen {

// The A1111-style text that viewers show, for a PNG's `parameters` chunk or EXIF's UserComment: prompt,
// `Negative prompt: ...`, then `Steps: 30, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 512x512, Model:
// ...`. `request` must be complete; `seed` is the picture's own.
std::string parameters_text(const Request& request, std::uint64_t seed, const ModelInfo& model);

// What parameters_text(), or a program that writes the same form, tells of a picture.
struct PictureParameters {
  Request request;            // without attend, focus and edit_from; a sampler we do not have is left open
  std::string model;          // empty where it is not told
  std::string dtype;          // "float32" where it is not told
  std::string quantize;       // "none" where it is not told
  bool steered = false;       // by attend, focus or edit_from
  std::string loras{};        // "name:scale, name:scale"; empty: none
  std::string embeddings{};   // their tokens; empty: none
  std::string refiner{};      // its name; empty: none
  std::string controlnets{};  // "name;name"; empty: none
};

// Nothing if `text` is not of that form.
std::optional<PictureParameters> read_parameters(const std::string& text);

// Whether programs write parameters_text() under this keyword of a picture's text (sdgen/image.h): PNGs say
// "parameters", other files have it as EXIF's UserComment or, GIFs, as their comment.
constexpr bool may_hold_parameters(std::string_view keyword) {
  return keyword == "parameters" || keyword == "UserComment" || keyword == "comment";
}

}  // namespace sdgen
