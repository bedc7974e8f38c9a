#include "nn/winograd.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/kernels/kernels.h"
#include "base/parallel.h"
#include "nn/brgemm.h"

namespace sdgen {
namespace {

constexpr std::int64_t kElements = 16;  // of a transformed tile: 4x4
constexpr std::int64_t kTiles = 64;     // left-hand rows of one multiplication
constexpr std::int64_t kChannels = 64;  // output channels of one multiplication
constexpr std::int64_t kTransformed =
    4 << 20;  // numbers transformed before they are used: they stay in the cache

std::int64_t blocks(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

// Positions of the input and output of a tile: tile (ty, tx) of a picture covers outputs 2ty, 2ty+1 and
// inputs 2ty-1 to 2ty+2.
struct Tiling {
  std::int64_t height, width;
  std::int64_t down() const { return (height + 1) / 2; }
  std::int64_t across() const { return (width + 1) / 2; }
  std::int64_t of_picture() const { return down() * across(); }

  // The index of position (y, x) of the tile's picture among all positions, or -1 outside of it.
  std::int64_t position(std::int64_t tile, std::int64_t dy, std::int64_t dx) const {
    const std::int64_t in_picture = tile % of_picture();
    const std::int64_t y = in_picture / across() * 2 + dy, x = in_picture % across() * 2 + dx;
    if (y < 0 || y >= height || x < 0 || x >= width) return -1;
    return (tile / of_picture() * height + y) * width + x;
  }
};

// [element, channel block, in / interleaved, kChannels, interleaved]: what one multiplication reads is
// contiguous.
template <typename Scalar>
struct Filters {
  std::int64_t in, out;
  std::int64_t block_size() const { return in * kChannels; }
  std::int64_t size() const { return kElements * blocks(out, kChannels) * block_size(); }
  std::int64_t offset(std::int64_t element, std::int64_t block) const {
    return (block * kElements + element) * block_size();
  }
};

template <typename Scalar>
Tensor transform_filters(const Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const Filters<Scalar> filters{in, out};
  Tensor transformed = at::empty({filters.size()}, weight.options());
  const Tensor plain = weight.contiguous();
  const auto* const from = plain.const_data_ptr<Scalar>();
  auto* const to = transformed.data_ptr<Scalar>();
  constexpr std::int64_t kInputs = 16;  // input channels a task transforms
  const std::int64_t input_blocks = blocks(in, kInputs);
  run_tasks(blocks(out, kChannels) * input_blocks, [&](TaskCounter& tasks) {
    std::vector<float> g(kInputs * 9 * kChannels), u(2 * kElements * kChannels);
    for (std::int64_t task = 0; tasks.next(task);) {
      const std::int64_t block = task / input_blocks, first = task % input_blocks * kInputs;
      const std::int64_t inputs = std::min(kInputs, in - first);
      for (std::int64_t o = 0; o < std::min(kChannels, out - block * kChannels); ++o) {
        const Scalar* const taps = from + ((block * kChannels + o) * in + first) * 9;
        for (std::int64_t tap = 0; tap < inputs * 9; ++tap)
          g[tap * kChannels + o] = static_cast<float>(taps[tap]);
      }
      for (std::int64_t i = 0; i < inputs; i += 2) {  // winograd_fits() wants an even number
        for (std::int64_t one = 0; one < 2; ++one)
          kernels<float>().winograd_filter(g.data() + (i + one) * 9 * kChannels,
                                           u.data() + one * kElements * kChannels, kChannels, kChannels);
        for (std::int64_t element = 0; element < kElements; ++element)
          kernels<Bits<Scalar>>().pair_rows(
              u.data() + element * kChannels, u.data() + (kElements + element) * kChannels,
              reinterpret_cast<Bits<Scalar>*>(to + filters.offset(element, block) + (first + i) * kChannels),
              kChannels);
      }
    }
  });
  return transformed;
}

template <typename Scalar>
class Convolution {
 public:
  Convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& added)
      : in_(x.size(1)),
        out_(bias.size(0)),
        tiling_{x.size(2), x.size(3)},
        filters_{in_, out_},
        x_(data(x)),
        weight_(weight.const_data_ptr<Scalar>()),
        bias_(bias.to(at::kFloat)),
        added_(added.defined() ? data(added) : nullptr),
        zeros_(static_cast<std::size_t>(std::max(in_, kChannels)), Number{}),
        tiles_(x.size(0) * tiling_.of_picture()),
        // Whole blocks of tiles, as many as the cache holds.
        together_(
            std::min(tiles_, std::max<std::int64_t>(1, kTransformed / (kElements * in_) / kTiles) * kTiles)),
        transformed_(at::empty({kElements * together_ * in_}, x.options())) {}

  void run(Tensor& y) {
    y_ = static_cast<Number*>(y.data_ptr());
    for (std::int64_t first = 0; first < tiles_; first += together_) {
      const std::int64_t count = std::min(together_, tiles_ - first);
      parallel_chunks(count, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t tile = begin; tile < end; ++tile) transform(first + tile, tile);
      });
      const std::int64_t channel_blocks = blocks(out_, kChannels);
      run_tasks(blocks(count, kTiles) * channel_blocks, [&](TaskCounter& tasks) {
        std::vector<float> products(kElements * kTiles * kChannels);
        std::vector<Number> outside(kChannels);
        for (std::int64_t task = 0; tasks.next(task);) {
          const std::int64_t begin = task / channel_blocks * kTiles;
          multiply(first, begin, std::min(kTiles, count - begin), task % channel_blocks, products, outside);
        }
        brgemm_done<Scalar>();
      });
    }
  }

 private:
  using Number = Bits<Scalar>;

  static const Number* data(const Tensor& tensor) {
    return static_cast<const Number*>(tensor.const_data_ptr());
  }

  Number* transformed(std::int64_t element, std::int64_t row) {
    return static_cast<Number*>(transformed_.data_ptr()) + (element * together_ + row) * in_;
  }

  void transform(std::int64_t tile, std::int64_t row) {
    std::array<const Number*, kElements> d;
    for (std::int64_t i = 0; i < kElements; ++i) {
      const std::int64_t position = tiling_.position(tile, i / 4 - 1, i % 4 - 1);
      d[i] = position < 0 ? zeros_.data() : x_ + position * in_;
    }
    kernels<Number>().winograd_input(d.data(), transformed(0, row), together_ * in_, in_);
  }

  // Output channels of `block` for tiles first + begin, ..., count of them.
  void multiply(std::int64_t first, std::int64_t begin, std::int64_t count, std::int64_t block,
                std::vector<float>& products, std::vector<Number>& outside) {
    const std::int64_t channels = std::min(kChannels, out_ - block * kChannels);
    for (std::int64_t element = 0; element < kElements; ++element)
      brgemm<Scalar>(count, channels, in_, reinterpret_cast<const Scalar*>(transformed(element, begin)), in_,
                     weight_ + filters_.offset(element, block), kChannels,
                     products.data() + element * kTiles * kChannels, kChannels, /*add=*/false);
    for (std::int64_t row = 0; row < count; ++row) {
      std::array<Number*, 4> y;
      std::array<const Number*, 4> added;
      for (std::int64_t i = 0; i < 4; ++i) {
        const std::int64_t position = tiling_.position(first + begin + row, i / 2, i % 2);
        const std::int64_t at = position * out_ + block * kChannels;
        y[i] = position < 0 ? outside.data() : y_ + at;
        added[i] = position < 0 || !added_ ? zeros_.data() : added_ + at;
      }
      kernels<Number>().winograd_output(products.data() + row * kChannels, kTiles * kChannels,
                                        bias_.const_data_ptr<float>() + block * kChannels, added.data(),
                                        y.data(), channels);
    }
  }

  std::int64_t in_, out_;
  Tiling tiling_;
  Filters<Scalar> filters_;
  const Number* x_;
  const Scalar* weight_;
  Tensor bias_;
  const Number* added_;
  std::vector<Number> zeros_;
  std::int64_t tiles_, together_;
  Tensor transformed_;  // [kElements, together_, in_]
  Number* y_ = nullptr;
};

}  // namespace

bool winograd_fits(const Tensor& weight) {
  return brgemm_runs_on(weight) && weight.size(2) == 3 && weight.size(3) == 3 && weight.size(0) >= 16 &&
         weight.size(1) >= 16 && weight.size(1) % 2 == 0;
}

Tensor winograd_weight(const Tensor& weight) {
  return weight.scalar_type() == at::kFloat ? transform_filters<float>(weight)
                                            : transform_filters<at::BFloat16>(weight);
}

Tensor winograd_conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& added) {
  Tensor y =
      at::empty({x.size(0), bias.size(0), x.size(2), x.size(3)}, x.options(), at::MemoryFormat::ChannelsLast);
  const Tensor residual = added.defined() ? added.contiguous(at::MemoryFormat::ChannelsLast) : added;
  if (x.scalar_type() == at::kFloat)
    Convolution<float>(x, weight, bias, residual).run(y);
  else
    Convolution<at::BFloat16>(x, weight, bias, residual).run(y);
  return y;
}

}  // namespace sdgen
