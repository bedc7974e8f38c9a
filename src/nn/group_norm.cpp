#include "nn/group_norm.h"

#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "compute/kernels/kernels.h"

namespace sdgen {
namespace {

// Positions of a map that one task sums or normalises.
constexpr std::int64_t kChunk = 256;

// A channels_last map.
template <typename T>
struct Map {
  const T* data;
  std::int64_t batch, positions, channels;

  std::int64_t chunks() const { return (positions + kChunk - 1) / kChunk; }  // of each picture
  const T* picture(std::int64_t index) const { return data + index * positions * channels; }

  // work(picture, first position, positions, which of all chunks) side by side
  template <typename Work>
  void for_each_chunk(const Work& work) const {
    parallel_chunks(batch * chunks(), 1, [&](std::int64_t task, std::int64_t) {
      const std::int64_t first = task % chunks() * kChunk;
      work(task / chunks(), first, std::min(kChunk, positions - first), task);
    });
  }
};

// A channel of one picture: how many numbers, and the sums of (x - pivot) and its square.
struct ChannelSums {
  double pivot = 0, sum = 0, squares = 0;
};

// [N, C]. The pivot is the picture's first number of the channel: sums of squares about zero would lose the
// spread's digits where the mean is far above it.
template <typename T>
std::vector<ChannelSums> sum_channels(const Map<T>& map, const float* pivots) {
  const auto size = static_cast<std::size_t>(map.batch * map.chunks() * map.channels);
  std::vector<float> sums(size), squares(size);  // [N, chunks, C]
  map.for_each_chunk([&](std::int64_t picture, std::int64_t first, std::int64_t count, std::int64_t chunk) {
    kernels<T>().channel_sums(map.picture(picture) + first * map.channels, map.picture(picture), count,
                              map.channels, sums.data() + chunk * map.channels,
                              squares.data() + chunk * map.channels);
  });
  std::vector<ChannelSums> totals(static_cast<std::size_t>(map.batch * map.channels));
  for (std::int64_t chunk = 0; chunk < map.batch * map.chunks(); ++chunk) {
    ChannelSums* const of_picture = totals.data() + chunk / map.chunks() * map.channels;
    for (std::int64_t c = 0; c < map.channels; ++c) {
      of_picture[c].sum += sums[static_cast<std::size_t>(chunk * map.channels + c)];
      of_picture[c].squares += squares[static_cast<std::size_t>(chunk * map.channels + c)];
    }
  }
  for (std::size_t i = 0; i < totals.size(); ++i) totals[i].pivot = pivots[i];
  return totals;
}

struct Moments {
  double mean, variance;
};

// Of `width` channels with `positions` numbers each.
Moments moments(const ChannelSums* channels, std::int64_t width, std::int64_t positions) {
  const auto numbers = static_cast<double>(positions), all = numbers * static_cast<double>(width);
  double mean = 0, squares = 0;
  for (std::int64_t c = 0; c < width; ++c) mean += (channels[c].sum + numbers * channels[c].pivot) / all;
  for (std::int64_t c = 0; c < width; ++c) {
    const double away = channels[c].pivot - mean;
    squares += channels[c].squares + 2 * away * channels[c].sum + numbers * away * away;
  }
  return {mean, std::max(0.0, squares / all)};
}

// norm(x + offset) * weight + bias as x * scale + shift: [N, C] each.
struct ScaleShift {
  std::vector<float> scale, shift;
};

// offset [N, C] or null; it moves the pivots, and with them the means.
ScaleShift scale_and_shift(std::vector<ChannelSums> sums, std::int64_t positions, const Tensor& weight,
                           const Tensor& bias, const float* offset, std::int64_t groups, double eps) {
  const std::int64_t channels = weight.size(0), width = channels / groups;
  const auto* const weights = weight.const_data_ptr<float>();
  const auto* const biases = bias.const_data_ptr<float>();
  ScaleShift line{std::vector<float>(sums.size()), std::vector<float>(sums.size())};
  if (offset)
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i].pivot += offset[i];
  for (std::size_t first = 0; first < sums.size();
       first += static_cast<std::size_t>(width)) {  // of each group
    const Moments group = moments(sums.data() + first, width, positions);
    for (std::size_t i = first; i < first + static_cast<std::size_t>(width); ++i) {
      const std::size_t c = i % static_cast<std::size_t>(channels);
      const double scale = weights[c] / std::sqrt(group.variance + eps);
      line.scale[i] = static_cast<float>(scale);
      line.shift[i] = static_cast<float>(biases[c] + ((offset ? offset[i] : 0.0) - group.mean) * scale);
    }
  }
  return line;
}

template <typename T>
void run(const Tensor& x, Tensor& y, const Tensor& weight, const Tensor& bias, const Tensor& offset,
         std::int64_t groups, double eps, bool silu) {
  const Map<T> map{static_cast<const T*>(x.const_data_ptr()), x.size(0), x.size(2) * x.size(3), x.size(1)};
  const Tensor pivots = x.select(3, 0).select(2, 0).to(at::kFloat).contiguous();  // [N, C]
  const ScaleShift line =
      scale_and_shift(sum_channels(map, pivots.const_data_ptr<float>()), map.positions, weight, bias,
                      offset.defined() ? offset.const_data_ptr<float>() : nullptr, groups, eps);
  auto* const to = static_cast<T*>(y.data_ptr());
  map.for_each_chunk([&](std::int64_t picture, std::int64_t first, std::int64_t count, std::int64_t) {
    kernels<T>().scale_shift(map.picture(picture) + first * map.channels,
                             to + (picture * map.positions + first) * map.channels, count, map.channels,
                             line.scale.data() + picture * map.channels,
                             line.shift.data() + picture * map.channels, silu);
  });
}

}  // namespace

bool group_norm_fits(const Tensor& x) {
  return has_kernels(x) && x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

Tensor fused_group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                        double eps, const Tensor& offset, bool silu) {
  const auto plain = [](const Tensor& tensor) { return tensor.to(at::kFloat).contiguous(); };
  Tensor y = at::empty_like(x, {}, at::MemoryFormat::ChannelsLast);
  const Tensor added = offset.defined() ? plain(offset.expand({x.size(0), x.size(1)})) : Tensor();
  if (x.scalar_type() == at::kFloat)
    run<float>(x, y, plain(weight), plain(bias), added, groups, eps, silu);
  else
    run<std::uint16_t>(x, y, plain(weight), plain(bias), added, groups, eps, silu);
  return y;
}

}  // namespace sdgen
