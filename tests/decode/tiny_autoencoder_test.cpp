#include "decode/tiny_autoencoder.h"

#include <gmock/gmock.h>

#include "support/golden.h"

namespace sdgen {
namespace {

const Compute kFloat32{at::kCPU, at::kFloat};

Tensor decoded(const std::string& name, const Tensor& latents) {
  const auto path = testing::golden_path("taesd/" + name);
  EXPECT_TRUE(is_tiny_autoencoder(path));
  const TinyAutoencoderFiles files = open_tiny_autoencoder(path);
  const Weights weights(files.tensors, kFloat32, Weights::Mode::kRead);
  const TinyDecoder decoder(weights, files.config);
  weights.require_all_used({"encoder."});
  EXPECT_EQ(files.config.pixels_per_latent(), 8);
  return decoder(latents);
}

TEST(TinyDecoder, EqualsDiffusersAutoencoderTiny) {
  const testing::GoldenTensors golden("taesd/taesd.safetensors");
  EXPECT_TRUE(testing::is_close(decoded("tiny", golden.at("latents")), golden.at("image"), 2e-5));
}

TEST(TinyDecoder, ReadsTheOriginalNames) {
  const testing::GoldenTensors golden("taesd/taesd.safetensors");
  EXPECT_TRUE(testing::is_close(decoded("taesd_decoder.safetensors", golden.at("latents")),
                                golden.at("original_image"), 2e-5));
}

TEST(TinyDecoder, OthersAreNotMistakenForIt) {
  EXPECT_FALSE(is_tiny_autoencoder(testing::golden_path("pipelines/sd15-tiny/vae")));
  EXPECT_FALSE(is_tiny_autoencoder(testing::golden_path("pipelines/sd15-tiny/unet")));
}

}  // namespace
}  // namespace sdgen
