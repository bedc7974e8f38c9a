// Sizes in config files that index, divide, allocate and count: none is taken that a network cannot have.
#include <gtest/gtest.h>

#include "decode/autoencoder_config.h"
#include "diffusion/networks/controlnet.h"
#include "diffusion/networks/unet_config.h"
#include "diffusion/schedule.h"
#include "support/golden.h"
#include "text/encoders/clip_image_encoder.h"
#include "text/encoders/clip_text_encoder.h"

namespace sdgen {
namespace {

using Reading = void (*)(const Config&);

struct Limit {
  const char* component;  // of the small model
  Reading read;
  const char* key;
  std::vector<std::string> values;  // refused
};

Config sound_config(const std::string& component) {
  if (component == "vision") return {"vision.json", Json::object()};
  if (component == "tiny vae") return {"vae.json", {{"_class_name", "AutoencoderTiny"}}};
  const std::string name = component == "scheduler" ? "/scheduler_config.json" : "/config.json";
  Config config = Config::read(testing::golden_path("pipelines/sd15-tiny/" + component + name));
  if (component == "unet") config.json.erase("_class_name");  // a ControlNet's trunk has the same keys
  return config;
}

class ConfigLimits : public ::testing::TestWithParam<Limit> {};

TEST_P(ConfigLimits, WhatNoNetworkHasIsRefusedByKey) {
  const auto& [component, read, key, values] = GetParam();
  EXPECT_NO_THROW(read(sound_config(component)));
  for (const std::string& value : values) {
    SCOPED_TRACE(value);
    Config config = sound_config(component);
    config.json[key] = Json::parse(value);
    try {
      read(config);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_EQ(message.find(config.path.string() + ": "), 0u) << message;
      EXPECT_NE(message.find(key), std::string::npos) << message;
      EXPECT_NE(message.find("expected "), std::string::npos) << message;
    }
  }
}

const Reading kText = [](const Config& config) { ClipTextConfig::read(config, true); };
const Reading kVision = [](const Config& config) { ClipImageConfig::read(config, 512); };
const Reading kUnet = [](const Config& config) { UnetConfig::read(config); };
const Reading kTrunk = [](const Config& config) { ControlNetConfig::read(config); };
const Reading kVae = [](const Config& config) { AutoencoderConfig::read(config); };
const Reading kScheduler = [](const Config& config) { SchedulerConfig::read(config); };

const std::vector<std::string> kNumbers = {"0", "-1", "1000000000000", "9223372036854775807",
                                           "18446744073709551615"};
const std::vector<std::string> kLists = {"[0]", "[-4]", "[4, 1000000000000]", "[18446744073709551615]"};

INSTANTIATE_TEST_SUITE_P(TextEncoder, ConfigLimits,
                         ::testing::Values(Limit{"text_encoder", kText, "num_hidden_layers", kNumbers},
                                           Limit{"text_encoder", kText, "num_hidden_layers", {"257"}},
                                           Limit{"text_encoder", kText, "vocab_size", kNumbers},
                                           Limit{"text_encoder", kText, "hidden_size", kNumbers},
                                           Limit{"text_encoder", kText, "intermediate_size", kNumbers},
                                           Limit{"text_encoder", kText, "num_attention_heads", kNumbers},
                                           Limit{"text_encoder", kText, "max_position_embeddings", kNumbers},
                                           Limit{"text_encoder", kText, "projection_dim", kNumbers}));
INSTANTIATE_TEST_SUITE_P(ImageEncoder, ConfigLimits,
                         ::testing::Values(Limit{"vision", kVision, "num_hidden_layers", kNumbers},
                                           Limit{"vision", kVision, "hidden_size", kNumbers},
                                           Limit{"vision", kVision, "intermediate_size", kNumbers},
                                           Limit{"vision", kVision, "num_attention_heads", kNumbers},
                                           Limit{"vision", kVision, "image_size", kNumbers},
                                           Limit{"vision", kVision, "patch_size", kNumbers}));
INSTANTIATE_TEST_SUITE_P(
    Unet, ConfigLimits,
    ::testing::Values(
        Limit{"unet", kUnet, "in_channels", kNumbers}, Limit{"unet", kUnet, "out_channels", kNumbers},
        Limit{"unet", kUnet, "block_out_channels", kLists},
        Limit{"unet", kUnet, "layers_per_block", kNumbers}, Limit{"unet", kUnet, "layers_per_block", kLists},
        Limit{"unet", kUnet, "attention_head_dim", kNumbers},
        Limit{"unet", kUnet, "attention_head_dim", kLists},
        Limit{"unet", kUnet, "cross_attention_dim", kNumbers},
        Limit{"unet", kUnet, "norm_num_groups", kNumbers}, Limit{"unet", kUnet, "sample_size", kNumbers},
        Limit{"unet", kUnet, "downsample_padding", {"-1", "2"}},
        Limit{"unet", kUnet, "conv_in_kernel", kNumbers},
        Limit{"unet", kUnet, "conv_out_kernel", {"2", "0", "33"}},
        Limit{"unet", kUnet, "time_cond_proj_dim", {"-1", "3", "1000000000000"}},
        Limit{"unet", kTrunk, "conditioning_embedding_out_channels", kLists}));
INSTANTIATE_TEST_SUITE_P(
    Vae, ConfigLimits,
    ::testing::Values(
        Limit{"vae", kVae, "in_channels", kNumbers}, Limit{"vae", kVae, "latent_channels", kNumbers},
        Limit{"vae", kVae, "block_out_channels", kLists}, Limit{"vae", kVae, "layers_per_block", kNumbers},
        Limit{"vae", kVae, "norm_num_groups", kNumbers}, Limit{"vae", kVae, "sample_size", kNumbers},
        Limit{"tiny vae", kVae, "latent_channels", kNumbers},
        Limit{"tiny vae", kVae, "num_decoder_blocks", {"[-1, 1, 1, 1]", "[101]"}},
        Limit{"tiny vae", kVae, "decoder_block_out_channels", kLists}));
INSTANTIATE_TEST_SUITE_P(
    Scheduler, ConfigLimits,
    ::testing::Values(Limit{"scheduler", kScheduler, "num_train_timesteps", kNumbers},
                      Limit{"scheduler", kScheduler, "steps_offset", {"-1", "1000", "1000000000000"}},
                      Limit{"scheduler", kScheduler, "solver_order", {"0", "4", "1000000000000"}},
                      Limit{"scheduler", kScheduler, "original_inference_steps", kNumbers}));

}  // namespace
}  // namespace sdgen
