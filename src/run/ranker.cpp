#include "run/ranker.h"

#include <algorithm>
#include <cmath>

#include "base/config_range.h"
#include "base/input_file.h"
#include "image/pixels.h"
#include "nn/streamed.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBicubic = 3;  // Pillow's number
constexpr Range kSizes{1, 4096};      // pixels a side

// {"shortest_edge": 224}, {"height": 224, "width": 224}, or 224
std::int64_t size_of(const Config& config, const std::string& key, const std::string& part,
                     std::int64_t fallback) {
  if (!config.has(key)) return fallback;
  const Json& value = config.json.at(key);
  const Config inner{config.path, value.is_object() ? value : Json{{part, value}}};
  const std::int64_t size = whole_number(inner, part, kSizes);
  if (inner.has("width") && inner.at<std::int64_t>("width") != size)
    fail_input(config.path.string(), ": key '", key, "' is not square");
  return size;
}

std::vector<double> numbers_of(const Config& config, const std::string& key,
                               const std::vector<double>& fallback) {
  const auto numbers = config.value(key, fallback);
  if (numbers.size() != 3) fail_input(config.path.string(), ": key '", key, "' must have 3 values");
  return numbers;
}

Config part_of(const Config& config, const std::string& key) {
  if (!config.has(key) || !config.json.at(key).is_object())
    fail_input(config.path.string(), ": key '", key,
               "' is missing; a CLIP of two towers (CLIPModel) is needed");
  return {config.path, config.json.at(key)};
}

// transformers 5 may write it as a part of processor_config.json.
Config preprocessor_of(const fs::path& folder) {
  const fs::path own = folder / "preprocessor_config.json", shared = folder / "processor_config.json";
  if (is_there(own) || !is_there(shared)) return Config::read(own);
  const Config config = Config::read(shared);
  if (!config.has("image_processor") || !config.json.at("image_processor").is_object())
    fail_input(shared.string(), ": key 'image_processor' is missing");
  return {shared, config.json.at("image_processor")};
}

Image cut_from_middle(const Image& image, int width, int height) {
  const int left = (image.width - width) / 2, top = (image.height - height) / 2;
  Image cut{width, height, {}};
  for (int y = 0; y < height; ++y) {
    const auto row = image.rgb.begin() + 3 * (std::ptrdiff_t{top + y} * image.width + left);
    cut.rgb.insert(cut.rgb.end(), row, row + 3 * std::ptrdiff_t{width});
  }
  return cut;
}

}  // namespace

ClipPreprocessing ClipPreprocessing::read(const Config& config) {
  ClipPreprocessing clip;
  clip.shortest_edge = size_of(config, "size", "shortest_edge", clip.shortest_edge);
  clip.crop = size_of(config, "crop_size", "height", clip.crop);
  clip.mean = numbers_of(config, "image_mean", clip.mean);
  clip.deviation = numbers_of(config, "image_std", clip.deviation);
  for (const double deviation : clip.deviation)
    if (!(deviation > 0)) fail_input(config.path.string(), ": key 'image_std' must be positive");
  for (const char* const key : {"do_resize", "do_center_crop", "do_rescale", "do_normalize"})
    if (!config.value(key, true))
      fail_input(config.path.string(), ": key '", key, "' is false, which is not supported");
  if (config.value("resample", kBicubic) != kBicubic)
    fail_input(config.path.string(), ": key 'resample' must be ", kBicubic, " (bicubic)");
  if (clip.crop > clip.shortest_edge)
    fail_input(config.path.string(), ": crop_size ", clip.crop, " is more than size ", clip.shortest_edge);
  return clip;
}

Ranker::Ranker(const fs::path& folder, const at::Device& device) : compute_{device, at::kFloat} {
  if (!is_folder(folder)) fail_input(folder.string(), ": no such folder; a CLIP model's was expected");
  const Config config = Config::read(folder / "config.json");
  name_ = fs::weakly_canonical(folder).filename().string();
  text_config_ = ClipTextConfig::read(part_of(config, "text_config"));
  text_config_.projection_dim = whole_number(config, "projection_dim", kWidths, 512);
  image_config_ = ClipImageConfig::read(part_of(config, "vision_config"), text_config_.projection_dim);
  const Config preprocessor = preprocessor_of(folder);
  preprocessing_ = ClipPreprocessing::read(preprocessor);
  if (preprocessing_.crop != image_config_.image_size)
    fail_input(preprocessor.path.string(), ": crop_size ", preprocessing_.crop, " contradicts image_size ",
               image_config_.image_size, " of config.json");
  source_ = open_model_files(folder, "model");
  tokenizer_ = open_tokenizer(folder);
  if (tokenizer_->model_max_length() > text_config_.max_position_embeddings)
    fail_input(folder.string(), ": the tokenizer's model_max_length ", tokenizer_->model_max_length(),
               " is more than max_position_embeddings ", text_config_.max_position_embeddings);
  const Weights text = text_weights(Weights::Mode::kCheckOnly), image = weights(Weights::Mode::kCheckOnly);
  ClipTextEncoder(text, text_config_);
  text.require_all_used({"vision_model.", "visual_projection.", "logit_scale", "embeddings.position_ids"});
  ClipImageEncoder(image, image_config_);
  image.require_all_used(
      {"text_model.", "text_projection.", "logit_scale", "vision_model.embeddings.position_ids"});
}

Weights Ranker::weights(Weights::Mode mode) const {
  return {source_, compute_, mode};
}

Weights Ranker::text_weights(Weights::Mode mode) const {
  return {rename_keys(source_, current_clip_name), compute_, mode};
}

std::uint64_t Ranker::bytes() const {
  return kept_bytes(shapes_below(*source_), compute_);
}

Tensor Ranker::pixels_of(const Image& image) const {
  const auto edge = static_cast<int>(preprocessing_.shortest_edge),
             crop = static_cast<int>(preprocessing_.crop);
  const bool is_wide = image.width > image.height;
  const int longer = static_cast<int>(std::int64_t{edge} * std::max(image.width, image.height) /
                                      std::min(image.width, image.height));
  const Image resized =
      resize(image, is_wide ? longer : edge, is_wide ? edge : longer, ResizeFilter::kBicubic);
  const Tensor pixels = unit_pixels_from_image(cut_from_middle(resized, crop, crop));
  const auto of_channels = [](const std::vector<double>& numbers) {
    return at::tensor(numbers, at::kFloat).view({1, 3, 1, 1});
  };
  return (pixels - of_channels(preprocessing_.mean)) / of_channels(preprocessing_.deviation);
}

void Ranker::load() {
  text_.emplace(text_weights(Weights::Mode::kRead), text_config_);
  image_.emplace(weights(Weights::Mode::kRead), image_config_);
}

double Ranker::score(const std::string& text, const Image& image) {
  const auto normalized = [](const Tensor& x) {
    const Tensor on_cpu = x.to(at::kCPU, at::kDouble);
    return on_cpu / on_cpu.norm(2, {1}, /*keepdim=*/true);
  };
  if (!words_.defined() || words_of_ != text) {
    const Tensor ids = at::tensor(tokenizer_->encode(text).ids, at::kLong).unsqueeze(0);
    words_ = normalized(text_->pooled(ids, (*text_)(ids)));
    words_of_ = text;
  }
  const Tensor seen = normalized((*image_)(pixels_of(image).to(compute_.device)));
  const double score = 100.0 * (words_ * seen).sum().item<double>();
  if (!std::isfinite(score))
    fail_working("the score of a picture by ", name_, " is not finite; its weights are unusable");
  return score;
}

void Ranker::release() {
  text_.reset();
  image_.reset();
  words_.reset();
  release_freed_memory();
}

}  // namespace sdgen
