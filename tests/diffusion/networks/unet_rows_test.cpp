// Rows of the sample that several rows of text share.
#include <gtest/gtest.h>

#include <functional>

#include "diffusion/networks/unet.h"
#include "models/model.h"
#include "support/numbers.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

class UnetRows : public ::testing::TestWithParam<std::string> {
 protected:
  static Unet unet(at::ScalarType dtype) {
    const std::filesystem::path folder = testing::golden_path("pipelines/" + GetParam());
    return Unet({open_model_files(folder / "unet", "diffusion_pytorch_model"), Compute{at::kCPU, dtype},
                 Weights::Mode::kRead},
                read_model({.model = folder}).unet());
  }
  static Tensor context(std::int64_t rows) {
    const testing::GoldenTensors tensors("stages/" + GetParam() + ".safetensors");
    const Tensor golden = tensors.at("unet.t981.encoder_hidden_states");
    return testing::numbers({rows, golden.size(1), golden.size(2)}, 5) * testing::rms(golden);
  }
};

struct Input {
  Tensor sample, times, words;
};

// What must be equal is equal in double, but for its last bits. In float32 both round as much as the
// processor's loops do, each in its own way: nearly as much, so that neither is off by more than twice what
// the other is.
using Evaluation = std::function<Tensor(const Unet& unet, const Input& input)>;

void expect_equal(const Unet& single, const Unet& exact, const Input& input, const Evaluation& one,
                  const Evaluation& other) {
  const Input wide = {input.sample.to(at::kDouble), input.times, input.words.to(at::kDouble)};
  const Tensor expected = other(exact, wide);
  EXPECT_TRUE(testing::is_close_to_scale(one(exact, wide), expected, 1e-12));
  const double rounding = testing::largest(testing::difference(other(single, input), expected));
  EXPECT_LT(rounding, 1e-4);
  EXPECT_TRUE(testing::is_close(one(single, input), expected, 2 * rounding));
}

TEST_P(UnetRows, SharedByTwoTextsEqualRowsOfTheirOwn) {
  const Unet single = unet(at::kFloat), exact = unet(at::kDouble);
  const Evaluation shared = [](const Unet& net, const Input& in) {
    return net(in.sample, in.times, net.text(in.words));
  };
  const Evaluation apart = [](const Unet& net, const Input& in) {
    const Tensor times = in.times.size(0) == 1 ? in.times : at::cat({in.times, in.times});
    return net(at::cat({in.sample, in.sample}), times, net.text(in.words));
  };
  for (const std::int64_t rows : {1, 2, 3})
    for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{8, 8}, {9, 11}})
      for (const Tensor& times : {at::full({1}, 500.0F), at::linspace(900, 100, rows)}) {
        SCOPED_TRACE(concat(rows, " rows of ", height, " x ", width, ", ", times.size(0), " times"));
        const Input input = {testing::numbers({rows, 4, height, width}, 6), times, context(2 * rows)};
        expect_equal(single, exact, input, shared, apart);
        const Tensor both = shared(single, input);
        EXPECT_GT(testing::largest(both.narrow(0, 0, rows) - both.narrow(0, rows, rows)), 1e-3)
            << "both texts say the same: the test shows nothing";
      }
}

TEST_P(UnetRows, EachRowSeesItsOwnTextAlone) {
  const Unet single = unet(at::kFloat), exact = unet(at::kDouble);
  const Input input = {testing::numbers({2, 4, 8, 8}, 6), at::full({1}, 300.0F),
                       context(6)};  // three texts a row
  const Evaluation together = [](const Unet& net, const Input& in) {
    return net(in.sample, in.times, net.text(in.words));
  };
  const Evaluation alone = [](const Unet& net, const Input& in) {
    std::vector<Tensor> rows;
    for (std::int64_t i = 0; i < 6; ++i)
      rows.push_back(net(in.sample.narrow(0, i % 2, 1), in.times, net.text(in.words.narrow(0, i, 1))));
    return at::cat(rows);
  };
  expect_equal(single, exact, input, together, alone);
}

INSTANTIATE_TEST_SUITE_P(Golden, UnetRows, ::testing::Values("sd15-tiny", "sd2-tiny", "variant-tiny"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('-')); });

}  // namespace
}  // namespace sdgen
