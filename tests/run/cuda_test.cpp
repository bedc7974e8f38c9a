// What only a GPU can show; skipped where there is none.
#include <ATen/detail/CUDAHooksInterface.h>
#include <gtest/gtest.h>

#include "base/finite_rows.h"
#include "compute/device_kernels.h"
#include "compute/recorder.h"
#include "compute/step_clock.h"
#include "sdgen/generator.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

class Cuda : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA() || at::detail::getCUDAHooks().deviceCount() == 0) GTEST_SKIP() << "no CUDA device";
  }
  static Compute cuda() { return {at::Device(at::kCUDA, 0), at::kFloat}; }
  static Tensor random(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType dtype = at::kFloat) {
    return testing::numbers(sizes, seed).to(cuda().device, dtype);
  }
  static Tensor wide(const Tensor& x) { return x.to(at::kCPU, at::kDouble); }
};

TEST_F(Cuda, GroupNormEqualsLibtorchs) {
  if (!has_device_kernels(random({2, 2}, 1), 2)) GTEST_SKIP() << "built without nvcc";
  for (const auto& [dtype, bound] : {std::pair{at::kFloat, 1e-5}, {at::kHalf, 4e-3}, {at::kBFloat16, 3e-2}}) {
    for (const std::int64_t channels : {64, 128, 320, 640, 960, 1280, 1920, 2560}) {
      for (const std::int64_t side : {1, 8, 13, 64}) {
        SCOPED_TRACE(concat(at::toString(dtype), " ", channels, " channels ", side, "x", side));
        const Tensor x = testing::channels_last(random({2, channels, side, side}, 1, dtype));
        const Tensor weight = random({channels}, 2, dtype), bias = random({channels}, 3, dtype);
        const Tensor offset = random({2, channels}, 4, dtype);
        ASSERT_TRUE(has_device_group_norm(x, 32));
        const Tensor moved = (wide(x) + wide(offset).unsqueeze(-1).unsqueeze(-1)).contiguous();
        const Tensor expected = at::silu(at::group_norm(moved, 32, wide(weight), wide(bias), 1e-5));
        const Tensor y = device_group_norm(x, weight, bias, 32, 1e-5, offset, true);
        EXPECT_TRUE(testing::is_close(wide(y), expected, bound * testing::largest(expected)));
        EXPECT_TRUE(y.equal(device_group_norm(x, weight, bias, 32, 1e-5, offset, true)))
            << "not the same twice";
      }
    }
  }
}

TEST_F(Cuda, SumsAndGegluEqualLibtorchs) {
  if (!has_device_kernels(random({2, 2}, 1), 2)) GTEST_SKIP() << "built without nvcc";
  for (const std::int64_t channels : {4, 320, 1280, 5120}) {
    SCOPED_TRACE(channels);
    const Tensor y = testing::channels_last(random({2, channels, 9, 7}, 1)),
                 added = random({2, channels, 9, 7}, 2);
    const Tensor bias = random({channels}, 3);
    const Tensor expected = wide(y) + wide(added) + wide(bias).unsqueeze(-1).unsqueeze(-1);
    EXPECT_TRUE(testing::is_close(wide(device_add_to_map(y.clone(), bias, added)), expected, 1e-5));
    const Tensor x = random({2, 77, 2 * channels}, 4);
    const std::vector<Tensor> halves = wide(x).chunk(2, -1);
    EXPECT_TRUE(testing::is_close(wide(device_geglu(x)), halves[0] * at::gelu(halves[1]), 1e-4));
  }
}

TEST_F(Cuda, RecordedWorkGivesWhatItGivesAsItIs) {
  auto graphs = open_graph_stream(cuda());
  if (!graphs) GTEST_SKIP() << "built without CUDA's headers";
  std::vector<std::string> warnings;
  Recorder recorder(std::move(graphs), [&](const std::string& text) { warnings.push_back(text); });
  const TensorWork work = [](const Tensors& in) {
    return Tensors{at::softmax(at::linear(at::silu(in[0]), in[1]), -1)};
  };
  for (int round = 0; round < 2; ++round) {  // the second with other weights, then other shapes
    for (const std::int64_t rows : {64, 32}) {
      const Tensor weight = random({128, 256}, 50 + static_cast<std::uint64_t>(round));
      for (std::uint64_t step = 0; step < 5; ++step) {
        const Tensor x = random({rows, 256}, step);
        EXPECT_TRUE(
            testing::is_close(wide(recorder(0, work, {x, weight})[0]), wide(work({x, weight})[0]), 1e-6));
      }
    }
  }
  EXPECT_TRUE(warnings.empty()) << warnings.front();
}

TEST_F(Cuda, WorkThatWaitsForTheDeviceIsDoneAsItIs) {
  auto graphs = open_graph_stream(cuda());
  if (!graphs) GTEST_SKIP() << "built without CUDA's headers";
  std::vector<std::string> warnings;
  Recorder recorder(std::move(graphs), [&](const std::string& text) { warnings.push_back(text); });
  const TensorWork waits = [](const Tensors& in) { return Tensors{in[0] * in[0].sum().item<float>()}; };
  for (std::uint64_t step = 0; step < 4; ++step) {
    const Tensor x = random({16}, step);
    EXPECT_TRUE(testing::is_close(wide(recorder(0, waits, {x})[0]), wide(waits({x})[0]), 1e-4));
  }
  EXPECT_EQ(warnings.size(), 1u);
}

TEST_F(Cuda, AStepTakesAsLongAsTheDeviceTakes) {
  StepClock clock(cuda());
  EXPECT_EQ(clock.lead(), 1u);
  Tensor x = random({2048, 2048}, 1);
  for (int step = 1; step <= 3; ++step) {
    clock.begin_step();
    for (int i = 0; i < 20; ++i) x = at::tanh(at::matmul(x, x));
    clock.end_step();
    while (clock.pending() > clock.lead()) EXPECT_GT(clock.take(), 0.0);
    EXPECT_EQ(clock.pending(), 1u);
  }
  EXPECT_GT(clock.take(), 0.0);
  EXPECT_EQ(clock.pending(), 0u);
}

TEST_F(Cuda, RowsThatFailAreKnownAfterwards) {
  FiniteRows rows(3, cuda().device);
  Tensor x = random({3, 4, 8, 8}, 1);
  rows.look(x, 1);
  x = x.clone();
  x[1][2][3][4].fill_(std::numeric_limits<float>::infinity());
  rows.look(x, 2);
  rows.look(x, 3);
  EXPECT_EQ(rows.failed_steps(), (std::vector<int>{0, 2, 0}));
  EXPECT_FALSE(rows.none_left());
}

// The design's bound for float32; half precision has none but must be the same picture.
TEST_F(Cuda, PicturesAreTheCpus) {
  for (const std::string model : {"sd15-tiny", "sd2-tiny", "variant-tiny"}) {
    for (const std::string& sampler : sampler_names()) {
      const auto draw = [&](Device device, DType dtype) {
        std::vector<Image> images;
        std::vector<std::string> warnings;
        Generator(testing::golden_path("pipelines/" + model), {.device = device, .dtype = dtype})
            .run({{.prompt = "a cat",
                   .steps = 6,
                   .sampler = sampler,
                   .eta = sampler == "ddim" ? 0.5 : 0.0,
                   .seed = 7,
                   .count = 3}},
                 {.batch_size = 2},
                 {.on_picture = [&](const Picture& picture) { images.push_back(picture.image); },
                  .on_warning = [&](const std::string& text) { warnings.push_back(text); }});
        EXPECT_TRUE(warnings.empty()) << warnings.front();
        return images;
      };
      const std::vector<Image> expected = draw(Device::kCpu, DType::kFloat32);
      for (const auto& [dtype, bound] : {std::pair{DType::kFloat32, 1.0 / 255},
                                         {DType::kFloat16, 12.0 / 255},
                                         {DType::kBFloat16, 40.0 / 255}}) {
        SCOPED_TRACE(concat(model, " ", sampler, " dtype ", static_cast<int>(dtype)));
        const std::vector<Image> images = draw(Device::kCuda, dtype);
        ASSERT_EQ(images.size(), expected.size());
        for (std::size_t i = 0; i < images.size(); ++i) {
          double sum = 0;
          int largest = 0;
          for (std::size_t at = 0; at < images[i].rgb.size(); ++at) {
            const int away = std::abs(int{images[i].rgb[at]} - int{expected[i].rgb[at]});
            sum += away;
            largest = std::max(largest, away);
          }
          EXPECT_LE(sum / static_cast<double>(images[i].rgb.size()) / 255, bound);
          if (dtype == DType::kFloat32) {
            EXPECT_LE(largest, 1);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace sdgen
