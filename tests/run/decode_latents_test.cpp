// The last stage as a user meets it: tiles, and half precision that overflows.
#include <gtest/gtest.h>

#include <fstream>

#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/safetensors_file.h"
#include "support/scale_tensor.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class DecodeLatents : public ::testing::Test {
 protected:
  DecodeLatents() {
    fs::copy(testing::golden_path("pipelines/variant-tiny"), model(), fs::copy_options::recursive);
  }
  fs::path model() const { return temporary_.path() / "model"; }

  std::vector<Image> draw(const ComputeOptions& compute, int pixels = 32) {
    std::vector<Image> images;
    warnings_.clear();
    decoded_.clear();
    const Observer observer{.on_picture = [&](const Picture& picture) { images.push_back(picture.image); },
                            .on_warning = [&](const std::string& text) { warnings_.push_back(text); },
                            .on_stage =
                                [&](const StageEvent& event) {
                                  if (event.stage == "decode") decoded_.push_back(event.detail);
                                }};
    Generator(model(), compute)
        .run({{.prompt = "a cat", .steps = 2, .seed = 1, .width = pixels, .height = pixels, .count = 2}}, {},
             observer);
    return images;
  }

  testing::TemporaryFolder temporary_;
  std::vector<std::string> warnings_;
  std::vector<std::string> decoded_;  // how
};

TEST_F(DecodeLatents, TilesWhereTheyAreAskedFor) {
  const auto with = [](VaeTiling tiling) {
    return ComputeOptions{.device = Device::kCpu, .dtype = DType::kFloat32, .vae_tiling = tiling};
  };
  const auto whole = draw(with(VaeTiling::kOff), 64);
  EXPECT_EQ(decoded_, (std::vector<std::string>{"", ""}));
  EXPECT_EQ(draw(with(VaeTiling::kAuto), 64).at(0).rgb, whole.at(0).rgb) << "memory suffices";
  EXPECT_NE(draw(with(VaeTiling::kOn), 64).at(0).rgb, whole.at(0).rgb);
  EXPECT_EQ(decoded_, (std::vector<std::string>{"in tiles", "in tiles"}));
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(DecodeLatents, WhatOverflowsInHalfPrecisionIsDecodedInFloat32) {
  // No noise is predicted, so that the latents are the same in both.
  const fs::path unet = model() / "unet/diffusion_pytorch_model.fp16.safetensors";
  testing::scale_tensor(unet, "conv_out.weight", 0);
  testing::scale_tensor(unet, "conv_out.bias", 0);
  testing::scale_tensor(model() / "vae/diffusion_pytorch_model.fp16.safetensors", "decoder.conv_in.weight",
                        3e4);
  const auto expected = draw({.device = Device::kCpu, .dtype = DType::kFloat32});
  EXPECT_TRUE(warnings_.empty());
  const auto images = draw({.device = Device::kCpu, .dtype = DType::kFloat16});
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(images[0].rgb, expected.at(0).rgb);
  EXPECT_EQ(images[1].rgb, expected.at(1).rgb);
  std::erase_if(warnings_,
                [](const std::string& text) { return text.starts_with("--dtype "); });  // slow here
  ASSERT_EQ(warnings_.size(), 1u) << "once a run";
  EXPECT_NE(warnings_[0].find("not finite in float16"), std::string::npos) << warnings_[0];
}

TEST_F(DecodeLatents, WhatIsNotFiniteInFloat32EitherIsAnError) {
  const fs::path config = model() / "vae/config.json";
  Json json = read_json_file(config);
  json["scaling_factor"] = 1e-37;
  std::ofstream(config) << json;
  try {
    draw({.device = Device::kCpu, .dtype = DType::kBFloat16});
    FAIL() << "drawn";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("after decoding (vae, float32)"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace sdgen
