// How long a layer takes at the sizes of Stable Diffusion 1.x: build/sdgen_layers_bench. Figures only.
#include <benchmark/benchmark.h>

#include <map>

#include "nn/attention.h"
#include "nn/resnet.h"

namespace sdgen {
namespace {

// Weights that answer every question with small random numbers.
class RandomSource : public TensorSource {
 public:
  explicit RandomSource(std::map<std::string, std::vector<std::int64_t>> shapes) {
    for (auto& [key, shape] : shapes) infos_[key] = {at::kFloat, shape, "random", key};
  }
  std::string describe() const override { return "random"; }
  std::vector<std::string> keys() const override { return {}; }
  const TensorInfo* find(const std::string& key) const override {
    const auto info = infos_.find(key);
    return info == infos_.end() ? nullptr : &info->second;
  }
  at::Tensor read(const std::string& key) const override { return 0.02 * at::randn(infos_.at(key).shape); }

 private:
  std::map<std::string, TensorInfo> infos_;
};

Weights random_weights(const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  return {std::make_shared<RandomSource>(shapes), Compute{}, Weights::Mode::kRead};
}

void report_flops(benchmark::State& state, double flop) {
  state.counters["FLOP/s"] =
      benchmark::Counter(flop * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// Arguments: channels, height = width.
void conv3x3(benchmark::State& state) {
  const std::int64_t c = state.range(0), size = state.range(1);
  const Conv2d conv(random_weights({{"weight", {c, c, 3, 3}}, {"bias", {c}}}), c, c, {});
  const Tensor x = at::randn({2, c, size, size});
  for (auto _ : state) benchmark::DoNotOptimize(conv(x));
  report_flops(state, 2.0 * 2 * 9 * c * c * size * size);
}
BENCHMARK(conv3x3)
    ->Args({320, 64})
    ->Args({640, 32})
    ->Args({1280, 16})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void linear(benchmark::State& state) {
  const std::int64_t c = state.range(0), patches = state.range(1);
  const Linear layer(random_weights({{"weight", {8 * c, c}}, {"bias", {8 * c}}}), c, 8 * c);
  const Tensor x = at::randn({2, patches, c});
  for (auto _ : state) benchmark::DoNotOptimize(layer(x));
  report_flops(state, 2.0 * 2 * 8 * c * c * patches);
}
BENCHMARK(linear)->Args({320, 4096})->Args({1280, 256})->Unit(benchmark::kMillisecond)->UseRealTime();

// Arguments: channels, patches, keys (77 words, or the patches themselves).
void attention(benchmark::State& state) {
  const std::int64_t c = state.range(0), patches = state.range(1), keys = state.range(2);
  const Tensor q = at::randn({2, patches, c}), k = at::randn({2, keys, c}), v = at::randn({2, keys, c});
  for (auto _ : state) benchmark::DoNotOptimize(multi_head_attention(q, k, v, 8));
  report_flops(state, 2.0 * 4 * patches * keys * c);
}
BENCHMARK(attention)
    ->Args({320, 4096, 4096})
    ->Args({320, 4096, 77})
    ->Args({1280, 256, 256})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void group_norm_silu(benchmark::State& state) {
  const std::int64_t c = state.range(0), size = state.range(1);
  const GroupNorm norm(random_weights({{"weight", {c}}, {"bias", {c}}}), c, 32, 1e-5);
  const Tensor x = at::randn({2, c, size, size});
  for (auto _ : state) benchmark::DoNotOptimize(activate(Activation::kSilu, norm(x)));
  state.SetBytesProcessed(state.iterations() * x.numel() * 4);
}
BENCHMARK(group_norm_silu)->Args({320, 64})->Args({1280, 16})->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace sdgen

BENCHMARK_MAIN();
