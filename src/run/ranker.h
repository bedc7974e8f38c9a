// Pictures ranked by how well they fit their prompt, by a CLIP's two towers ("Zero-Shot Text-to-Image
// Generation", section 2.6).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "compute/compute.h"
#include "sdgen/image.h"
#include "text/encoders/clip_image_encoder.h"
#include "text/encoders/clip_text_encoder.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen {

// How a picture is brought to the tower's size: preprocessor_config.json, as transformers'
// CLIPImageProcessor.
struct ClipPreprocessing {
  std::int64_t shortest_edge = 224;  // pixels, resized bicubically to it
  std::int64_t crop = 224;           // pixels a side, cut from the middle
  std::vector<double> mean = {0.48145466, 0.4578275, 0.40821073};
  std::vector<double> deviation = {0.26862954, 0.26130258, 0.27577711};

  // Throws Error(kInput) naming file and key for what is not CLIP's own way.
  static ClipPreprocessing read(const Config& config);
};

class Ranker {
 public:
  // A folder of a transformers CLIPModel: config.json, model.safetensors, its tokenizer, and
  // preprocessor_config.json. Checks names and shapes, reads no weight. Throws Error(kInput) naming file and
  // key.
  Ranker(const std::filesystem::path& folder, const at::Device& device);

  const std::string& name() const { return name_; }

  // What its towers keep in memory, bytes.
  std::uint64_t bytes() const;

  bool is_loaded() const { return text_.has_value(); }
  void load();
  void release();

  // 100 times the cosine between the text's embedding and the picture's, in float32. It must be loaded.
  // Throws Error(kWorking) if that is not finite.
  double score(const std::string& text, const Image& image);

 private:
  Weights weights(Weights::Mode mode) const;
  Weights text_weights(Weights::Mode mode) const;
  Tensor pixels_of(const Image& image) const;  // [1, 3, image_size, image_size]

  std::string name_;
  Compute compute_;
  std::shared_ptr<const TensorSource> source_;
  ClipTextConfig text_config_;
  ClipImageConfig image_config_;
  ClipPreprocessing preprocessing_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<ClipTextEncoder> text_;
  std::optional<ClipImageEncoder> image_;
  std::string words_of_;  // the text last asked for,
  Tensor words_;          // and its embedding [1, P]; undefined: none yet
};

}  // namespace sdgen
