#include "weights/weights.h"

#include <algorithm>
#include <set>

#include "base/tensor.h"

namespace sdgen {

struct Weights::Shared {
  std::shared_ptr<const TensorSource> source;
  Compute compute;
  Mode mode;
  std::set<std::string> used;
};

Weights::Weights(std::shared_ptr<const TensorSource> source, const Compute& compute, Mode mode)
    : shared_(std::make_shared<Shared>(Shared{std::move(source), compute, mode, {}})) {}

Weights::Weights(std::shared_ptr<Shared> shared, std::string prefix)
    : shared_(std::move(shared)), prefix_(std::move(prefix)) {}

Weights Weights::at(const std::string& name) const {
  return {shared_, prefix_ + name + "."};
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
  at::Tensor tensor = shared_->source->read(key).to(shared_->compute.dtype);
  if (!is_finite(tensor))
    fail_input(info->file, ": tensor '", info->stored_key, "' holds numbers that are not finite in ",
               dtype_name(shared_->compute.dtype), "; the file is damaged",
               info->dtype == shared_->compute.dtype ? "" : ", or needs --dtype float32");
  return tensor.to(shared_->compute.device);
}

void Weights::require_all_used(const std::vector<std::string>& ignored) const {
  std::vector<std::string> unused;
  for (const std::string& key : shared_->source->keys()) {
    const bool ignore = std::any_of(ignored.begin(), ignored.end(),
                                    [&](const std::string& prefix) { return key.starts_with(prefix); });
    if (!ignore && !shared_->used.contains(key)) unused.push_back(key);
  }
  if (!unused.empty())
    fail_input(shared_->source->describe(), ": ", unused.size(),
               " tensors are not part of the model its config describes, e.g. '", unused.front(),
               "'; config and weights do not belong together");
}

std::string Weights::describe() const {
  return shared_->source->describe();
}

}  // namespace sdgen
