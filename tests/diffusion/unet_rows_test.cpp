// Rows of the sample that several rows of text share.
#include <gtest/gtest.h>

#include "diffusion/unet.h"
#include "pipeline/model.h"
#include "support/numbers.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

class UnetRows : public ::testing::TestWithParam<std::string> {
 protected:
  static Unet unet() {
    const std::filesystem::path folder = testing::golden_path("pipelines/" + GetParam());
    return Unet(
        {open_model_files(folder / "unet", "diffusion_pytorch_model"), Compute{}, Weights::Mode::kRead},
        read_model({.model = folder}).unet);
  }
  static Tensor context(std::int64_t rows) {
    const testing::GoldenTensors tensors("stages/" + GetParam() + ".safetensors");
    const Tensor golden = tensors.at("unet.t981.encoder_hidden_states");
    return testing::numbers({rows, golden.size(1), golden.size(2)}, 5) * testing::rms(golden);
  }
};

TEST_P(UnetRows, SharedByTwoTextsEqualRowsOfTheirOwn) {
  const Unet net = unet();
  for (const std::int64_t rows : {1, 2, 3}) {
    for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{8, 8}, {9, 11}}) {
      SCOPED_TRACE(concat(rows, " rows of ", height, " x ", width));
      const Tensor sample = testing::numbers({rows, 4, height, width}, 6);
      const Unet::Text text = net.text(context(2 * rows));
      const Tensor once = at::full({1}, 500.0F);
      const Tensor shared = net(sample, once, text);
      const Tensor apart = net(at::cat({sample, sample}), once, text);
      EXPECT_TRUE(testing::is_close(shared, apart, 1e-5));
      EXPECT_GT(testing::largest(shared.narrow(0, 0, rows) - shared.narrow(0, rows, rows)), 1e-3)
          << "both texts say the same: the test shows nothing";
      const Tensor each = at::linspace(900, 100, rows);
      EXPECT_TRUE(testing::is_close(net(sample, each, text),
                                    net(at::cat({sample, sample}), at::cat({each, each}), text), 1e-5));
    }
  }
}

TEST_P(UnetRows, EachRowSeesItsOwnTextAlone) {
  const Unet net = unet();
  const Tensor sample = testing::numbers({2, 4, 8, 8}, 6), words = context(6), time = at::full({1}, 300.0F);
  const Tensor together = net(sample, time, net.text(words));  // three texts a row
  ASSERT_EQ(together.size(0), 6);
  for (std::int64_t i = 0; i < 6; ++i) {
    SCOPED_TRACE(i);
    const Tensor alone = net(sample.narrow(0, i % 2, 1), time, net.text(words.narrow(0, i, 1)));
    EXPECT_TRUE(testing::is_close(together.narrow(0, i, 1), alone, 1e-5));
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, UnetRows, ::testing::Values("sd15-tiny", "sd2-tiny", "variant-tiny"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('-')); });

}  // namespace
}  // namespace sdgen
