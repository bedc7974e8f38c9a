// text_encoder/config.json of a Qwen3, as transformers 4 and 5 write it.
#include <cmath>

#include "base/config_range.h"
#include "text/encoders/qwen3_encoder.h"

namespace sdgen {
namespace {

constexpr Range kHeadWidths{2, 1024};
constexpr double kDefaultTheta = 1e4;

[[noreturn]] void refuse(const Config& config, const std::string& key, const std::string& expected) {
  fail_input(config.path.string(), ": key '", key, "' is ", shown(config.json.at(key)), "; expected ",
             expected);
}

// The object that `key` holds; an empty one where it is absent or null.
Config object_at(const Config& config, const std::string& key) {
  if (!config.has(key)) return {config.path, Json::object()};
  if (!config.json.at(key).is_object()) refuse(config, key, "an object");
  return {config.path, config.json.at(key)};
}

// transformers 5 writes rope_parameters {rope_type, rope_theta}, transformers 4 rope_theta and rope_scaling.
double theta_of(const Config& config) {
  const Config parameters = object_at(config, "rope_parameters"), scaling = object_at(config, "rope_scaling");
  for (const Config* rope : {&parameters, &scaling})
    for (const char* key : {"rope_type", "type"})
      if (const auto type = rope->value<std::string>(key, "default"); type != "default")
        refuse(*rope, key, "\"default\" (scaled rotary positions are not supported)");
  const double theta =
      parameters.value("rope_theta", scaling.value("rope_theta", config.value("rope_theta", kDefaultTheta)));
  if (!(theta >= 1.0 && std::isfinite(theta)))
    fail_input(config.path.string(), ": key 'rope_theta' is ", theta, "; expected at least 1");
  return theta;
}

void refuse_sliding_windows(const Config& config) {
  if (config.value("use_sliding_window", false))
    refuse(config, "use_sliding_window", "false (sliding windows are not supported)");
  if (!config.has("layer_types")) return;
  const Json& types = config.json.at("layer_types");
  if (!types.is_array()) refuse(config, "layer_types", "a list");
  for (const Json& type : types)
    if (type != "full_attention")
      fail_input(config.path.string(), ": key 'layer_types' holds ", shown(type),
                 "; expected \"full_attention\" only");
}

}  // namespace

Qwen3Config Qwen3Config::read(const Config& config) {
  if (config.value<std::string>("model_type", "qwen3") != "qwen3") refuse(config, "model_type", "\"qwen3\"");
  refuse_sliding_windows(config);
  Qwen3Config qwen;
  qwen.vocab_size = whole_number(config, "vocab_size", kVocabulary);
  qwen.hidden_size = whole_number(config, "hidden_size", kWidths);
  qwen.intermediate_size = whole_number(config, "intermediate_size", kWidths);
  qwen.layers = whole_number(config, "num_hidden_layers", kEncoderLayers);
  qwen.heads = whole_number(config, "num_attention_heads", kHeads);
  qwen.kv_heads = whole_number(config, "num_key_value_heads", kHeads, qwen.heads);
  qwen.head_dim = whole_number(config, "head_dim", kHeadWidths, 128);
  qwen.rms_norm_eps = config.value("rms_norm_eps", 1e-6);
  qwen.rope_theta = theta_of(config);
  qwen.attention_bias = config.value("attention_bias", false);
  qwen.activation =
      activation_from_name(config.value<std::string>("hidden_act", "silu"), config.path.string());
  if (qwen.heads % qwen.kv_heads != 0)
    fail_input(config.path.string(), ": num_attention_heads ", qwen.heads,
               " does not divide into num_key_value_heads ", qwen.kv_heads);
  if (qwen.head_dim % 2 != 0)
    fail_input(config.path.string(), ": key 'head_dim' is ", qwen.head_dim, "; expected an even number");
  return qwen;
}

}  // namespace sdgen
