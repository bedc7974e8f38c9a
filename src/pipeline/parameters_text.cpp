#include <sstream>

#include "base/json_file.h"
#include "diffusion/samplers.h"
#include "sdgen/generator.h"

namespace sdgen {
namespace {

// Viewers split the last line at ", " and ": "; values that hold these are quoted as JSON.
std::string quoted(const std::string& value) {
  return value.find_first_of(",:\n") == std::string::npos ? value : Json(value).dump();
}

}  // namespace

std::string parameters_text(const Request& request, std::uint64_t seed, const ModelInfo& model) {
  std::ostringstream text;
  text << request.prompt << '\n';
  if (!request.negative_prompt.empty()) text << "Negative prompt: " << request.negative_prompt << '\n';
  text << "Steps: " << *request.steps << ", Sampler: " << find_sampler(*request.sampler).title
       << ", CFG scale: " << *request.guidance_scale << ", Seed: " << seed << ", Size: " << *request.width << 'x'
       << *request.height << ", Model: " << quoted(model.name);
  if (request.eta > 0) text << ", Eta: " << request.eta;
  text << ", Version: sd-gen " << SDGEN_VERSION;
  return text.str();
}

}  // namespace sdgen
