#include "weights/original/markers.h"

#include <algorithm>
#include <cctype>

#include "weights/shapes.h"

namespace sdgen {
namespace {

constexpr std::int64_t kFirstSd2BaseStep = 875000;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string text_at(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : lower(found->second);
}

std::int64_t global_step(const TensorSource& source, const Metadata& metadata) {
  if (const TensorInfo* info = source.find("global_step"); info && info->dtype == at::kLong)
    if (const at::Tensor step = source.read("global_step"); step.numel() == 1)
      return step.item<std::int64_t>();
  const std::string text = text_at(metadata, "global_step");
  return text == std::to_string(kFirstSd2BaseStep) ? kFirstSd2BaseStep : 0;
}

std::optional<bool> v_prediction(const TensorSource& source, const Metadata& metadata,
                                 const std::string& architecture) {
  if (has_tensor(source, "v_pred") || has_tensor(source, "ztsnr")) return true;
  if (const std::string type = text_at(metadata, "modelspec.prediction_type"); !type.empty())
    return type.starts_with("v");
  if (architecture.starts_with("stable-diffusion-v2-")) return architecture.ends_with("-v");
  return std::nullopt;
}

}  // namespace

Markers markers_of(const TensorSource& source) {
  const Metadata metadata = source.metadata();
  Markers markers;
  markers.architecture = text_at(metadata, "modelspec.architecture");
  markers.v_prediction = v_prediction(source, metadata, markers.architecture);
  markers.zero_snr = has_tensor(source, "ztsnr");
  markers.edm = has_tensor(source, "edm_mean");
  markers.first_sd2_base = global_step(source, metadata) == kFirstSd2BaseStep;
  return markers;
}

bool is_marker(const std::string& key) {
  return key == "v_pred" || key == "ztsnr" || key == "edm_mean" || key == "edm_std";
}

}  // namespace sdgen
