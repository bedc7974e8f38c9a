#include "decode/latent_preview.h"

#include <gtest/gtest.h>

#include "models/model.h"
#include "support/golden.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

Decoder decoder(const std::string& pipeline) {
  const auto folder = testing::golden_path(pipeline);
  return {{rename_keys(open_model_files(folder / "vae", "diffusion_pytorch_model"), current_vae_name),
           {at::kCPU, at::kFloat},
           Weights::Mode::kRead},
          read_model({.model = folder}).vae};
}

Tensor random(at::IntArrayRef shape) {
  return at::randn(shape, at::detail::createCPUGenerator(5), at::kFloat);
}

// Latents that change slowly.
Tensor smooth(std::int64_t side) {
  const Tensor field = at::upsample_bilinear2d(random({2, 4, 3, 3}), {side, side}, false);
  return field / field.std();
}

TEST(LatentPreview, SmallPicturesAreDecoded) {
  const Decoder vae = decoder("pipelines/sd15-tiny");
  const Tensor latents = random({3, 4, 8, 24});
  EXPECT_TRUE(testing::is_close(LatentPreview(vae, at::kFloat)(latents),
                                vae(latents / vae.config.scaling_factor), 1e-5));
}

TEST(LatentPreview, OthersAreProjectedAtAboutTheirSize) {
  const Decoder vae = decoder("pipelines/sd15-tiny");
  LatentPreview preview(vae, at::kFloat);
  EXPECT_EQ(preview(random({2, 4, 32, 24})).sizes(), at::IntArrayRef({2, 3, 256, 192}));
  EXPECT_EQ(preview(random({1, 4, 64, 48})).sizes(), at::IntArrayRef({1, 3, 256, 192}));
  EXPECT_EQ(preview(random({1, 4, 300, 4})).sizes(), at::IntArrayRef({1, 3, 300, 4}));
}

TEST(LatentPreview, TheProjectionIsNearerToTheDecoderThanAnyOneColour) {
  for (const char* pipeline : {"pipelines/sd15-tiny", "pipelines/sd2-tiny", "../../models/pictograms"}) {
    SCOPED_TRACE(pipeline);
    const Decoder vae = decoder(pipeline);
    const Tensor latents = smooth(16);
    const std::int64_t scale = vae.config.pixels_per_latent();
    const Tensor colors =
        at::avg_pool2d(vae(latents / vae.config.scaling_factor).clamp(-1, 1), {scale, scale});
    const Tensor projected = fit_latent_projection(vae, at::kFloat)(latents);
    const auto error = [&](const Tensor& guess) { return (guess - colors).square().mean().item<double>(); };
    EXPECT_LT(error(projected), error(colors.mean({0, 2, 3}, /*keepdim=*/true)));
  }
}

}  // namespace
}  // namespace sdgen
