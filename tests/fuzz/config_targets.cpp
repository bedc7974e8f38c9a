// JSON files of a model, and the one that an earlier run left.
#include "decode/autoencoder_config.h"
#include "diffusion/networks/controlnet.h"
#include "diffusion/networks/unet_config.h"
#include "diffusion/schedule.h"
#include "fuzz/targets.h"
#include "sdgen/attention.h"
#include "text/encoders/clip_text_encoder.h"
#include "text/encoders/qwen3_encoder.h"

namespace sdgen::fuzz {
namespace {

template <typename Read>
void parse_config(std::string_view bytes, const Read& read) {
  read(Config::read(scratch_file("config.json", bytes)));
}

void parse_unet_config(std::string_view bytes) {
  parse_config(bytes, [](const Config& config) { UnetConfig::read(config); });
}

void parse_controlnet_config(std::string_view bytes) {
  parse_config(bytes, [](const Config& config) { ControlNetConfig::read(config); });
}

void parse_vae_config(std::string_view bytes) {
  parse_config(bytes, [](const Config& config) { AutoencoderConfig::read(config); });
}

void parse_text_encoder_config(std::string_view bytes) {
  parse_config(bytes, [](const Config& config) { ClipTextConfig::read(config, true); });
}

void parse_qwen3_config(std::string_view bytes) {
  parse_config(bytes, [](const Config& config) { Qwen3Config::read(config); });
}

void parse_scheduler_config(std::string_view bytes) {
  parse_config(bytes, [](const Config& config) { SchedulerConfig::read(config); });
}

// Read by write_attention(), which removes the pictures that it lists.
void parse_words_json(std::string_view bytes) {
  const auto file = scratch_file("maps/words.json", bytes);
  AttentionMaps maps;
  maps.tokens = maps.height = maps.width = 1;
  maps.token_maps = {1.0F};
  write_attention(file.parent_path(), Request(), Image{8, 8, std::vector<std::uint8_t>(192)}, maps, {}, true);
}

}  // namespace

std::vector<FuzzTarget> config_targets() {
  return {{"unet_config", parse_unet_config},   {"controlnet_config", parse_controlnet_config},
          {"vae_config", parse_vae_config},     {"text_encoder_config", parse_text_encoder_config},
          {"qwen3_config", parse_qwen3_config}, {"scheduler_config", parse_scheduler_config},
          {"words_json", parse_words_json}};
}

}  // namespace sdgen::fuzz
