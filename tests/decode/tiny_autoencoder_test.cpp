#include "decode/tiny_autoencoder.h"

#include <gmock/gmock.h>

#include "decode/autoencoder.h"
#include "decode/decode_plan.h"
#include "support/golden.h"
#include "support/named_numbers.h"
#include "support/safetensors_file.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"
#include "weights/original/tiny_vae.h"

namespace sdgen {
namespace {

const Compute kFloat32{at::kCPU, at::kFloat};

struct Opened {
  AutoencoderConfig config;
  Weights weights;
};

// A file under whichever names.
Opened opened_file(const std::string& name) {
  const auto path = testing::golden_path("taesd/" + name);
  const auto source = open_weights_file(path);
  EXPECT_TRUE(is_tiny_vae(*source));
  const auto tensors = tiny_vae_tensors(source);
  return {AutoencoderConfig::read({path, tiny_vae_config(*tensors)}),
          {tensors, kFloat32, Weights::Mode::kRead}};
}

Opened opened_folder() {
  const auto path = testing::golden_path("taesd/tiny");
  return {AutoencoderConfig::read(Config::read(path / "config.json")),
          {open_model_files(path, "diffusion_pytorch_model"), kFloat32, Weights::Mode::kRead}};
}

const testing::GoldenTensors& golden() {
  static const testing::GoldenTensors kGolden("taesd/taesd.safetensors");
  return kGolden;
}

TEST(TinyAutoencoder, EqualsDiffusersAutoencoderTiny) {
  const auto [config, weights] = opened_folder();
  const Decoder decoder(weights, config);
  const Encoder encoder(weights, config);
  EXPECT_EQ(weights.unused_warning(), "");
  EXPECT_EQ(config.pixels_per_latent(), 8);
  EXPECT_TRUE(testing::is_close(decoder(golden().at("latents")), golden().at("image"), 2e-5));
  const LatentDistribution encoded = encoder(golden().at("pixels"));
  EXPECT_TRUE(testing::is_close(encoded.mean, golden().at("encoded"), 2e-5));
  EXPECT_FALSE(encoded.logvar.defined()) << "it has but one answer";
}

TEST(TinyAutoencoder, ReadsTheOriginalNames) {
  const auto [config, weights] = opened_file("taesd_decoder.safetensors");
  const Decoder decoder(weights, config);
  EXPECT_EQ(weights.unused_warning(), "");
  EXPECT_TRUE(testing::is_close(decoder(golden().at("latents")), golden().at("original_image"), 2e-5));
}

TEST(TinyAutoencoder, AFileOfDiffusersNamesTellsItsConfigByItsShapes) {
  const auto [config, weights] = opened_file("tiny/diffusion_pytorch_model.safetensors");
  const AutoencoderConfig expected = opened_folder().config;
  EXPECT_EQ(config.tiny->decoder_blocks, expected.tiny->decoder_blocks);
  EXPECT_EQ(config.tiny->encoder_blocks, expected.tiny->encoder_blocks);
  EXPECT_EQ(config.tiny->decoder_width, expected.tiny->decoder_width);
  EXPECT_EQ(config.latent_channels, expected.latent_channels);
}

TEST(TinyAutoencoder, AnEncoderAloneIsRefused) {
  using ::testing::HasSubstr;
  EXPECT_THAT([] { opened_file("taesd_encoder.safetensors"); },
              ::testing::ThrowsMessage<Error>(::testing::AllOf(HasSubstr("taesd_encoder.safetensors"),
                                                               HasSubstr("holds a tiny encoder only"))));
}

TEST(TinyAutoencoder, BandsGiveTheWholePicture) {
  const auto [config, weights] = opened_folder();
  const TinyDecoder decoder(weights, config);
  for (const std::int64_t rows : {1, 7, 32, 50})
    EXPECT_TRUE(
        testing::is_close(decoder.in_bands(golden().at("tall"), rows), golden().at("tall_image"), 2e-5))
        << rows << " rows a band";
  const auto modes = [&, config = config](VaeTiling tiling, std::optional<std::uint64_t> available) {
    return decode_modes(tiling, config, {1, 4, 512, 512}, at::kFloat, available);
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(modes(VaeTiling::kOn, {}), ElementsAre(DecodeMode::kBands));
  EXPECT_THAT(modes(VaeTiling::kOff, {}), ElementsAre(DecodeMode::kWhole));
  EXPECT_THAT(modes(VaeTiling::kAuto, {}), ElementsAre(DecodeMode::kWhole, DecodeMode::kBands));
  EXPECT_THAT(modes(VaeTiling::kAuto, 1 << 20), ElementsAre(DecodeMode::kBands));
}

TEST(TinyAutoencoder, OddNamesAreLeftAsTheyAre) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "odd.safetensors";
  testing::named_file(path,
                      {{"1.weight", {8, 4, 3, 3}},
                       {"3.conv.0.weight", {8, 8, 3, 3}},
                       {".weight", {1}},
                       {"0.weight", {1}},
                       {"9999.weight", {1}}},
                      "");
  const auto tensors = tiny_vae_tensors(open_weights_file(path));
  EXPECT_TRUE(tensors->find("decoder.layers.0.weight"));
  EXPECT_TRUE(tensors->find(".weight"));
  EXPECT_TRUE(tensors->find("9999.weight"));
}

TEST(TinyAutoencoder, ConfigsThatMakeNoSenseAreRefused) {
  const Json sound = {{"_class_name", "AutoencoderTiny"}};
  EXPECT_NO_THROW(AutoencoderConfig::read({"config.json", sound}));
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"num_decoder_blocks", {3, 3}}, {"decoder_block_out_channels", {64, 64, 64, 64}}},
       "expected as many"},
      {{{"num_decoder_blocks", {3, 3, 3, 101}}}, "key 'num_decoder_blocks' is 101; expected 0 to 100"},
      {{{"num_decoder_blocks", Json::array()}, {"decoder_block_out_channels", Json::array()}}, "1 to 8"},
      {{{"decoder_block_out_channels", {64, 64, 64, 32}}}, "the same number for every level"},
      {{{"num_encoder_blocks", {1}}, {"encoder_block_out_channels", {64}}}, "differ in levels"},
      {{{"upsample_fn", "bilinear"}}, "only nearest upsampling"},
      {{{"in_channels", 1}}, "only RGB"},
      {{{"scaling_factor", 0}}, "scaling_factor must be positive"},
  };
  for (const auto& [change, message] : cases) {
    Json json = sound;
    json.update(change);
    EXPECT_THAT(
        [&] {
          AutoencoderConfig::read({"config.json", json});
        },
        ::testing::ThrowsMessage<Error>(::testing::HasSubstr(message)))
        << change;
  }
}

TEST(AutoencoderConfig, CentresOfLatentsMustFit) {
  const auto refuse = [](const Json& mean, const Json& deviation, const std::string& message) {
    const Json json = {{"block_out_channels", {32}}, {"latents_mean", mean}, {"latents_std", deviation}};
    EXPECT_THAT(
        [&] {
          AutoencoderConfig::read({"config.json", json});
        },
        ::testing::ThrowsMessage<Error>(::testing::HasSubstr(message)));
  };
  refuse({0, 0, 0}, {1, 1, 1}, "must have 4 values");
  refuse({0, 0, 0, 0}, nullptr, "must have 4 values");
  refuse({0, 0, 0, 0}, {1, 1, 0, 1}, "latents_std must be positive");
}

TEST(TinyAutoencoder, OthersAreNotMistakenForIt) {
  for (const char* part : {"vae", "unet"}) {
    const auto folder = testing::golden_path(std::string("pipelines/sd15-tiny/") + part);
    EXPECT_FALSE(is_tiny_vae(*open_model_files(folder, "diffusion_pytorch_model")));
  }
}

}  // namespace
}  // namespace sdgen
