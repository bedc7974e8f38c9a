// The names of samplers, apart from what computes: --help and pictures' metadata have them without libtorch.
#pragma once

#include <span>
#include <string_view>

namespace sdgen {

struct SamplerName {
  std::string_view name;   // "ddim", as Request::sampler takes it
  std::string_view title;  // "DDIM", as other programs' metadata call it
};

// In the order shown to users; the rows of diffusion/samplers/table.cpp are in the same order.
std::span<const SamplerName> named_samplers();

// The title of a name; empty for an unknown one.
std::string_view sampler_title(std::string_view name);

}  // namespace sdgen
