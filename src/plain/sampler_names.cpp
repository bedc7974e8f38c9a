#include "plain/sampler_names.h"

#include "sdgen/request.h"

namespace sdgen {
namespace {

constexpr SamplerName kNames[] = {
    {"ddim", "DDIM"},
    {"ddpm", "DDPM"},
    {"pndm", "PLMS"},
    {"euler", "Euler"},
    {"euler-a", "Euler a"},
    {"heun", "Heun"},
    {"dpm2", "DPM2"},
    {"dpm2-a", "DPM2 a"},
    {"dpm++2m", "DPM++ 2M"},
    {"dpm++2m-sde", "DPM++ 2M SDE"},
    {"dpm++2s", "DPM++ 2S"},
    {"dpm++2s-a", "DPM++ 2S a"},
    {"unipc", "UniPC"},
    {"lms", "LMS"},
    {"deis", "DEIS"},
    {"lcm", "LCM"},
    {"tcd", "TCD"},
    {"ipndm", "iPNDM"},
    {"res-multistep", "RES multistep"},
};

}  // namespace

std::span<const SamplerName> named_samplers() {
  return kNames;
}

std::string_view sampler_title(std::string_view name) {
  for (const SamplerName& sampler : kNames)
    if (sampler.name == name) return sampler.title;
  return {};
}

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const SamplerName& sampler : kNames) names.emplace_back(sampler.name);
  return names;
}

std::vector<std::string> schedule_names() {
  return {"normal", "karras", "exponential", "beta", "lu"};
}

}  // namespace sdgen
