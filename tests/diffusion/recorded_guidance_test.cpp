// Guided steps, recorded and not.
#include "diffusion/guidance.h"

#include <gtest/gtest.h>

#include "diffusion/networks/unet.h"
#include "models/model.h"
#include "support/fake_graphs.h"
#include "support/numbers.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

class RecordedGuidance : public ::testing::TestWithParam<std::string> {
 protected:
  static Unet network() {
    const std::filesystem::path folder = testing::golden_path("pipelines/" + GetParam());
    return Unet(
        {open_model_files(folder / "unet", "diffusion_pytorch_model"), Compute{}, Weights::Mode::kRead},
        read_model({.model = folder}).unet());
  }
  static Tensor words(std::uint64_t seed) {
    const testing::GoldenTensors tensors("stages/" + GetParam() + ".safetensors");
    const Tensor golden = tensors.at("unet.t981.encoder_hidden_states");
    return testing::numbers({2, golden.size(1), golden.size(2)}, seed) * testing::rms(golden);
  }
  // Outputs of the steps of two pictures.
  std::vector<Tensor> outputs(Recorder& recorder, const Conditioning& conditioning, int steps = 4) {
    const Denoiser denoiser =
        guided_denoiser(unet_, PredictionType::kEpsilon, conditioning, Compute{}, &recorder);
    std::vector<Tensor> outputs;
    for (int step = 0; step < steps; ++step) {
      const Level level{step < 2 ? 1.0 : 0.6, step < 2 ? 2.0 : 0.8};
      const Tensor x = testing::numbers({2, 4, 8, 8}, 10 + static_cast<std::uint64_t>(step));
      outputs.push_back(
          denoiser.output(x, Step{950.0 - 800.0 * step / steps, level, {}, static_cast<std::size_t>(step)}));
    }
    return outputs;
  }
  static void expect_equal(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
    for (std::size_t step = 0; step < expected.size(); ++step)
      EXPECT_TRUE(testing::is_close(actual[step], expected[step], 1e-6)) << "step " << step;
  }

  Unet unet_ = network();
  Recorder plain_{nullptr, {}};
  testing::FakeGraphs::Counts counts_;
  Recorder recorder_{std::make_unique<testing::FakeGraphs>(counts_), [](const std::string&) {}};
};

TEST_P(RecordedGuidance, RecordedStepsAreTheSame) {
  const Conditioning conditioning{words(1), words(2), 7.5};
  expect_equal(outputs(recorder_, conditioning), outputs(plain_, conditioning));
  EXPECT_EQ(counts_.warm_ups, 1);
  EXPECT_EQ(counts_.records, 1);
  EXPECT_EQ(counts_.replays, 3);
}

TEST_P(RecordedGuidance, OtherWordsAndAnotherScaleAreReplayedAsWell) {
  outputs(recorder_, {words(1), words(2), 7.5});
  const Conditioning other{words(3), words(4), 3.0};
  const std::vector<Tensor> expected = outputs(plain_, other);
  expect_equal(outputs(recorder_, other), expected);
  EXPECT_EQ(counts_.records, 1) << "the same shapes are recorded once";
  EXPECT_GT(testing::largest(expected[3] - outputs(plain_, {words(1), words(2), 3.0})[3]), 1e-3);
}

TEST_P(RecordedGuidance, WithoutGuidanceIsAnotherRecording) {
  outputs(recorder_, {words(1), words(2), 7.5});
  const Conditioning unguided{words(1), {}, 1.0};
  expect_equal(outputs(recorder_, unguided), outputs(plain_, unguided));
  EXPECT_EQ(counts_.records, 2);
}

class RecordedControls : public RecordedGuidance {
 protected:
  static ControlNet controlnet() {
    const std::filesystem::path folder = testing::golden_path("controlnets/sd15-edges");
    return {{open_model_files(folder, "diffusion_pytorch_model"), Compute{}, Weights::Mode::kRead},
            ControlNetConfig::read(Config::read(folder / "config.json"))};
  }
  ControlNet net_ = controlnet();
};

TEST_P(RecordedControls, AreRecordedByWhatIsActiveAndFreeWhereNoneIs) {
  const Conditioning without{words(1), words(2), 7.5};
  Conditioning conditioning = without;
  const Tensor picture = testing::numbers({1, 3, 64, 64}, 3).clamp(0, 1);
  conditioning.controls.push_back({net_, picture, 1.0, {true, true, false, false}});
  conditioning.controls.push_back({net_, 1 - picture, 0.5, {false, true, false, false}});
  const std::vector<Tensor> expected = outputs(plain_, conditioning), plain = outputs(plain_, without);
  expect_equal(outputs(recorder_, conditioning), expected);
  expect_equal(outputs(recorder_, conditioning), expected);
  EXPECT_EQ(counts_.records, 3) << "the first alone, both, none";
  EXPECT_GT(testing::largest(expected[0] - plain[0]), 1e-2);
  EXPECT_GT(testing::largest(expected[1] - plain[1]), 1e-2);
  EXPECT_EQ(testing::largest(expected[2] - plain[2]), 0.0);
}

INSTANTIATE_TEST_SUITE_P(Golden, RecordedControls, ::testing::Values("sd15-tiny"),
                         [](const auto&) { return "sd15"; });

INSTANTIATE_TEST_SUITE_P(Golden, RecordedGuidance, ::testing::Values("sd15-tiny", "sd2-tiny", "variant-tiny"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('-')); });

}  // namespace
}  // namespace sdgen
