// What our CUDA kernels are told: plain pointers and sizes, so that neither side sees the other's headers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace sdgen::device {

enum class Number { kFloat, kHalf, kBFloat16 };

// A thread has two neighbouring channels and goes through rows; a block is so many pairs wide and so many
// rows high.
constexpr int kMaxThreads = 512;

// GroupNorm over channels_last maps: x [batch, positions, channels]. Every pointer is of the number type but
// `sums`.
struct GroupNorm {
  Number number;
  const void* x;
  void* y;
  const void* weight;          // [channels]
  const void* bias;            // [channels]
  const void* offset;          // [batch or 1, channels], added to x; or null
  std::int64_t offset_stride;  // from picture to picture: channels or 0
  float* sums;                 // [batch, chunks, groups, 2], scratch
  int batch, positions, channels, groups;
  float eps;
  bool silu;
  // How it is shared out: see share_out().
  int width;             // channels of a group
  int groups_per_block;  // of all groups, so many side by side
  int lanes;             // positions side by side
  int chunks;            // parts of the positions whose sums are taken apart
  int positions_per_chunk;

  constexpr int pairs() const { return groups_per_block * width / 2; }
  constexpr int threads() const { return pairs() * lanes; }
  constexpr int tiles() const { return groups / groups_per_block; }
  // Floats of shared memory: two a thread, and mean and factor of each group.
  constexpr int shared_floats() const { return 2 * threads() + 2 * groups_per_block; }
};

// Whether groups of so many channels can be shared out.
inline bool group_norm_fits(int channels, int groups, int most_threads = kMaxThreads) {
  return channels % groups == 0 && channels / groups % 2 == 0 && channels / groups / 2 <= most_threads;
}

// Fills in how the work is shared out. Sums of chunks are added in one order, so that the result is the same
// each time.
inline void share_out(GroupNorm& call, int most_threads = kMaxThreads) {
  constexpr int kMaxChunks = 128, kRowsPerLane = 4;
  call.width = call.channels / call.groups;
  call.groups_per_block = 1;
  for (int groups = 1; groups <= call.groups; ++groups)
    if (call.groups % groups == 0 && groups * call.width / 2 <= most_threads) call.groups_per_block = groups;
  call.lanes = std::max(1, most_threads / call.pairs());
  call.positions_per_chunk =
      std::max(call.lanes * kRowsPerLane, (call.positions + kMaxChunks - 1) / kMaxChunks);
  call.chunks = (call.positions + call.positions_per_chunk - 1) / call.positions_per_chunk;
}

// Rows of `channels` (even) numbers.
struct Rows {
  Number number;
  std::int64_t rows;
  int channels;
};

// y[r][c] += bias[c] + added[r][c]; bias or added may be null
struct AddRows : Rows {
  void* y;
  const void* bias;
  const void* added;
};

// y[r][c] = x[r][c] * gelu(x[r][channels + c]); x [rows, 2 * channels]
struct Geglu : Rows {
  const void* x;
  void* y;
};

// Enqueue on `stream` (a cudaStream_t). Return what went wrong, empty if nothing did.
std::string launch(const GroupNorm& call, void* stream);
std::string launch(const AddRows& call, void* stream);
std::string launch(const Geglu& call, void* stream);

}  // namespace sdgen::device
