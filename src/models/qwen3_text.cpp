#include "models/qwen3_text.h"

namespace sdgen {
namespace {

class Qwen3TextParts : public TextParts {
 public:
  Qwen3TextParts(const Qwen3TextModel& model, const ModelSource& source, const Compute& compute,
                 std::vector<std::string>& warnings)
      : model_(model),
        source_(source),
        compute_(compute),
        tokenizer_(Qwen2Tokenizer::open(source.tokenizer_folder(model.tokenizer))) {
    const Weights checked = weights(Weights::Mode::kCheckOnly);
    const Qwen3Encoder encoder(checked, model.config, model.states);
    warn_of_unused(checked, encoder.unread(), warnings);
  }

  int max_tokens() const override { return static_cast<int>(model_.reading.max_tokens); }

  const Conditioner& conditioner(const LoadCallback& on_load) override {
    loaded(encoder_, model_.encoder, compute_, on_load, [&] {
      return Qwen3Encoder(weights(Weights::Mode::kRead), model_.config, model_.states,
                          held_bytes_ ? Residency(*held_bytes_) : Residency());
    });
    if (!conditioner_) conditioner_.emplace(tokenizer_, *encoder_, model_.reading);
    return *conditioner_;
  }

  void release() override {
    conditioner_.reset();
    sdgen::release(encoder_);
  }

  void hold(std::optional<std::uint64_t> bytes) override { held_bytes_ = bytes; }

 private:
  Weights weights(Weights::Mode mode) const {
    return {rename_keys(source_.weights(model_.encoder), qwen3_tensor_name), compute_, mode};
  }

  const Qwen3TextModel& model_;
  const ModelSource& source_;
  Compute compute_;
  Qwen2Tokenizer tokenizer_;
  std::optional<std::uint64_t> held_bytes_;  // nothing: all of them
  std::optional<Qwen3Encoder> encoder_;
  std::optional<Qwen3Conditioner> conditioner_;
};

}  // namespace

std::string Qwen3TextModel::streamed_layer(const std::string& key) const {
  const std::string name = qwen3_tensor_name(key), layers = "layers.";
  return name.starts_with(layers) ? name.substr(0, name.find('.', layers.size())) : "";
}

std::unique_ptr<TextParts> Qwen3TextModel::open(const ModelSource& source, const Compute& compute,
                                                std::vector<std::string>& warnings) const {
  return std::make_unique<Qwen3TextParts>(*this, source, compute, warnings);
}

}  // namespace sdgen
