#include "text/encoders/clip_text_encoder.h"

#include "base/config_range.h"

namespace sdgen {

Config clip_text_config(const Config& config) {
  const auto text = config.json.find("text_config");
  if (text == config.json.end() || !text->is_object()) return config;
  Config part{config.path,
              {{"vocab_size", 49408},
               {"hidden_size", 512},
               {"intermediate_size", 2048},
               {"num_hidden_layers", 12},
               {"num_attention_heads", 8}}};
  part.json.update(*text);
  return part;
}

ClipTextConfig ClipTextConfig::read(const Config& whole, bool with_projection) {
  const Config config = clip_text_config(whole);
  ClipTextConfig clip;
  clip.vocab_size = whole_number(config, "vocab_size", kVocabulary);
  clip.hidden_size = whole_number(config, "hidden_size", kWidths);
  clip.intermediate_size = whole_number(config, "intermediate_size", kWidths);
  clip.layers = whole_number(config, "num_hidden_layers", kEncoderLayers);
  clip.heads = whole_number(config, "num_attention_heads", kHeads);
  clip.max_position_embeddings = whole_number(config, "max_position_embeddings", kPositions, 77);
  clip.eos_token_id = config.value<std::int64_t>("eos_token_id", 49407);
  if (with_projection) clip.projection_dim = whole_number(config, "projection_dim", kWidths, 512);
  clip.layer_norm_eps = config.value("layer_norm_eps", 1e-5);
  clip.activation =
      activation_from_name(config.value<std::string>("hidden_act", "quick_gelu"), config.path.string());
  if (clip.hidden_size % clip.heads != 0)
    fail_input(config.path.string(), ": hidden_size ", clip.hidden_size,
               " does not divide into num_attention_heads ", clip.heads);
  return clip;
}

ClipTextEncoder::ClipTextEncoder(const Weights& weights, const ClipTextConfig& config)
    : config_(config),
      file_(weights.describe()),
      token_embedding_(
          weights.tensor("embeddings.token_embedding.weight", {config.vocab_size, config.hidden_size})),
      position_embedding_(weights.tensor("embeddings.position_embedding.weight",
                                         {config.max_position_embeddings, config.hidden_size})),
      final_layer_norm_(weights.at("final_layer_norm"), config.hidden_size, config.layer_norm_eps) {
  for (std::int64_t i = 0; i < config.layers; ++i)
    layers_.emplace_back(weights.at("encoder.layers").at(i),
                         ClipLayer::Config{config.hidden_size, config.intermediate_size, config.heads,
                                           config.layer_norm_eps, config.activation, /*causal=*/true});
  if (config.projection_dim > 0)
    text_projection_.emplace(weights.at("text_projection"), config.hidden_size, config.projection_dim,
                             Bias::kNone);
}

TextStates ClipTextEncoder::states(const Tensor& ids) const {
  const std::int64_t length = ids.size(1);
  if (length > config_.max_position_embeddings)
    fail_input(file_, ": the tokenizer gives ", length, " tokens, the text encoder has ",
               config_.max_position_embeddings, " positions (model_max_length of tokenizer_config.json)");
  if (const auto highest = ids.max().item<std::int64_t>();
      highest >= config_.vocab_size || ids.min().item<std::int64_t>() < 0)
    fail_input(file_, ": the tokenizer gives token ", highest, ", the text encoder knows ",
               config_.vocab_size, "; they do not belong together");
  const Tensor on_device = ids.to(token_embedding_.device());
  Tensor x = at::embedding(token_embedding_, on_device) + position_embedding_.narrow(0, 0, length);
  TextStates states{{x}, {}};
  for (const ClipLayer& layer : layers_) states.layers.push_back(x = layer(x));
  states.last = final_layer_norm_(x);
  return states;
}

Tensor ClipTextEncoder::pooled(const Tensor& ids, const Tensor& last) const {
  // Configs older than transformers 4.30 say eos_token_id 2, which is wrong; there the end token is the
  // highest id.
  const Tensor ends =
      config_.eos_token_id == 2 ? ids.argmax(-1) : ids.eq(config_.eos_token_id).to(at::kInt).argmax(-1);
  const Tensor rows = at::arange(ids.size(0), at::kLong);
  const Tensor summary = last.index({rows.to(last.device()), ends.to(last.device())});
  return text_projection_ ? (*text_projection_)(summary) : summary;
}

}  // namespace sdgen
