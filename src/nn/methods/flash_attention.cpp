#include "nn/methods/flash_attention.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "compute/kernels/kernels.h"
#include "nn/methods/brgemm.h"

namespace sdgen {
namespace {

// Blocks of scores stay in a core's second-level cache.
constexpr std::int64_t kRows = 64;
constexpr std::int64_t kKeys = 512;

struct Sizes {
  std::int64_t batch, heads, queries, keys, width;
  std::int64_t key_blocks() const { return blocks(keys, kKeys); }
  std::int64_t row_blocks() const { return blocks(queries, kRows); }
  std::int64_t keys_of(std::int64_t block) const { return std::min(kKeys, keys - block * kKeys); }
};

// K^T and V of every head as brgemm wants its right-hand side: float32 as a plain matrix, bfloat16 with two
// neighbouring rows interleaved (VNNI).
template <typename Scalar>
struct PackedKeysValues {
  const Sizes sizes;
  Tensor keys_storage, values_storage;

  PackedKeysValues(const Sizes& sizes, const Tensor& k)
      : sizes(sizes),
        keys_storage(
            at::empty({sizes.batch * sizes.heads * sizes.key_blocks() * sizes.width * kKeys}, k.options())),
        values_storage(at::empty_like(keys_storage)) {}

  std::int64_t block_size() const { return sizes.width * kKeys; }
  Scalar* keys(std::int64_t head, std::int64_t block) const {
    return keys_storage.data_ptr<Scalar>() + (head * sizes.key_blocks() + block) * block_size();
  }
  Scalar* values(std::int64_t head, std::int64_t block) const {
    return values_storage.data_ptr<Scalar>() + (head * sizes.key_blocks() + block) * block_size();
  }
  // [width / 2, kKeys, 2] or [width, kKeys]
  void pack_keys(const Scalar* k, std::int64_t stride, std::int64_t count, Scalar* packed) const {
    using Unit =
        std::conditional_t<kInterleaved<Scalar> == 2, std::uint32_t, float>;  // two bfloat16 move as one
    const std::int64_t units = sizes.width / kInterleaved<Scalar>;
    auto* const to = reinterpret_cast<Unit*>(packed);
    constexpr std::int64_t kTile = 16;  // a tile of sources stays in the first-level cache
    for (std::int64_t first = 0; first < count; first += kTile)
      for (std::int64_t unit = 0; unit < units; ++unit)
        for (std::int64_t key = first; key < std::min(count, first + kTile); ++key)
          to[unit * kKeys + key] = reinterpret_cast<const Unit*>(k + key * stride)[unit];
  }
  // [kKeys / 2, width, 2] or [kKeys, width]; an odd last row is paired with zeros
  void pack_values(const Scalar* v, std::int64_t stride, std::int64_t count, Scalar* packed) const {
    for (std::int64_t key = 0; key < count; key += kInterleaved<Scalar>) {
      for (std::int64_t other = 0; other < kInterleaved<Scalar>; ++other) {
        Scalar* const to = packed + key * sizes.width + other;
        const bool exists = key + other < count;
        const Scalar* const from = v + (exists ? key + other : key) * stride;
        for (std::int64_t i = 0; i < sizes.width; ++i)
          to[i * kInterleaved<Scalar>] = exists ? from[i] : Scalar(0.0F);
      }
    }
  }
};

// What a thread needs for one block of rows.
template <typename Scalar>
struct Scratch {
  std::vector<float> scores, mixed, maximum, sum;
  std::vector<Scalar> weights;

  explicit Scratch(const Sizes& sizes)
      : scores(kRows * kKeys),
        mixed(kRows * sizes.width),
        maximum(kRows),
        sum(kRows),
        weights(std::is_same_v<Scalar, float> ? 0 : kRows * kKeys) {}
  Scalar* weights_data() {
    if constexpr (std::is_same_v<Scalar, float>) return scores.data();
    return weights.data();
  }
};

template <typename Scalar>
void attend_rows(const Scalar* q, std::int64_t q_stride, std::int64_t rows, std::int64_t head,
                 const PackedKeysValues<Scalar>& packed, Scratch<Scalar>& scratch, Scalar* out,
                 std::int64_t out_stride) {
  const auto& sizes = packed.sizes;
  const Kernels<Bits<Scalar>>& loops = kernels<Bits<Scalar>>();
  const auto scale = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(sizes.width)));
  std::fill(scratch.maximum.begin(), scratch.maximum.end(), -std::numeric_limits<float>::infinity());
  std::fill(scratch.sum.begin(), scratch.sum.end(), 0.0F);
  std::fill(scratch.mixed.begin(), scratch.mixed.end(), 0.0F);
  for (std::int64_t block = 0; block < sizes.key_blocks(); ++block) {
    const std::int64_t keys = sizes.keys_of(block);
    const std::int64_t padded_keys = kInterleaved<Scalar> == 2 ? keys + keys % 2 : keys;
    brgemm<Scalar>(rows, keys, sizes.width, q, q_stride, packed.keys(head, block), kKeys,
                   scratch.scores.data(), kKeys, /*add=*/false);
    loops.softmax_block({scratch.scores.data(), reinterpret_cast<Bits<Scalar>*>(scratch.weights_data()), rows,
                         keys, padded_keys, kKeys, scale, scratch.maximum.data(), scratch.sum.data(),
                         scratch.mixed.data(), sizes.width});
    brgemm<Scalar>(rows, sizes.width, padded_keys, scratch.weights_data(), kKeys, packed.values(head, block),
                   sizes.width, scratch.mixed.data(), sizes.width, /*add=*/true);
  }
  loops.divide_rows(scratch.mixed.data(), scratch.sum.data(), reinterpret_cast<Bits<Scalar>*>(out), rows,
                    sizes.width, out_stride);
}

template <typename Scalar>
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads) {
  const Sizes sizes{q.size(0), heads, q.size(1), k.size(1), q.size(2) / heads};
  const PackedKeysValues<Scalar> packed(sizes, k);
  const std::int64_t all_heads = sizes.batch * heads;
  const auto* const k_data = k.const_data_ptr<Scalar>();
  const auto* const v_data = v.const_data_ptr<Scalar>();
  run_tasks(all_heads * sizes.key_blocks(), [&](TaskCounter& tasks) {
    for (std::int64_t task = 0; tasks.next(task);) {
      const std::int64_t head = task / sizes.key_blocks(), block = task % sizes.key_blocks();
      const std::int64_t column = head % heads * sizes.width;
      const auto from = [&](const Scalar* data, const Tensor& tensor) {
        return data + head / heads * tensor.stride(0) + block * kKeys * tensor.stride(1) + column;
      };
      packed.pack_keys(from(k_data, k), k.stride(1), sizes.keys_of(block), packed.keys(head, block));
      packed.pack_values(from(v_data, v), v.stride(1), sizes.keys_of(block), packed.values(head, block));
    }
  });

  Tensor out = at::empty(q.sizes(), q.options());
  const auto* const q_data = q.const_data_ptr<Scalar>();
  auto* const out_data = out.data_ptr<Scalar>();
  run_tasks(all_heads * sizes.row_blocks(), [&](TaskCounter& tasks) {
    Scratch<Scalar> scratch(sizes);
    for (std::int64_t task = 0; tasks.next(task);) {
      const std::int64_t head = task / sizes.row_blocks(), first = task % sizes.row_blocks() * kRows;
      const std::int64_t column = head % heads * sizes.width;
      attend_rows(q_data + head / heads * q.stride(0) + first * q.stride(1) + column, q.stride(1),
                  std::min(kRows, sizes.queries - first), head, packed, scratch,
                  out_data + head / heads * out.stride(0) + first * out.stride(1) + column, out.stride(1));
    }
    brgemm_done<Scalar>();
  });
  return out;
}

}  // namespace

bool flash_attention_fits(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads) {
  const auto fits = [&](const Tensor& x) {
    return x.is_cpu() && x.scalar_type() == q.scalar_type() && x.stride(2) == 1 && x.size(1) > 0;
  };
  if (!fits(q) || !fits(k) || !fits(v)) return false;
  return brgemm_runs_on(q) && q.size(2) / heads % kInterleaved<at::BFloat16> == 0;
}

Tensor flash_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads) {
  return q.scalar_type() == at::kFloat ? attend<float>(q, k, v, heads) : attend<at::BFloat16>(q, k, v, heads);
}

}  // namespace sdgen
