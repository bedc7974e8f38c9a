#include "weights/original/controlnet_base.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "base/tensor.h"
#include "weights/original/original_controlnet.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

const std::string kDifferenceMarker = "difference", kLoraMarker = "lora_controlnet";

// What a ControlNet has of a UNet.
constexpr std::array<std::string_view, 6> kTrunk = {"conv_in.",         "time_embedding.", "add_embedding.",
                                                    "class_embedding.", "down_blocks.",    "mid_block."};

[[noreturn]] void fail_shape(const TensorInfo& info, const TensorInfo& base) {
  fail_input(info.file, ": tensor '", info.stored_key, "' ", shape_text(info.shape),
             " does not fit the UNet's '", base.stored_key, "' ", shape_text(base.shape),
             "; take a ControlNet that was made for this model");
}

// A tensor as the sum of these; an empty name stands for nothing.
struct Sum {
  std::string base;      // of the UNet
  std::string own;       // of the file
  std::string up, down;  // of the file: their product
  TensorInfo info{};
};

class ControlNetOver : public TensorSource {
 public:
  ControlNetOver(std::shared_ptr<const TensorSource> own, std::shared_ptr<const TensorSource> unet,
                 bool is_lora)
      : own_(std::move(own)), unet_(std::move(unet)) {
    if (is_lora) add_trunk();
    for (const std::string& key : own_->keys())
      if (key != kDifferenceMarker && key != kLoraMarker) add_own(key, is_lora);
  }

  std::string describe() const override { return own_->describe(); }
  Metadata metadata() const override { return own_->metadata(); }

  std::vector<std::string> keys() const override {
    std::vector<std::string> names;
    for (const auto& [name, sum] : sums_) names.push_back(name);
    return names;
  }

  const TensorInfo* find(const std::string& key) const override {
    const auto sum = sums_.find(key);
    return sum == sums_.end() ? nullptr : &sum->second.info;
  }

  at::Tensor read(const std::string& key) const override {
    const Sum& sum = sums_.at(key);
    if (sum.up.empty() && sum.base.empty()) return own_->read(sum.own);
    const at::Tensor base = unet_->read(sum.base);
    if (sum.up.empty() && sum.own.empty()) return base;
    const at::Tensor change =
        sum.up.empty() ? own_->read(sum.own).to(at::kFloat) : at::mm(matrix(sum.up), matrix(sum.down));
    return base.to(at::kFloat).add(change.reshape(sum.info.shape));
  }

 private:
  at::Tensor matrix(const std::string& key) const { return own_->read(key).to(at::kFloat).flatten(1); }

  void add_trunk() {
    for (const std::string& key : unet_->keys())
      if (std::any_of(kTrunk.begin(), kTrunk.end(), [&](auto part) { return key.starts_with(part); }))
        sums_[key] = {key, "", "", "", *unet_->find(key)};
  }

  void add_own(const std::string& key, bool is_lora) {
    const TensorInfo& info = *own_->find(key);
    if (is_lora && key.ends_with(".up")) return add_product(key);
    if (is_lora && key.ends_with(".down")) return;
    const TensorInfo* const base = is_lora ? nullptr : unet_->find(key);
    if (base && base->shape != info.shape) fail_shape(info, *base);
    sums_[key] = {base ? key : "", key, "", "", info};
    if (base) sums_[key].info.dtype = at::kFloat;
  }

  void add_product(const std::string& up) {
    const std::string layer = up.substr(0, up.size() - std::string_view(".up").size()),
                      down = layer + ".down";
    const TensorInfo &up_info = *own_->find(up), *down_info = own_->find(down);
    const auto sum = sums_.find(layer + ".weight");
    if (!down_info)
      fail_input(up_info.file, ": tensor '", down, "' is missing beside '", up, "'; the file is incomplete");
    if (sum == sums_.end())
      fail_input(up_info.file, ": tensor '", up,
                 "' is of no layer of the UNet; the ControlNet is for another model");
    const TensorInfo& weight = sum->second.info;
    if (weight.shape.size() < 2 || up_info.shape.size() < 2 || down_info->shape.size() < 2 ||
        up_info.shape[0] != weight.shape[0] || up_info.shape[1] != down_info->shape[0] ||
        numbers(up_info) != up_info.shape[0] * up_info.shape[1] ||
        numbers(*down_info) * weight.shape[0] != numbers(weight) * down_info->shape[0])
      fail_shape(up_info, weight);
    sum->second.up = up;
    sum->second.down = down;
    sum->second.info.dtype = at::kFloat;
  }

  static std::int64_t numbers(const TensorInfo& info) {
    std::int64_t count = 1;
    for (const std::int64_t size : info.shape) count *= size;
    return count;
  }

  std::shared_ptr<const TensorSource> own_, unet_;
  std::map<std::string, Sum> sums_;
};

}  // namespace

ControlNetForm controlnet_form(const TensorSource& file) {
  if (has_tensor(file, kLoraMarker)) return ControlNetForm::kLora;
  return has_tensor(file, kDifferenceMarker) ? ControlNetForm::kDifference : ControlNetForm::kWhole;
}

std::shared_ptr<const TensorSource> controlnet_over(const std::shared_ptr<const TensorSource>& file,
                                                    const std::shared_ptr<const TensorSource>& unet) {
  const bool is_lora = controlnet_form(*file) == ControlNetForm::kLora;
  const auto own = is_lora ? control_lora_tensors(file, *unet) : controlnet_tensors(file);
  return std::make_shared<ControlNetOver>(own, unet, is_lora);
}

}  // namespace sdgen
