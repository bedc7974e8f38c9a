// The fastest this machine multiplies: large layers of UNet and decoder, and a square product.
#include "sdgen/measure.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>

#include "base/stopwatch.h"
#include "base/threads.h"
#include "compute/compute.h"
#include "compute/torch_errors.h"
#include "nn/methods/packed.h"

namespace sdgen {
namespace {

struct Product {
  std::int64_t rows, in, out;
};
struct Convolution {
  std::int64_t batch, channels, side;
};

constexpr double kSeconds = 0.2;  // for each shape
constexpr int kMinCalls = 3;

Tensor random(std::vector<std::int64_t> sizes, const Compute& compute) {
  return at::rand(sizes, at::TensorOptions(compute.device).dtype(at::kFloat)).sub_(0.5).to(compute.dtype);
}

// The fastest of several calls: what slows a call is never the machine's peak.
double best_gflops(const Compute& compute, double flop, const std::function<void()>& call) {
  call();  // the first one prepares
  synchronize(compute);
  double best = std::numeric_limits<double>::infinity();
  const Stopwatch whole;
  for (int calls = 0; calls < kMinCalls || whole.seconds() < kSeconds; ++calls) {
    const Stopwatch stopwatch;
    call();
    synchronize(compute);
    best = std::min(best, stopwatch.seconds());
  }
  return flop / best / 1e9;
}

double product_gflops(const Compute& compute, const Product& size) {
  const Tensor x = random({size.rows, size.in}, compute), weight = random({size.out, size.in}, compute);
  const bool packed = packs(weight);
  const Tensor layout = packed ? pack_linear(weight) : weight;
  return best_gflops(compute, 2.0 * static_cast<double>(size.rows * size.in * size.out), [&] {
    if (packed)
      packed_linear(x, layout, {}, {});
    else
      at::linear(x, layout);
  });
}

double convolution_gflops(const Compute& compute, const Convolution& size) {
  const Tensor x = random({size.batch, size.channels, size.side, size.side}, compute)
                       .contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor weight =
      random({size.channels, size.channels, 3, 3}, compute).contiguous(at::MemoryFormat::ChannelsLast);
  const bool packed = packs(weight);
  const Tensor layout = packed ? pack_conv2d(weight, 1, 1) : weight;
  return best_gflops(compute, 2.0 * 9.0 * static_cast<double>(x.numel() * size.channels), [&] {
    if (packed)
      packed_conv2d(x, layout, {}, 1, 1, {});
    else
      at::conv2d(x, layout, {}, {1, 1}, {1, 1});
  });
}

}  // namespace

double peak_gflops(const ComputeOptions& options) {
  return with_plain_errors([&] {
    const c10::InferenceMode inference;
    const Compute compute = choose_compute(options);
    const ThreadScope threads(thread_count(options.threads));
    // A GPU is filled by larger ones only.
    const std::int64_t scale = compute.device.is_cpu() ? 1 : 4, batch = compute.device.is_cpu() ? 1 : 32;
    double best = 0.0;
    for (const auto& [rows, in, out] : {Product{2048, 1280, 5120}, {4096, 2560, 640}, {2048, 2048, 2048}})
      best = std::max(best, product_gflops(compute, {scale * rows, scale * in, scale * out}));
    for (const auto& [images, channels, side] : {Convolution{1, 320, 64}, {1, 640, 32}, {1, 512, 64}})
      best = std::max(best, convolution_gflops(compute, {images * batch, channels, side}));
    return best;
  });
}

bool forget_peak_memory() {
  release_freed_memory();
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;  // proc(5): resets VmHWM
  return static_cast<bool>(file);
}

}  // namespace sdgen
