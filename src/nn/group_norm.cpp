#include "nn/group_norm.h"

#include <cmath>
#include <vector>

#include "base/kernels/kernels.h"
#include "base/parallel.h"

namespace sdgen {
namespace {

// Positions of a map that one task sums or normalises.
constexpr std::int64_t kChunk = 256;

struct Sums {
  std::int64_t chunks;         // of each picture
  std::vector<float> sum;      // [N, chunks, C]
  std::vector<float> squares;  // [N, chunks, C]
};

template <typename T>
Sums sum_channels(const T* x, std::int64_t batch, std::int64_t positions, std::int64_t channels) {
  const std::int64_t chunks = (positions + kChunk - 1) / kChunk;
  const auto size = static_cast<std::size_t>(batch * chunks * channels);
  Sums sums{chunks, std::vector<float>(size), std::vector<float>(size)};
  parallel_chunks(batch * chunks, 1, [&](std::int64_t task, std::int64_t) {
    const std::int64_t picture = task / chunks, first = task % chunks * kChunk;
    kernels<T>().channel_sums(x + (picture * positions + first) * channels,
                              std::min(kChunk, positions - first), channels,
                              sums.sum.data() + task * channels, sums.squares.data() + task * channels);
  });
  return sums;
}

// norm(x + offset) * weight + bias as x * scale + shift: [N, C] each, float32.
struct ScaleShift {
  std::vector<float> scale, shift;
};

ScaleShift scale_and_shift(const Sums& sums, std::int64_t batch, std::int64_t positions,
                           std::int64_t channels, const float* weight, const float* bias, const float* offset,
                           std::int64_t offset_stride, std::int64_t groups, double eps) {
  ScaleShift result{std::vector<float>(static_cast<std::size_t>(batch * channels)),
                    std::vector<float>(static_cast<std::size_t>(batch * channels))};
  const std::int64_t width = channels / groups;
  const auto count = static_cast<double>(width * positions);
  for (std::int64_t picture = 0; picture < batch; ++picture) {
    for (std::int64_t group = 0; group < groups; ++group) {
      double total = 0, squares = 0;
      for (std::int64_t c = group * width; c < (group + 1) * width; ++c) {
        double channel = 0, channel_squares = 0;
        for (std::int64_t chunk = 0; chunk < sums.chunks; ++chunk) {
          const auto at = static_cast<std::size_t>((picture * sums.chunks + chunk) * channels + c);
          channel += sums.sum[at];
          channel_squares += sums.squares[at];
        }
        const double added = offset ? offset[picture * offset_stride + c] : 0.0;
        squares += channel_squares + 2 * added * channel + static_cast<double>(positions) * added * added;
        total += channel + static_cast<double>(positions) * added;
      }
      const double mean = total / count;
      const double variance = std::max(0.0, squares / count - mean * mean);
      const double inverse = 1.0 / std::sqrt(variance + eps);
      for (std::int64_t c = group * width; c < (group + 1) * width; ++c) {
        const double scale = inverse * weight[c];
        const double added = offset ? offset[picture * offset_stride + c] : 0.0;
        result.scale[static_cast<std::size_t>(picture * channels + c)] = static_cast<float>(scale);
        result.shift[static_cast<std::size_t>(picture * channels + c)] =
            static_cast<float>(bias[c] + (added - mean) * scale);
      }
    }
  }
  return result;
}

template <typename T>
void normalise(const T* x, T* y, const ScaleShift& line, std::int64_t batch, std::int64_t positions,
               std::int64_t channels, bool silu) {
  const std::int64_t chunks = (positions + kChunk - 1) / kChunk;
  parallel_chunks(batch * chunks, 1, [&](std::int64_t task, std::int64_t) {
    const std::int64_t picture = task / chunks, first = task % chunks * kChunk;
    const std::int64_t at = (picture * positions + first) * channels;
    kernels<T>().scale_shift(x + at, y + at, std::min(kChunk, positions - first), channels,
                             line.scale.data() + picture * channels, line.shift.data() + picture * channels,
                             silu);
  });
}

template <typename T>
void run(const Tensor& x, Tensor& y, const Tensor& weight, const Tensor& bias, const Tensor& offset,
         std::int64_t groups, double eps, bool silu) {
  const std::int64_t batch = x.size(0), channels = x.size(1), positions = x.size(2) * x.size(3);
  const auto* const from = static_cast<const T*>(x.const_data_ptr());
  const Sums sums = sum_channels(from, batch, positions, channels);
  const ScaleShift line = scale_and_shift(sums, batch, positions, channels, weight.const_data_ptr<float>(),
                                          bias.const_data_ptr<float>(),
                                          offset.defined() ? offset.const_data_ptr<float>() : nullptr,
                                          offset.defined() && offset.size(0) > 1 ? channels : 0, groups, eps);
  normalise(from, static_cast<T*>(y.data_ptr()), line, batch, positions, channels, silu);
}

}  // namespace

bool group_norm_fits(const Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

Tensor fused_group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                        double eps, const Tensor& offset, bool silu) {
  const auto plain = [](const Tensor& tensor) { return tensor.to(at::kFloat).contiguous(); };
  Tensor y = at::empty_like(x, {}, at::MemoryFormat::ChannelsLast);
  const Tensor added = offset.defined() ? plain(offset) : Tensor();
  if (x.scalar_type() == at::kFloat)
    run<float>(x, y, plain(weight), plain(bias), added, groups, eps, silu);
  else
    run<std::uint16_t>(x, y, plain(weight), plain(bias), added, groups, eps, silu);
  return y;
}

}  // namespace sdgen
