// Names that other programs have for the same things: samplers as AUTOMATIC1111, ComfyUI and diffusers spell
// them, flags as stable-diffusion.cpp's and diffusers' users type them.
#pragma once

#include <optional>
#include <string>

namespace sdgen::cli {

struct NamedSampler {
  std::string sampler;   // as --sampler knows it
  std::string schedule;  // what the name says beside it, "DPM++ 2M Karras"; empty: nothing
};

// Of any spelling: case, spaces, dashes and underscores do not matter. Nothing: not known.
std::optional<NamedSampler> sampler_of_name(const std::string& name);

// "float32" for "fp32" and "f32", "cuda" for "gpu", ...; other names as they are.
std::string dtype_of_name(const std::string& name);
std::string device_of_name(const std::string& name);

// What sd-gen calls a flag of another program, "here it is --steps"; empty: no other name of a flag.
std::string flag_hint(const std::string& flag);

}  // namespace sdgen::cli
