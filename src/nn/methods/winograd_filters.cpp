// Filters transformed once, when they are loaded.
#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "compute/kernels/kernels.h"
#include "nn/methods/brgemm.h"
#include "nn/methods/winograd.h"
#include "nn/methods/winograd_tiles.h"

namespace sdgen {
namespace {

using namespace winograd;

constexpr std::int64_t kInputsTogether = 8;  // their taps of kChannels outputs stay in the first-level cache

// The taps of `inputs` neighbouring inputs (at most kInputsTogether) for `outputs` outputs: [inputs * 9,
// kChannels]. `in` is the number of inputs that each output has.
template <typename Scalar>
void gather_taps(const Scalar* from, std::int64_t in, std::int64_t outputs, std::int64_t inputs, float* g) {
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t tap = 0; tap < inputs * 9; ++tap)
      g[tap * kChannels + o] = static_cast<float>(from[o * in * 9 + tap]);
}

template <typename Scalar>
Tensor transform_filters(const Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const Filters filters{in, out};
  Tensor transformed = at::empty({filters.size()}, weight.options());
  const Tensor plain = weight.contiguous();
  const auto* const from = plain.const_data_ptr<Scalar>();
  auto* const to = transformed.data_ptr<Scalar>();
  constexpr std::int64_t kInputs = 64;  // input channels a task transforms: it writes whole pages
  const std::int64_t input_blocks = blocks(in, kInputs);
  run_tasks(blocks(out, kChannels) * input_blocks, [&](TaskCounter& tasks) {
    std::vector<float> g(kInputsTogether * 9 * kChannels), u(2 * kElements * kChannels);
    for (std::int64_t task = 0; tasks.next(task);) {
      const std::int64_t block = task / input_blocks, begin = task % input_blocks * kInputs;
      const std::int64_t end = std::min(begin + kInputs, in),
                         outputs = std::min(kChannels, out - block * kChannels);
      for (std::int64_t i = begin; i < end; i += 2) {  // winograd_fits() wants an even number
        const std::int64_t gathered = (i - begin) % kInputsTogether;
        if (gathered == 0)
          gather_taps(from + (block * kChannels * in + i) * 9, in, outputs,
                      std::min(kInputsTogether, end - i), g.data());
        for (std::int64_t one = 0; one < 2; ++one)
          kernels<float>().winograd_filter(g.data() + (gathered + one) * 9 * kChannels,
                                           u.data() + one * kElements * kChannels, kChannels, kChannels);
        for (std::int64_t element = 0; element < kElements; ++element)
          kernels<Bits<Scalar>>().pair_rows(
              u.data() + element * kChannels, u.data() + (kElements + element) * kChannels,
              reinterpret_cast<Bits<Scalar>*>(to + filters.offset(element, block) + i * kChannels),
              kChannels);
      }
    }
  });
  return transformed;
}

// One block of outputs after the other: transformed as a whole, since an output's scale asks for all its
// inputs.
template <typename Scalar>
ByteWeight transform_filters_to_bytes(const Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const Filters filters{in, out};
  const auto options = weight.options();
  ByteWeight packed{at::zeros({filters.size()}, options.dtype(at::kChar)),
                    at::empty({kElements, out}, options.dtype(at::kFloat)),
                    at::empty({kElements, out}, options.dtype(at::kInt))};
  const Tensor plain = weight.contiguous();
  const auto* const from = plain.const_data_ptr<Scalar>();
  run_tasks(blocks(out, kChannels), [&](TaskCounter& tasks) {
    std::vector<float> g(kInputsTogether * 9 * kChannels);
    std::vector<float> u(static_cast<std::size_t>(kElements * in * kChannels));  // [element, in, kChannels]
    for (std::int64_t block = 0; tasks.next(block);) {
      const std::int64_t first = block * kChannels, count = std::min(kChannels, out - first);
      for (std::int64_t i = 0; i < in; ++i) {
        const std::int64_t gathered = i % kInputsTogether;
        if (gathered == 0)
          gather_taps(from + (first * in + i) * 9, in, count, std::min(kInputsTogether, in - i), g.data());
        kernels<float>().winograd_filter(g.data() + gathered * 9 * kChannels, u.data() + i * kChannels,
                                         in * kChannels, kChannels);
      }
      for (std::int64_t element = 0; element < kElements; ++element)
        pack_bytes(u.data() + element * in * kChannels, kChannels, in, count,
                   packed.bytes.data_ptr<std::int8_t>() + filters.offset(element, block),
                   packed.scale.data_ptr<float>() + element * out + first,
                   packed.offset.data_ptr<std::int32_t>() + element * out + first);
    }
  });
  return packed;
}

}  // namespace

Tensor winograd_weight(const Tensor& weight) {
  return weight.scalar_type() == at::kFloat ? transform_filters<float>(weight)
                                            : transform_filters<at::BFloat16>(weight);
}

ByteWeight winograd_int8_weight(const Tensor& weight) {
  return weight.scalar_type() == at::kFloat ? transform_filters_to_bytes<float>(weight)
                                            : transform_filters_to_bytes<at::BFloat16>(weight);
}

}  // namespace sdgen
