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

// First argument of each benchmark: the arithmetic.
enum Mode { kFloat32, kBFloat16, kInt8 };

Compute compute_of(const benchmark::State& state) {
  return {at::kCPU, state.range(0) == kFloat32 ? at::kFloat : at::kBFloat16,
          state.range(0) == kInt8 ? Quantize::kInt8 : Quantize::kNone};
}

Weights random_weights(const benchmark::State& state,
                       const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  return {std::make_shared<RandomSource>(shapes), compute_of(state), Weights::Mode::kRead};
}

Tensor random_input(const benchmark::State& state, at::IntArrayRef shape) {
  const Tensor x = at::randn(shape).to(compute_of(state).dtype);
  return shape.size() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

void report_flops(benchmark::State& state, double flop) {
  state.counters["FLOP/s"] =
      benchmark::Counter(flop * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// Arguments: arithmetic, channels, height = width.
void conv3x3(benchmark::State& state) {
  const std::int64_t c = state.range(1), size = state.range(2);
  const Conv2d conv(random_weights(state, {{"weight", {c, c, 3, 3}}, {"bias", {c}}}), c, c, {});
  const Tensor x = random_input(state, {2, c, size, size});
  for (auto _ : state) benchmark::DoNotOptimize(conv(x));
  report_flops(state, 2.0 * 2 * 9 * c * c * size * size);
}

void linear(benchmark::State& state) {
  const std::int64_t c = state.range(1), patches = state.range(2);
  const Linear layer(random_weights(state, {{"weight", {8 * c, c}}, {"bias", {8 * c}}}), c, 8 * c);
  const Tensor x = random_input(state, {2, patches, c});
  for (auto _ : state) benchmark::DoNotOptimize(layer(x));
  report_flops(state, 2.0 * 2 * 8 * c * c * patches);
}

// Arguments: arithmetic, channels, patches, keys (77 words, or the patches themselves).
void attention(benchmark::State& state) {
  const std::int64_t c = state.range(1), patches = state.range(2), keys = state.range(3);
  const Tensor q = random_input(state, {2, patches, c}), k = random_input(state, {2, keys, c}),
               v = random_input(state, {2, keys, c});
  for (auto _ : state) benchmark::DoNotOptimize(multi_head_attention(q, k, v, 8));
  report_flops(state, 2.0 * 4 * patches * keys * c);
}

void group_norm_silu(benchmark::State& state) {
  const std::int64_t c = state.range(1), size = state.range(2);
  const GroupNorm norm(random_weights(state, {{"weight", {c}}, {"bias", {c}}}), c, 32, 1e-5);
  const Tensor x = random_input(state, {2, c, size, size});
  for (auto _ : state) benchmark::DoNotOptimize(norm.activated(x, Activation::kSilu));
  state.SetBytesProcessed(state.iterations() * x.numel() * x.element_size());
}

void modes(benchmark::internal::Benchmark* benchmark, const std::vector<std::vector<std::int64_t>>& sizes,
           std::initializer_list<Mode> modes) {
  for (const auto& size : sizes)
    for (const Mode mode : modes) {
      std::vector<std::int64_t> arguments = {mode};
      arguments.insert(arguments.end(), size.begin(), size.end());
      benchmark->Args(arguments);
    }
  benchmark->Unit(benchmark::kMillisecond)->UseRealTime();
}

const auto kAll = {kFloat32, kBFloat16, kInt8};
const auto kFloats = {kFloat32, kBFloat16};
BENCHMARK(conv3x3)->Apply([](auto* b) { modes(b, {{320, 64}, {640, 32}, {1280, 16}, {1280, 8}}, kAll); });
BENCHMARK(linear)->Apply([](auto* b) { modes(b, {{320, 4096}, {640, 1024}, {1280, 256}}, kAll); });
BENCHMARK(attention)->Apply([](auto* b) {
  modes(b, {{320, 4096, 4096}, {320, 4096, 77}, {640, 1024, 1024}, {1280, 256, 256}}, kFloats);
});
BENCHMARK(group_norm_silu)->Apply([](auto* b) { modes(b, {{320, 64}, {1280, 16}}, kFloats); });

}  // namespace
}  // namespace sdgen

BENCHMARK_MAIN();
