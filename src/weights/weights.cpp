#include "weights/weights.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "base/parallel.h"
#include "base/tensor.h"
#include "base/work_watch.h"
#include "compute/kernels/kernels.h"
#include "sdgen/printable.h"

namespace sdgen {

namespace {

// Numbers a task converts.
constexpr std::int64_t kChunk = 1 << 16;

// `stored` as `T`, in one parallel pass that also looks for numbers that are not finite there.
template <typename T>
bool convert(const at::Tensor& stored, T* to) {
  std::atomic<bool> finite = true;
  const auto* const bytes = static_cast<const std::uint8_t*>(stored.const_data_ptr());
  parallel_chunks(stored.numel(), kChunk, [&](std::int64_t begin, std::int64_t end) {
    const Kernels<T>& loops = kernels<T>();
    const auto* const from = bytes + begin * static_cast<std::int64_t>(stored.element_size());
    const bool fine =
        stored.scalar_type() == at::kFloat
            ? loops.from_float(reinterpret_cast<const float*>(from), to + begin, end - begin)
        : stored.scalar_type() == at::kHalf
            ? loops.from_half(reinterpret_cast<const std::uint16_t*>(from), to + begin, end - begin)
            : loops.from_bfloat16(reinterpret_cast<const std::uint16_t*>(from), to + begin, end - begin);
    if (!fine) finite = false;
  });
  return finite;
}

std::uint64_t bytes_of(const TensorInfo& info) {
  return static_cast<std::uint64_t>(c10::multiply_integers(info.shape)) * c10::elementSize(info.dtype);
}

std::uint64_t stored_bytes(const TensorSource& source) {
  std::uint64_t bytes = 0;
  for (const std::string& key : source.keys()) bytes += bytes_of(*source.find(key));
  return bytes;
}

struct Converted {
  at::Tensor tensor;
  bool finite;
};

Converted convert(const at::Tensor& stored, at::ScalarType dtype) {
  const bool known = stored.scalar_type() == at::kFloat || stored.scalar_type() == at::kHalf ||
                     stored.scalar_type() == at::kBFloat16;
  if (stored.scalar_type() == dtype || !known || (dtype != at::kFloat && dtype != at::kBFloat16)) {
    at::Tensor tensor = stored.to(dtype);
    const bool finite = is_finite(tensor);
    return {std::move(tensor), finite};
  }
  at::Tensor tensor = at::empty(stored.sizes(), stored.options().dtype(dtype));
  const bool finite = dtype == at::kFloat ? convert(stored, tensor.data_ptr<float>())
                                          : convert(stored, static_cast<std::uint16_t*>(tensor.data_ptr()));
  return {std::move(tensor), finite};
}

}  // namespace

struct Weights::Shared {
  std::shared_ptr<const TensorSource> source;
  Compute compute;
  Mode mode;
  std::set<std::string> used;
};

Weights::Weights(std::shared_ptr<const TensorSource> source, const Compute& compute, Mode mode)
    : shared_(std::make_shared<Shared>(Shared{std::move(source), compute, mode, {}})),
      quantize_(compute.quantize) {
  if (mode == Mode::kRead) bytes_to_read(stored_bytes(*shared_->source));
}

Weights::Weights(std::shared_ptr<Shared> shared, std::string prefix, Quantize quantize)
    : shared_(std::move(shared)), prefix_(std::move(prefix)), quantize_(quantize) {}

Weights Weights::at(const std::string& name) const {
  return {shared_, prefix_ + name + ".", quantize_};
}

std::vector<std::vector<std::int64_t>> Weights::shapes() const {
  return shapes_below(*shared_->source, prefix_);
}

const Compute& Weights::compute() const {
  return shared_->compute;
}

bool Weights::is_check_only() const {
  return shared_->mode == Mode::kCheckOnly;
}

Quantize Weights::quantize() const {
  return quantize_;
}

Weights Weights::unquantized() const {
  return {shared_, prefix_, Quantize::kNone};
}

at::Tensor Weights::tensor(const std::string& name, at::IntArrayRef shape) const {
  const std::string key = prefix_ + name;
  const TensorInfo* const info = shared_->source->find(key);
  if (!info)
    fail_input(shared_->source->describe(), ": tensor '", key, "' ", shape_text(shape),
               " is missing; the config beside it asks for it");
  if (at::IntArrayRef(info->shape) != shape)
    fail_input(info->file, ": tensor '", info->stored_key, "': the config asks for shape ", shape_text(shape),
               ", found ", shape_text(info->shape));
  shared_->used.insert(key);
  if (shared_->mode == Mode::kCheckOnly)
    return at::empty(shape, at::TensorOptions().device(at::kMeta).dtype(shared_->compute.dtype));
  // Converted on the CPU first: half as many bytes travel to a GPU.
  const auto [tensor, finite] = convert(shared_->source->read(key), shared_->compute.dtype);
  if (!finite)
    fail_input(info->file, ": tensor '", info->stored_key, "' holds numbers that are not finite in ",
               dtype_name(shared_->compute.dtype), "; the file is damaged",
               info->dtype == shared_->compute.dtype ? "" : ", or needs --dtype float32");
  bytes_read(bytes_of(*info));
  return tensor.to(shared_->compute.device);
}

std::vector<std::string> Weights::unused(const std::vector<std::string>& ignored) const {
  std::vector<std::string> unused;
  for (const std::string& key : shared_->source->keys()) {
    const bool ignore = std::any_of(ignored.begin(), ignored.end(),
                                    [&](const std::string& prefix) { return key.starts_with(prefix); });
    if (!ignore && !shared_->used.contains(key)) unused.push_back(key);
  }
  return unused;
}

std::string Weights::unused_warning(const std::vector<std::string>& ignored) const {
  const std::vector<std::string> keys = unused(ignored);
  if (keys.empty()) return "";
  const std::string file = printable(shared_->source->describe(), 200), first = printable(keys.front(), 100);
  if (keys.size() == 1)
    return concat(file, ": tensor '", first, "' is of no layer that its config tells of; it is left out");
  return concat(file, ": ", keys.size(), " tensors are of no layer that its config tells of, e.g. '", first,
                "'; they are left out");
}

void Weights::require_all_used(const std::vector<std::string>& ignored) const {
  const std::vector<std::string> keys = unused(ignored);
  if (!keys.empty())
    fail_input(shared_->source->describe(), ": ", keys.size(),
               " tensors are not part of the model its config describes, e.g. '", keys.front(),
               "'; config and weights do not belong together");
}

std::string Weights::describe() const {
  return shared_->source->describe();
}

}  // namespace sdgen
