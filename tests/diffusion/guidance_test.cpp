// Deep features that serve several steps.
#include "diffusion/guidance.h"

#include <gtest/gtest.h>

#include "pipeline/model_folder.h"
#include "support/numbers.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

class Guidance : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path folder_ = testing::golden_path("pipelines/" + GetParam());
  UnetConfig config_ = read_model_folder(folder_).unet;
  Unet unet_{{open_model_files(folder_ / "unet", "diffusion_pytorch_model"), Compute{}, Weights::Mode::kRead}, config_};
  Tensor x_ = testing::numbers({2, 4, 8, 8}, 6);
  Conditioning conditioning_{testing::numbers({2, 7, config_.cross_attention_dim.front()}, 1),
                             testing::numbers({2, 7, config_.cross_attention_dim.front()}, 2), 3.0};

  Denoiser denoiser(int cache_interval) const {
    return guided_denoiser(unet_, PredictionType::kEpsilon, conditioning_, Compute{}, cache_interval);
  }
  Tensor output(const Denoiser& denoiser, double timestep) const {
    return denoiser.output(x_, {1.0, 0.0}, timestep);
  }
};

TEST_P(Guidance, DeepFeaturesOfTheSameStepGiveTheSameOutput) {
  const Unet::Text text = unet_.text(at::cat({conditioning_.without, conditioning_.words}));
  const Tensor timesteps = at::full({1}, 300.0F);
  Unet::DeepFeatures deep;
  const Tensor full = unet_(x_, timesteps, text, nullptr, &deep);
  EXPECT_TRUE(at::equal(full, unet_(x_, timesteps, text)));
  EXPECT_TRUE(testing::is_close(unet_.shallow(x_, timesteps, text, deep), full, 1e-6));
  EXPECT_GT(testing::largest(unet_.shallow(x_, at::full({1}, 900.0F), text, deep) - full), 1e-5)
      << "the last layer sees the timestep";
}

TEST_P(Guidance, DeepFeaturesServeAsManyStepsAsAsked) {
  const Denoiser full = denoiser(1), cached = denoiser(3);
  for (int step = 0; step < 7; ++step) {
    SCOPED_TRACE(step);
    const double timestep = 900 - 100 * step;
    const double apart = testing::largest(output(full, timestep) - output(cached, timestep));
    if (step % 3 == 0)
      EXPECT_LT(apart, 1e-6);
    else
      EXPECT_GT(apart, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Guidance, ::testing::Values("sd15-tiny", "sd2-tiny"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('-')); });

}  // namespace
}  // namespace sdgen
