#include "models/clip_text.h"

#include <algorithm>

#include "plain/errors.h"

namespace sdgen {
namespace {

class ClipTextParts : public TextParts {
 public:
  ClipTextParts(const ClipTextModel& model, const ModelSource& source, const Compute& compute,
                std::vector<std::string>& warnings)
      : model_(model), source_(source), compute_(compute), encoders_(model.texts.size()) {
    for (const ClipText& text : model.texts)
      tokenizers_.push_back(source.tokenizer(text.tokenizer, text.encoder, text.new_words));
    check_tokenizers();
    for (const ClipText& text : model.texts) {
      const Weights weights_of = weights(text, Weights::Mode::kCheckOnly);
      ClipTextEncoder(weights_of, text.config);
      // transformers 4 stored positions as a tensor; a projection that nobody asks for belongs to CLIP's
      // other use.
      warn_of_unused(weights_of, {"embeddings.position_ids", "text_projection."}, warnings);
    }
  }

  int max_tokens() const override { return tokenizers_.front()->model_max_length(); }

  const Conditioner& conditioner(const LoadCallback& on_load) override {
    std::vector<TextPart> parts;
    for (std::size_t i = 0; i < model_.texts.size(); ++i) {
      const ClipText& text = model_.texts[i];
      parts.push_back({*tokenizers_[i], loaded(encoders_[i], text.encoder, compute_, on_load, [&] {
                         return ClipTextEncoder(weights(text, Weights::Mode::kRead), text.config);
                       })});
    }
    if (!conditioner_) conditioner_.emplace(std::move(parts), model_.used);
    return *conditioner_;
  }

  void release() override {
    conditioner_.reset();
    for (std::optional<ClipTextEncoder>& encoder : encoders_) sdgen::release(encoder);
  }

 private:
  Weights weights(const ClipText& text, Weights::Mode mode) const {
    return {source_.weights(text.encoder), compute_, mode};
  }

  void check_tokenizers() const {
    for (std::size_t i = 0; i < tokenizers_.size(); ++i) {
      const ClipText& text = model_.texts[i];
      const int length = tokenizers_[i]->model_max_length();
      const std::string file = (source_.path() / text.tokenizer).string();
      if (length > text.config.max_position_embeddings)
        fail_input(file, ": model_max_length ", length,
                   " is more than the text encoder's max_position_embeddings ",
                   text.config.max_position_embeddings);
      if (length != max_tokens())
        fail_input(file, ": model_max_length ", length, " contradicts the first tokenizer's ", max_tokens());
    }
  }

  const ClipTextModel& model_;
  const ModelSource& source_;
  Compute compute_;
  std::vector<std::unique_ptr<Tokenizer>> tokenizers_;    // of the model's texts
  std::vector<std::optional<ClipTextEncoder>> encoders_;  // likewise
  std::optional<ClipConditioner> conditioner_;
};

}  // namespace

std::vector<std::string> ClipTextModel::encoders() const {
  std::vector<std::string> names;
  for (const ClipText& text : texts) names.push_back(text.encoder);
  return names;
}

std::optional<int> ClipTextModel::max_clip_skip() const {
  int most = sdgen::max_clip_skip(used, texts.front().config.layers);
  for (const ClipText& text : texts) most = std::min(most, sdgen::max_clip_skip(used, text.config.layers));
  return most;
}

std::unique_ptr<TextParts> ClipTextModel::open(const ModelSource& source, const Compute& compute,
                                               std::vector<std::string>& warnings) const {
  return std::make_unique<ClipTextParts>(*this, source, compute, warnings);
}

std::int64_t ClipTextModel::width() const {
  std::int64_t width = 0;
  for (const ClipText& text : texts) width += text.config.hidden_size;
  return width;
}

}  // namespace sdgen
