// An autoencoder as Z-Image and FLUX have it, against diffusers': 16 channels, latents shifted, no quant
// convs.
#include <gtest/gtest.h>

#include "decode/autoencoder.h"
#include "support/filled_weights.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

constexpr double kBound = 2e-5;  // of the root mean square

class ShiftedLatents : public ::testing::Test {
 protected:
  const Json golden_ = testing::golden_json("z_image_transformer/vae.json");
  const testing::GoldenTensors tensors_{"z_image_transformer/vae.safetensors"};
  const AutoencoderConfig config_ = AutoencoderConfig::read({"vae/config.json", golden_["config"]});
  const Weights weights_ = testing::filled_weights(golden_["shapes"]);

  ::testing::AssertionResult equals(const Tensor& actual, const char* key) const {
    const Tensor expected = tensors_.at(key);
    return testing::is_close(actual, expected, kBound * testing::rms(expected));
  }
};

TEST_F(ShiftedLatents, DecodeToTheReferencesPixels) {
  const Decoder decoder(weights_, config_);
  EXPECT_TRUE(equals(decoder(config_.to_vae(tensors_.at("latents"))), "image"));
}

TEST_F(ShiftedLatents, PicturesEncodeToTheReferencesLatents) {
  const LatentDistribution z = Encoder(weights_, config_)(tensors_.at("pixels"));
  EXPECT_TRUE(equals(z.mean, "mean"));
  EXPECT_TRUE(equals(z.logvar, "logvar"));
  EXPECT_TRUE(equals(config_.from_vae(z.mean), "known"));
}

}  // namespace
}  // namespace sdgen
