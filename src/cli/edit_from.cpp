#include "cli/edit_from.h"

#include <algorithm>

namespace sdgen::cli {
namespace {

template <typename T>
void take(std::optional<T>& own, const std::optional<T>& earlier) {
  if (!own) own = earlier;
}

}  // namespace

std::optional<PictureParameters> take_from_picture(Job& job) {
  if (job.edit_picture.empty()) return std::nullopt;
  const PngText texts = read_png_text(job.edit_picture);
  const auto found =
      std::find_if(texts.begin(), texts.end(), [](const auto& text) { return text.first == "parameters"; });
  std::optional<PictureParameters> earlier;
  if (found != texts.end()) earlier = read_parameters(found->second);
  if (!earlier)
    throw Error(ErrorKind::kInput,
                job.edit_picture +
                    ": tells no prompt and seed (a PNG's parameters text, as sd-gen writes it); "
                    "edit a picture that sd-gen drew");
  const Request& request = earlier->request;
  job.edit_from = request.prompt;
  take(job.seed, request.seed);
  take(job.steps, request.steps);
  take(job.sampler, request.sampler);
  take(job.guidance_scale, request.guidance_scale);
  take(job.width, request.width);
  take(job.height, request.height);
  if (job.negative_prompt.empty()) job.negative_prompt = request.negative_prompt;
  if (job.eta == 0.0 && (!job.sampler || *job.sampler == "ddim")) job.eta = request.eta;
  return earlier;
}

std::string edit_warning(const std::string& picture, const PictureParameters& earlier,
                         const ModelInfo& model) {
  if (!earlier.model.empty() && earlier.model != model.name)
    return picture + " was drawn by model " + earlier.model + ", this is " + model.name +
           ": its layout cannot be kept";
  if (earlier.steered)
    return picture +
           " was steered by attend, focus or edit-from, which are not repeated: its layout may differ";
  if (earlier.dtype != model.dtype || earlier.quantize != model.quantize)
    return picture + " was drawn in " + earlier.dtype +
           (earlier.quantize == "none" ? "" : " and " + earlier.quantize) + ", this run in " + model.dtype +
           ": its layout may differ a little";
  return "";
}

}  // namespace sdgen::cli
