#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "compute/device_launch.h"

namespace sdgen {
namespace {

__device__ float to_float(float x) {
  return x;
}
__device__ float to_float(__half x) {
  return __half2float(x);
}
__device__ float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}

template <typename T>
__device__ T from_float(float x);
template <>
__device__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __half from_float<__half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

extern __shared__ float shared_floats[];

#define SDGEN_KERNEL __global__
#define SDGEN_DEVICE __device__
#define SDGEN_SHARED shared_floats
#define SDGEN_UNROLL _Pragma("unroll 4")
#include "compute/device_kernels.inc"

// work(T()) with the C++ type of `number`
template <typename Work>
std::string with_type(device::Number number, const Work& work) {
  switch (number) {
    case device::Number::kFloat:
      work(float());
      break;
    case device::Number::kHalf:
      work(__half());
      break;
    case device::Number::kBFloat16:
      work(__nv_bfloat16());
      break;
  }
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? std::string() : std::string(cudaGetErrorString(error));
}

// Blocks of any larger work: several for each multiprocessor of the largest cards.
constexpr std::int64_t kMaxBlocks = 1024;

unsigned blocks_for(std::int64_t rows, std::int64_t rows_per_block, std::int64_t beside) {
  const std::int64_t most = std::max<std::int64_t>(1, kMaxBlocks / beside);
  return static_cast<unsigned>(
      std::clamp<std::int64_t>((rows + rows_per_block - 1) / rows_per_block, 1, most));
}

struct RowLayout {
  dim3 grid, block;
};

RowLayout layout_of(const device::Rows& call) {
  constexpr int kThreads = 256;
  const int pairs = call.channels / 2, width = std::min(pairs, kThreads),
            height = std::max(1, kThreads / width);
  const int tiles = (pairs + width - 1) / width;
  return {dim3(blocks_for(call.rows, height, tiles), tiles), dim3(width, height)};
}

}  // namespace

namespace device {

std::string launch(const GroupNorm& call, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  const auto batch = static_cast<unsigned>(call.batch), tiles = static_cast<unsigned>(call.tiles());
  const dim3 of_sums(static_cast<unsigned>(call.chunks), batch, tiles);
  const dim3 of_norm(blocks_for(call.positions, 4 * call.lanes, batch * tiles), batch, tiles);
  const auto shared_bytes = static_cast<std::size_t>(call.shared_floats()) * sizeof(float);
  return with_type(call.number, [&]<typename T>(T) {
    group_sums<T><<<of_sums, call.threads(), shared_bytes, on>>>(call);
    group_norm<T><<<of_norm, call.threads(), shared_bytes, on>>>(call);
  });
}

std::string launch(const AddRows& call, void* stream) {
  const RowLayout layout = layout_of(call);
  return with_type(call.number, [&]<typename T>(T) {
    add_rows<T><<<layout.grid, layout.block, 0, static_cast<cudaStream_t>(stream)>>>(call);
  });
}

std::string launch(const Geglu& call, void* stream) {
  const RowLayout layout = layout_of(call);
  return with_type(call.number, [&]<typename T>(T) {
    geglu<T><<<layout.grid, layout.block, 0, static_cast<cudaStream_t>(stream)>>>(call);
  });
}

}  // namespace device
}  // namespace sdgen
