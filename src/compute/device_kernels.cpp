#include "compute/device_kernels.h"

#ifdef SDGEN_CUDA_KERNELS

#include <c10/core/DeviceGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "compute/device_launch.h"

namespace sdgen {
namespace {

device::Number number_of(const Tensor& x) {
  if (x.scalar_type() == at::kHalf) return device::Number::kHalf;
  return x.scalar_type() == at::kBFloat16 ? device::Number::kBFloat16 : device::Number::kFloat;
}

template <typename Call>
void launch_on_device_of(const Tensor& x, const Call& call) {
  const c10::DeviceGuard guard(x.device());
  const std::string failure =
      device::launch(call, c10::cuda::getCurrentCUDAStream(x.device().index()).stream());
  if (!failure.empty()) fail_working("CUDA kernel: ", failure);
}

// Kernels read bare pointers: all tensors of a call have the numbers and the device of the first.
void require_alike(const Tensor& x, std::initializer_list<Tensor> others) {
  for (const Tensor& other : others)
    if (other.defined() && (other.scalar_type() != x.scalar_type() || other.device() != x.device()))
      fail_working("CUDA kernel: ", other.toString(), " on ", other.device().str(), " beside ", x.toString(),
                   " on ", x.device().str());
}

Tensor channels_last(const Tensor& map) {
  return map.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

bool has_device_kernels(const Tensor& x, std::int64_t channels) {
  const bool known =
      x.scalar_type() == at::kFloat || x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
  return x.is_cuda() && known && x.numel() > 0 && channels % 2 == 0;
}

bool has_device_group_norm(const Tensor& x, std::int64_t groups) {
  return x.dim() == 4 && has_device_kernels(x, x.size(1)) &&
         device::group_norm_fits(static_cast<int>(x.size(1)), static_cast<int>(groups));
}

Tensor device_group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                         double eps, const Tensor& offset, bool silu) {
  require_alike(x, {weight, bias, offset});
  const Tensor map = channels_last(x);
  const Tensor added = offset.defined() ? offset.contiguous() : offset;
  Tensor y = at::empty_like(map, {}, at::MemoryFormat::ChannelsLast);
  device::GroupNorm call{};
  call.number = number_of(map);
  call.x = map.const_data_ptr();
  call.y = y.data_ptr();
  call.weight = weight.const_data_ptr();
  call.bias = bias.const_data_ptr();
  call.offset = added.defined() ? added.const_data_ptr() : nullptr;
  call.offset_stride = added.defined() && added.size(0) > 1 ? added.size(1) : 0;
  call.batch = static_cast<int>(map.size(0));
  call.positions = static_cast<int>(map.size(2) * map.size(3));
  call.channels = static_cast<int>(map.size(1));
  call.groups = static_cast<int>(groups);
  call.eps = static_cast<float>(eps);
  call.silu = silu;
  device::share_out(call);
  const Tensor sums = at::empty({call.batch, call.chunks, call.groups, 2}, map.options().dtype(at::kFloat));
  call.sums = sums.data_ptr<float>();
  launch_on_device_of(map, call);
  return y;
}

Tensor device_add_to_map(const Tensor& y, const Tensor& bias, const Tensor& added) {
  require_alike(y, {bias, added});
  Tensor sum = channels_last(y);
  const Tensor other = added.defined() ? channels_last(added) : added;
  device::AddRows call{};
  call.number = number_of(sum);
  call.rows = sum.numel() / sum.size(1);
  call.channels = static_cast<int>(sum.size(1));
  call.y = sum.data_ptr();
  call.bias = bias.const_data_ptr();
  call.added = other.defined() ? other.const_data_ptr() : nullptr;
  launch_on_device_of(sum, call);
  return sum;
}

Tensor device_geglu(const Tensor& x) {
  const Tensor rows = x.contiguous();
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape.back() /= 2;
  Tensor y = at::empty(shape, rows.options());
  device::Geglu call{};
  call.number = number_of(rows);
  call.rows = y.numel() / shape.back();
  call.channels = static_cast<int>(shape.back());
  call.x = rows.const_data_ptr();
  call.y = y.data_ptr();
  launch_on_device_of(rows, call);
  return y;
}

}  // namespace sdgen

#else

namespace sdgen {

bool has_device_kernels(const Tensor&, std::int64_t) {
  return false;
}
bool has_device_group_norm(const Tensor&, std::int64_t) {
  return false;
}
Tensor device_group_norm(const Tensor& x, const Tensor&, const Tensor&, std::int64_t, double, const Tensor&,
                         bool) {
  return x;
}
Tensor device_add_to_map(const Tensor& y, const Tensor&, const Tensor&) {
  return y;
}
Tensor device_geglu(const Tensor& x) {
  return x;
}

}  // namespace sdgen

#endif
