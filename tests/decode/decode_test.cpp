// Tiles against diffusers', bands against the whole decode, and which of them memory allows.
#include <gtest/gtest.h>

#include <algorithm>

#include "decode/banded_decode.h"
#include "decode/decode_plan.h"
#include "decode/tiled_decode.h"
#include "models/model.h"
#include "support/golden.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

class Decode : public ::testing::TestWithParam<std::string> {
 protected:
  AutoencoderDecoder decoder(at::ScalarType dtype = at::kFloat) const {
    const auto folder = testing::golden_path("pipelines/" + GetParam());
    return {{rename_keys(open_model_files(folder / "vae", "diffusion_pytorch_model"), current_vae_name),
             {at::kCPU, dtype},
             Weights::Mode::kRead},
            read_model({.model = folder}).vae};
  }
  Tensor latents(at::IntArrayRef shape) const {
    return 3 * at::randn(shape, at::detail::createCPUGenerator(11), at::kFloat);
  }
};

TEST_P(Decode, TilesEqualTheReferences) {
  const testing::GoldenTensors golden("tiling.safetensors");
  const Tensor pixels = decode_in_tiles(decoder(), golden.at(GetParam() + ".latents"));
  EXPECT_TRUE(testing::is_close(pixels, golden.at(GetParam() + ".image"), 1e-4));
}

TEST_P(Decode, OneTileIsTheWholeDecode) {
  const Tensor small = latents({2, 4, 8, 5});
  EXPECT_TRUE(at::equal(decode_in_tiles(decoder(), small), decoder()(small)));
}

TEST_P(Decode, BandsGiveTheWholePicture) {
  const AutoencoderDecoder vae = decoder();
  for (const auto& [height, width] : {std::pair(9, 7), std::pair(5, 16), std::pair(1, 1), std::pair(23, 6)}) {
    for (const std::int64_t band_bytes : {std::int64_t{1}, std::int64_t{60'000}, kBandBytes}) {
      SCOPED_TRACE(concat(height, " x ", width, " latents, bands of ", band_bytes, " bytes"));
      const Tensor of_two = latents({2, 4, height, width});
      EXPECT_TRUE(testing::is_close(decode_in_bands(vae, of_two, band_bytes), vae(of_two), 1e-4));
    }
  }
}

TEST_P(Decode, BandsKeepWithinTheRoundingOfBfloat16) {
  const Tensor x = latents({1, 4, 16, 16});
  const Tensor exact = decoder()(x);
  const AutoencoderDecoder vae = decoder(at::kBFloat16);
  const auto error = [&](const Tensor& pixels) {
    return (pixels.to(at::kFloat) - exact).abs().mean().item<double>();
  };
  const Tensor rounded = x.to(at::kBFloat16);
  EXPECT_LT(error(decode_in_bands(vae, rounded, 1)), 1.5 * error(vae(rounded)));
}

INSTANTIATE_TEST_SUITE_P(Golden, Decode, ::testing::Values("sd15-tiny", "variant-tiny"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

AutoencoderConfig stable_diffusion() {
  AutoencoderConfig config;
  config.block_out_channels = {128, 256, 512, 512};
  config.layers_per_block = 2;
  config.sample_size = 512;
  return config;
}

std::vector<DecodeMode> modes(std::int64_t pixels, std::optional<std::uint64_t> available,
                              VaeTiling tiling = VaeTiling::kAuto) {
  return decode_modes(tiling, stable_diffusion(), {1, 4, pixels / 8, pixels / 8}, at::kFloat, available);
}

TEST(DecodeModes, AutoTakesWhatFits) {
  using enum DecodeMode;
  EXPECT_EQ(modes(512, 8 * kGiB).front(), kWhole);
  EXPECT_EQ(modes(512, kGiB * 7 / 10).front(), kBands);
  EXPECT_EQ(modes(1024, 8 * kGiB).front(), kWhole);
  EXPECT_EQ(modes(2048, 4 * kGiB).front(), kBands);
  EXPECT_EQ(modes(2048, 64 * kGiB).front(), kBands) << "a decode of many GiB is not worth them";
  EXPECT_EQ(modes(2048, 2 * kGiB).front(), kTiles);
  EXPECT_EQ(modes(512, {}).front(), kWhole) << "memory that cannot be told is tried";
  EXPECT_EQ(modes(2048, 0), std::vector{kTiles}) << "the least is tried in any case";
  EXPECT_EQ(modes(512, 0), std::vector{kBands}) << "of one tile, too";
  EXPECT_EQ(modes(64, 0), std::vector{kWhole}) << "it is smaller than a band";
}

TEST(DecodeModes, OnAndOffLeaveNoChoice) {
  EXPECT_EQ(modes(2048, kGiB, VaeTiling::kOff), std::vector{DecodeMode::kWhole});
  EXPECT_EQ(modes(2048, 64 * kGiB, VaeTiling::kOn), std::vector{DecodeMode::kTiles});
}

TEST(DecodeBytes, GrowWithThePictureButNotForTiles) {
  const auto bytes = [](DecodeMode mode, std::int64_t latents, at::ScalarType dtype = at::kFloat) {
    return decode_bytes(mode, stable_diffusion(), {1, 4, latents, latents}, dtype);
  };
  EXPECT_EQ(bytes(DecodeMode::kWhole, 128), 4 * bytes(DecodeMode::kWhole, 64));
  EXPECT_EQ(bytes(DecodeMode::kWhole, 128, at::kBFloat16), 2 * bytes(DecodeMode::kWhole, 64));
  EXPECT_LT(bytes(DecodeMode::kBands, 256), 3 * kGiB) << "2048x2048 pixels within 4 GiB, weights included";
  EXPECT_LT(bytes(DecodeMode::kTiles, 512), 2 * kGiB);
}

}  // namespace
}  // namespace sdgen
