// Our CUDA kernels, run by the CPU's threads: one a CUDA thread, one block after the other.
#include <gtest/gtest.h>
#include <math.h>

#include <barrier>
#include <thread>
#include <vector>

#include "compute/device_kernels.h"
#include "compute/device_launch.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

struct Index {
  unsigned x = 1, y = 1, z = 1;
};
thread_local Index threadIdx;
Index blockIdx, blockDim, gridDim;
float* shared_memory = nullptr;
std::barrier<>* all_threads = nullptr;

void __syncthreads() {
  all_threads->arrive_and_wait();
}
float rsqrtf(float x) {
  return 1.0F / std::sqrt(x);
}
template <typename T>
float to_float(T x) {
  return static_cast<float>(x);
}
template <typename T>
T from_float(float x) {
  return static_cast<T>(x);
}

#define SDGEN_KERNEL
#define SDGEN_DEVICE
#define SDGEN_SHARED shared_memory
#define SDGEN_UNROLL
#include "compute/device_kernels.inc"

void run_block(const std::function<void()>& kernel) {
  const unsigned count = blockDim.x * blockDim.y;
  std::barrier<> barrier(count);
  all_threads = &barrier;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      threadIdx = {i % blockDim.x, i / blockDim.x, 0};
      kernel();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void run_grid(const Index& grid, const Index& block, int shared_floats, const std::function<void()>& kernel) {
  gridDim = grid;
  blockDim = block;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = {x, y, z};
        std::vector<float> shared(static_cast<std::size_t>(shared_floats), NAN);  // as found, not cleared
        shared_memory = shared.data();
        run_block(kernel);
      }
    }
  }
}

unsigned count(int value) {
  return static_cast<unsigned>(value);
}

struct NormCase {
  std::string name;
  std::int64_t batch, height, width, channels, groups;
  std::int64_t offset_rows;  // 0: none
  int most_threads;
  bool silu;
};

template <typename T>
Tensor run_group_norm(const NormCase& c, const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const Tensor& offset) {
  Tensor y = at::full_like(x, NAN, {}, at::MemoryFormat::ChannelsLast);
  device::GroupNorm call{};
  call.x = x.const_data_ptr();
  call.y = y.data_ptr();
  call.weight = weight.const_data_ptr();
  call.bias = bias.const_data_ptr();
  call.offset = offset.defined() ? offset.const_data_ptr() : nullptr;
  call.offset_stride = c.offset_rows > 1 ? c.channels : 0;
  call.batch = static_cast<int>(c.batch);
  call.positions = static_cast<int>(c.height * c.width);
  call.channels = static_cast<int>(c.channels);
  call.groups = static_cast<int>(c.groups);
  call.eps = 1e-5F;
  call.silu = c.silu;
  device::share_out(call, c.most_threads);
  EXPECT_LE(call.threads(), c.most_threads);
  const Tensor sums = at::full({call.batch, call.chunks, call.groups, 2}, NAN);
  call.sums = sums.data_ptr<float>();
  const Index block{count(call.threads()), 1, 1};
  run_grid({count(call.chunks), count(call.batch), count(call.tiles())}, block, call.shared_floats(),
           [&] { group_sums<T>(call); });
  run_grid({3, count(call.batch), count(call.tiles())}, block, call.shared_floats(),
           [&] { group_norm<T>(call); });
  return y;
}

class DeviceGroupNorm : public ::testing::TestWithParam<NormCase> {
 protected:
  // Of the kernels at dtype T and of libtorch in double on the same numbers.
  template <typename T>
  void compare(double mean, double tolerance) {
    const NormCase& c = GetParam();
    const at::ScalarType dtype = c10::CppTypeToScalarType<T>::value;
    const Tensor x = (testing::numbers({c.batch, c.channels, c.height, c.width}, 1) + mean)
                         .to(dtype)
                         .contiguous(at::MemoryFormat::ChannelsLast);
    const Tensor weight = testing::numbers({c.channels}, 2).to(dtype),
                 bias = testing::numbers({c.channels}, 3).to(dtype);
    Tensor offset;
    if (c.offset_rows > 0) offset = testing::numbers({c.offset_rows, c.channels}, 4).to(dtype);
    Tensor wide = x.to(at::kDouble);
    if (offset.defined()) wide = wide + offset.to(at::kDouble).unsqueeze(-1).unsqueeze(-1);
    wide = at::group_norm(wide.contiguous(), c.groups, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5);
    if (c.silu) wide = at::silu(wide);
    const Tensor y = run_group_norm<T>(c, x, weight, bias, offset);
    EXPECT_TRUE(testing::is_close_to_scale(y, wide, tolerance));
  }
};

TEST_P(DeviceGroupNorm, EqualsLibtorchs) {
  compare<float>(0, 1e-5);
  compare<c10::BFloat16>(0, 5e-3);
  compare<c10::Half>(0, 1e-3);
}

TEST_P(DeviceGroupNorm, KeepsASmallSpreadAboutALargeMean) {
  compare<float>(1000, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Shapes, DeviceGroupNorm,
                         ::testing::Values(NormCase{"ManyLanes", 2, 5, 7, 16, 4, 0, 32, true},
                                           NormCase{"OneLane", 1, 3, 9, 64, 8, 1, 32, true},
                                           NormCase{"TilesOfGroups", 2, 4, 4, 96, 8, 2, 16, false},
                                           NormCase{"OddLanes", 2, 6, 5, 20, 2, 2, 32, true},
                                           NormCase{"GroupsOfOnePair", 1, 8, 8, 12, 6, 0, 16, false},
                                           NormCase{"SlicesBesideGroups", 1, 13, 3, 60, 6, 1, 64, true},
                                           NormCase{"OnePosition", 3, 1, 1, 32, 4, 3, 16, true},
                                           NormCase{"ManyChunks", 1, 64, 64, 4, 2, 0, 4, false}),
                         [](const auto& info) { return info.param.name; });

TEST(DeviceGroupNorm, NanOfAGroupStaysInIt) {
  const NormCase c{"", 1, 4, 4, 16, 4, 0, 16, true};
  const Tensor x = testing::numbers({1, 16, 4, 4}, 1).contiguous(at::MemoryFormat::ChannelsLast);
  x[0][5][2][1].fill_(NAN);
  const Tensor y = run_group_norm<float>(c, x, at::ones({16}), at::zeros({16}), {});
  EXPECT_TRUE(at::isnan(y.narrow(1, 4, 4)).all().item<bool>());
  EXPECT_TRUE(is_finite(y.narrow(1, 0, 4)));
  EXPECT_TRUE(is_finite(y.narrow(1, 8, 8)));
}

TEST(DeviceGroupNorm, StableDiffusionsChannelsFit) {
  for (const int channels : {128, 256, 320, 512, 640, 960, 1280, 1920, 2560}) {
    EXPECT_TRUE(device::group_norm_fits(channels, 32));
    device::GroupNorm call{};
    call.channels = channels;
    call.groups = 32;
    call.positions = 4096;
    device::share_out(call);
    EXPECT_LE(call.threads(), device::kMaxThreads);
    EXPECT_GE(call.threads(), device::kMaxThreads / 2) << channels;
    EXPECT_EQ(call.tiles() * call.groups_per_block, 32);
    EXPECT_LE(call.chunks, 128);
    EXPECT_GE(call.chunks * call.positions_per_chunk, call.positions);
    EXPECT_LE(call.shared_floats() * 4, 48 << 10);
  }
  EXPECT_FALSE(device::group_norm_fits(96, 32)) << "a group of three channels has no pairs";
  EXPECT_FALSE(device::group_norm_fits(4096, 1)) << "more pairs than threads";
}

TEST(DeviceKernels, RowsAreAdded) {
  const Tensor y = testing::numbers({7, 10}, 1), bias = testing::numbers({10}, 2),
               added = testing::numbers({7, 10}, 3);
  for (const auto& [b, a] : {std::pair<Tensor, Tensor>{bias, added}, {bias, {}}, {{}, added}}) {
    const Tensor sum = y.clone();
    device::AddRows call{};
    call.rows = 7;
    call.channels = 10;
    call.y = sum.data_ptr();
    call.bias = b.defined() ? b.const_data_ptr() : nullptr;
    call.added = a.defined() ? a.const_data_ptr() : nullptr;
    run_grid({2, 2, 1}, {3, 2, 1}, 0, [&] { add_rows<float>(call); });
    EXPECT_TRUE(testing::is_close(
        sum, y + (b.defined() ? b : at::zeros({})) + (a.defined() ? a : at::zeros({})), 1e-6));
  }
}

TEST(DeviceKernels, GegluEqualsLibtorchs) {
  const Tensor x = 3 * testing::numbers({5, 28}, 1), y = at::full({5, 14}, NAN);
  device::Geglu call{};
  call.rows = 5;
  call.channels = 14;
  call.x = x.const_data_ptr();
  call.y = y.data_ptr();
  run_grid({2, 3, 1}, {3, 2, 1}, 0, [&] { geglu<float>(call); });
  const std::vector<Tensor> halves = x.chunk(2, -1);
  EXPECT_TRUE(testing::is_close(y, halves[0] * at::gelu(halves[1]), 1e-6));
}

TEST(DeviceKernels, TheCpuHasNone) {
  EXPECT_FALSE(has_device_kernels(at::ones({2, 2}), 2));
  EXPECT_FALSE(has_device_group_norm(at::ones({1, 4, 2, 2}), 2));
}

}  // namespace
}  // namespace sdgen
