#include <array>
#include <charconv>
#include <sstream>

#include "base/json_file.h"
#include "diffusion/samplers.h"
#include "sdgen/generator.h"

namespace sdgen {
namespace {

// The shortest text that reads back as the same number: a picture can be repeated from it.
std::string exact(double number) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

// Viewers split the last line at ", " and ": "; values that hold these are quoted as JSON.
std::string quoted(const std::string& value) {
  return value.find_first_of(",:\n") == std::string::npos
             ? value
             : Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string parameters_text(const Request& request, std::uint64_t seed, const ModelInfo& model) {
  std::ostringstream text;
  text << request.prompt << '\n';
  if (!request.negative_prompt.empty()) text << "Negative prompt: " << request.negative_prompt << '\n';
  text << "Steps: " << *request.steps << ", Sampler: " << find_sampler(*request.sampler).title
       << ", CFG scale: " << exact(*request.guidance_scale) << ", Seed: " << seed
       << ", Size: " << *request.width << 'x' << *request.height << ", Model: " << quoted(model.name);
  if (request.eta > 0) text << ", Eta: " << exact(request.eta);
  // The same seed gives another picture with them.
  if (model.dtype != "float32") text << ", Dtype: " << model.dtype;
  if (model.quantize != "none") text << ", Quantize: " << model.quantize;
  text << ", Version: sd-gen " << SDGEN_VERSION;
  return text.str();
}

}  // namespace sdgen
