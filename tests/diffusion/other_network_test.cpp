// Guidance, recording and previews with a network that is no UNet.
#include <gtest/gtest.h>

#include "diffusion/guidance.h"
#include "support/fake_graphs.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

// Adds the mean of the words to x as it is; every second step in its other variant, twice.
class AddsWords : public Network {
 public:
  PreparedNetwork prepare(const NetworkInputs& inputs, const Compute&) const override {
    PreparedNetwork prepared;
    prepared.constants = {inputs.context.mean({1, 2}).view({-1, 1, 1, 1})};
    prepared.variant = [](const Step& step) { return static_cast<int>(step.index % 2); };
    prepared.predict = [](const Tensor& x, const Tensor&, Tensors::const_iterator constants, int variant) {
      return x.repeat({constants->size(0) / x.size(0), 1, 1, 1}) + *constants * (1.0 + variant);
    };
    return prepared;
  }
  double input_norm(const Level&) const override { return 1.0; }
};

TEST(OtherNetwork, IsGuidedAndRecordedLikeAUnet) {
  const AddsWords network;
  const Tensor x = testing::numbers({2, 4, 3, 5}, 1);
  const Tensor with = testing::numbers({2, 7, 6}, 2), without = testing::numbers({2, 7, 6}, 3);
  testing::FakeGraphs::Counts counts;
  Recorder recorder(std::make_unique<testing::FakeGraphs>(counts), [](const std::string&) {});
  const Denoiser denoiser =
      guided_denoiser(network, PredictionType::kSample, {with, without, 5.0}, Compute{}, &recorder);
  for (std::size_t step = 0; step < 6; ++step) {
    const Tensor mean = without.mean({1, 2}) + 5.0 * (with.mean({1, 2}) - without.mean({1, 2}));
    const Tensor expected = x + mean.view({2, 1, 1, 1}) * (1.0 + static_cast<double>(step % 2));
    EXPECT_TRUE(testing::is_close(denoiser.output(x, Step{9.0, {0.5, 3.0}, {}, step}), expected, 1e-5));
  }
  EXPECT_EQ(counts.warm_ups, 2);  // one a variant
  EXPECT_EQ(counts.records, 2);
}

}  // namespace
}  // namespace sdgen
