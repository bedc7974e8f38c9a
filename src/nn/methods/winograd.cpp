#include "nn/methods/winograd.h"
#include "nn/methods/methods.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/parallel.h"
#include "compute/kernels/kernels.h"
#include "nn/methods/brgemm.h"
#include "nn/methods/winograd_tiles.h"

namespace sdgen {
namespace {

using namespace winograd;

constexpr std::int64_t kMinChannels = 48;  // with fewer, transforming tiles costs more than it saves
constexpr std::int64_t kTransformed =
    4 << 20;  // numbers transformed before they are used: they stay in the cache

// Transformed tiles in the layer's own numbers.
template <typename Scalar>
class OwnNumbers {
 public:
  using Number = Bits<Scalar>;
  using Sum = float;
  struct Scratch {};

  OwnNumbers(const Tensor& weight, const Filters& filters, std::int64_t rows)
      : filters_(filters),
        weight_(weight),
        tiles_(at::empty({kElements, rows, filters.in}, weight.options())) {}

  Scratch scratch() const { return {}; }

  void transform(const Number* const* d, std::int64_t row, Scratch&) {
    kernels<Number>().winograd_input(d, static_cast<Number*>(tiles_.data_ptr()) + row * filters_.in,
                                     tiles_.stride(0), filters_.in);
  }

  void multiply(std::int64_t element, std::int64_t begin, std::int64_t count, std::int64_t block,
                std::int64_t channels, float* sums) const {
    brgemm<Scalar>(count, channels, filters_.in,
                   tiles_.const_data_ptr<Scalar>() + element * tiles_.stride(0) + begin * filters_.in,
                   filters_.in, weight_.const_data_ptr<Scalar>() + filters_.offset(element, block), kChannels,
                   sums, kChannels,
                   /*add=*/false);
  }

  void output(const float* sums, std::int64_t, std::int64_t, const float* bias, const Number* const* added,
              Number* const* y, std::int64_t channels) const {
    kernels<Number>().winograd_output(sums, kTiles * kChannels, bias, added, y, channels);
  }

  static void done() { brgemm_done<Scalar>(); }

 private:
  Filters filters_;
  Tensor weight_, tiles_;  // tiles_ [kElements, rows, in]
};

// Transformed tiles as bytes, each element of a tile with a scale.
template <typename Scalar>
class Bytes {
 public:
  using Number = Bits<Scalar>;
  using Sum = std::int32_t;
  using Scratch = std::vector<float>;  // [kElements, in]

  Bytes(const ByteWeight& weight, const Filters& filters, std::int64_t rows)
      : filters_(filters),
        weight_(weight),
        tiles_(at::empty({kElements, rows, filters.in}, weight.bytes.options().dtype(at::kByte))),
        scale_(static_cast<std::size_t>(rows * kElements)) {}

  Scratch scratch() const { return Scratch(static_cast<std::size_t>(kElements * filters_.in)); }

  void transform(const Number* const* d, std::int64_t row, Scratch& elements) {
    const std::int64_t in = filters_.in;
    kernels<Number>().winograd_input_float(d, elements.data(), in, in);
    for (std::int64_t i = 0; i < kElements; ++i)
      scale_[static_cast<std::size_t>(row * kElements + i)] = kernels<float>().quantize_row(
          elements.data() + i * in, tiles_.data_ptr<std::uint8_t>() + i * tiles_.stride(0) + row * in, in);
  }

  void multiply(std::int64_t element, std::int64_t begin, std::int64_t count, std::int64_t block,
                std::int64_t channels, std::int32_t* sums) const {
    multiply_bytes(count, channels, filters_.in,
                   tiles_.const_data_ptr<std::uint8_t>() + element * tiles_.stride(0) + begin * filters_.in,
                   filters_.in, weight_.bytes.const_data_ptr<std::int8_t>() + filters_.offset(element, block),
                   sums);
  }

  void output(const std::int32_t* sums, std::int64_t row, std::int64_t block, const float* bias,
              const Number* const* added, Number* const* y, std::int64_t channels) const {
    const ByteTile tile{sums,
                        kTiles * kChannels,
                        weight_.offset.const_data_ptr<std::int32_t>() + block * kChannels,
                        weight_.scale.const_data_ptr<float>() + block * kChannels,
                        filters_.out,
                        scale_.data() + row * kElements};
    kernels<Number>().winograd_output_bytes(tile, bias, added, y, channels);
  }

  static void done() { multiply_bytes_done(); }

 private:
  Filters filters_;
  ByteWeight weight_;
  Tensor tiles_;              // [kElements, rows, in]
  std::vector<float> scale_;  // [rows, kElements]
};

template <typename Arithmetic>
class Convolution {
 public:
  template <typename Weight>
  Convolution(const Tensor& x, const Weight& weight, const Tensor& bias, const Tensor& added)
      : in_(x.size(1)),
        out_(bias.size(0)),
        tiling_{x.size(2), x.size(3)},
        x_(data(x)),
        bias_(bias.to(at::kFloat)),
        added_(added.defined() ? data(added) : nullptr),
        zeros_(static_cast<std::size_t>(std::max(in_, kChannels)), Number{}),
        tiles_(x.size(0) * tiling_.of_picture()),
        // Whole blocks of tiles, as many as the cache holds.
        together_(
            std::min(tiles_, std::max<std::int64_t>(1, kTransformed / (kElements * in_) / kTiles) * kTiles)),
        arithmetic_(weight, {in_, out_}, together_) {}

  void run(Tensor& y) {
    y_ = static_cast<Number*>(y.data_ptr());
    for (std::int64_t first = 0; first < tiles_; first += together_) {
      const std::int64_t count = std::min(together_, tiles_ - first);
      run_tasks(blocks(count, kTilesATask), [&](TaskCounter& tasks) {
        auto scratch = arithmetic_.scratch();
        for (std::int64_t task = 0; tasks.next(task);)
          for (std::int64_t tile = task * kTilesATask; tile < std::min(count, (task + 1) * kTilesATask);
               ++tile)
            transform(first + tile, tile, scratch);
      });
      const std::int64_t channel_blocks = blocks(out_, kChannels);
      run_tasks(blocks(count, kTiles) * channel_blocks, [&](TaskCounter& tasks) {
        std::vector<Sum> sums(kElements * kTiles * kChannels);
        std::vector<Number> outside(kChannels);
        for (std::int64_t task = 0; tasks.next(task);) {
          const std::int64_t begin = task / channel_blocks * kTiles;
          multiply(first, begin, std::min(kTiles, count - begin), task % channel_blocks, sums, outside);
        }
        Arithmetic::done();
      });
    }
  }

 private:
  using Number = typename Arithmetic::Number;
  using Sum = typename Arithmetic::Sum;
  static constexpr std::int64_t kTilesATask = 16;

  static const Number* data(const Tensor& tensor) {
    return static_cast<const Number*>(tensor.const_data_ptr());
  }

  void transform(std::int64_t tile, std::int64_t row, typename Arithmetic::Scratch& scratch) {
    std::array<const Number*, kElements> d;
    for (std::int64_t i = 0; i < kElements; ++i) {
      const std::int64_t position = tiling_.position(tile, i / 4 - 1, i % 4 - 1);
      d[i] = position < 0 ? zeros_.data() : x_ + position * in_;
    }
    arithmetic_.transform(d.data(), row, scratch);
  }

  // Output channels of `block` for tiles first + begin, ..., count of them.
  void multiply(std::int64_t first, std::int64_t begin, std::int64_t count, std::int64_t block,
                std::vector<Sum>& sums, std::vector<Number>& outside) {
    const std::int64_t channels = std::min(kChannels, out_ - block * kChannels);
    for (std::int64_t element = 0; element < kElements; ++element)
      arithmetic_.multiply(element, begin, count, block, channels,
                           sums.data() + element * kTiles * kChannels);
    for (std::int64_t row = 0; row < count; ++row) {
      std::array<Number*, 4> y;
      std::array<const Number*, 4> added;
      for (std::int64_t i = 0; i < 4; ++i) {
        const std::int64_t position = tiling_.position(first + begin + row, i / 2, i % 2);
        const std::int64_t at = position * out_ + block * kChannels;
        y[i] = position < 0 ? outside.data() : y_ + at;
        added[i] = position < 0 || !added_ ? zeros_.data() : added_ + at;
      }
      arithmetic_.output(sums.data() + row * kChannels, begin + row, block,
                         bias_.template const_data_ptr<float>() + block * kChannels, added.data(), y.data(),
                         channels);
    }
  }

  std::int64_t in_, out_;
  Tiling tiling_;
  const Number* x_;
  Tensor bias_;
  const Number* added_;
  std::vector<Number> zeros_;
  std::int64_t tiles_, together_;
  Arithmetic arithmetic_;
  Number* y_ = nullptr;
};

template <template <typename> typename Arithmetic, typename Weight>
Tensor convolve(const Tensor& x, const Weight& weight, const Tensor& bias, const Tensor& added) {
  Tensor y =
      at::empty({x.size(0), bias.size(0), x.size(2), x.size(3)}, x.options(), at::MemoryFormat::ChannelsLast);
  const Tensor residual = added.defined() ? added.contiguous(at::MemoryFormat::ChannelsLast) : added;
  if (x.scalar_type() == at::kFloat)
    Convolution<Arithmetic<float>>(x, weight, bias, residual).run(y);
  else
    Convolution<Arithmetic<at::BFloat16>>(x, weight, bias, residual).run(y);
  return y;
}

}  // namespace

bool winograd_fits(const Tensor& weight) {
  return brgemm_runs_on(weight) && weight.size(2) == 3 && weight.size(3) == 3 &&
         weight.size(0) >= kMinChannels && weight.size(1) >= kMinChannels && weight.size(1) % 2 == 0;
}

Tensor winograd_conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& added) {
  return convolve<OwnNumbers>(x, weight, bias, added);
}

Tensor winograd_int8_conv2d(const Tensor& x, const ByteWeight& weight, const Tensor& bias,
                            const Tensor& added) {
  return convolve<Bytes>(x, weight, bias, added);
}

namespace {

bool goes_winograd(const Tensor& weight, const ConvGeometry& geometry) {
  return geometry.stride == 1 && geometry.padding == 1 && winograd_fits(weight);
}

}  // namespace

ConvMethod winograd_method() {
  return {"winograd", " winograd",
          [](const Tensor& weight, const ConvGeometry& geometry, Quantize) {
            return goes_winograd(weight, geometry);
          },
          [](const Tensor& weight, const Tensor& bias, const ConvGeometry&, Quantize) -> ConvProduct {
            return {[filters = winograd_weight(weight), sums = bias.to(at::kFloat)](const Tensor& x,
                                                                                    const Tensor& added) {
              return winograd_conv2d(x, filters, sums, added);
            }};
          }};
}

ConvMethod winograd_int8_method() {
  return {"winograd int8", " winograd int8",
          [](const Tensor& weight, const ConvGeometry& geometry, Quantize quantize) {
            return quantize == Quantize::kInt8 && goes_winograd(weight, geometry) &&
                   int8_fits(weight, weight.size(1));
          },
          [](const Tensor& weight, const Tensor& bias, const ConvGeometry&, Quantize) -> ConvProduct {
            return {[bytes = winograd_int8_weight(weight), sums = bias.to(at::kFloat)](const Tensor& x,
                                                                                       const Tensor& added) {
              return winograd_int8_conv2d(x, bytes, sums, added);
            }};
          }};
}

}  // namespace sdgen
