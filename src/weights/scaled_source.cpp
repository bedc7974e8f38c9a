#include "weights/scaled_source.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "base/tensor.h"
#include "compute/compute.h"
#include "weights/quantized_names.h"

namespace sdgen {
namespace {

using Shape = std::vector<std::int64_t>;

// Of the programs that store a scale for each block without saying how large blocks are.
constexpr std::int64_t kBlock = 128;

// How the names of a scale, of its codes and of the weight that they make end.
struct Layout {
  std::string_view scale, codes, weight;
  double factor;  // beside the scale
};

constexpr std::array kLayouts = {
    Layout{".scale_weight", ".weight", ".weight", 1.0},
    Layout{"weight_scale", "weight", "weight", 1.0},
    Layout{"weight_scale_inv", "weight", "weight", 1.0},  // of blocks; for all its name it multiplies
    Layout{".SCB", ".weight", ".weight", 1.0 / 127.0},
    Layout{".weight._scale", ".weight._data", ".weight", 1.0},
};

std::string with_ending(const std::string& key, std::string_view from, std::string_view to) {
  return key.substr(0, key.size() - from.size()).append(to);
}

// How many numbers of each dimension of `weight` share a scale; empty where the shapes do not fit. A scale of
// one dimension is of the rows.
Shape blocks_of(const Shape& weight, Shape scale) {
  std::int64_t numbers = 1;
  for (const std::int64_t size : scale) numbers *= size;
  if (numbers == 1) return weight;
  if (scale.size() > weight.size() || (scale.size() == 1 && scale[0] != weight[0])) return {};
  scale.resize(weight.size(), 1);
  Shape blocks;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    if (scale[i] < 1) return {};
    const bool is_known = scale[i] == (weight[i] + kBlock - 1) / kBlock;
    if (!is_known && weight[i] % scale[i] != 0) return {};
    blocks.push_back(is_known ? kBlock : weight[i] / scale[i]);
  }
  return blocks;
}

// A weight of codes and scale, or one that is stored as it is, which has no scale.
struct Entry {
  std::string codes, scale;
  double factor = 1.0;
  Shape blocks{};
  TensorInfo info{};  // of a weight that has a scale
};

class ScaledSource : public TensorSource {
 public:
  explicit ScaledSource(std::shared_ptr<const TensorSource> source) : source_(std::move(source)) {
    std::set<std::string> taken;
    for (const std::string& key : source_->keys()) {
      if (is_quantized_remark(*source_, key)) taken.insert(key);
      for (const Layout& layout : kLayouts)
        if (key.ends_with(layout.scale)) add_product(key, layout, taken);
    }
    for (const std::string& key : source_->keys())
      if (!taken.contains(key) && !entries_.contains(key)) entries_[key] = {key, ""};
  }

  std::string describe() const override { return source_->describe(); }

  Metadata metadata() const override {
    Metadata metadata = source_->metadata();
    metadata.erase(kQuantizedMetadata);  // it tells of codes, which are not there any more
    return metadata;
  }

  std::vector<std::string> keys() const override {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  const TensorInfo* find(const std::string& key) const override {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    return found->second.scale.empty() ? source_->find(key) : &found->second.info;
  }

  at::Tensor read(const std::string& key) const override {
    const Entry& entry = entries_.at(key);
    const at::Tensor codes = source_->read(entry.codes);
    if (entry.scale.empty()) return codes;
    at::Tensor scale = source_->read(entry.scale).to(at::kFloat);
    if (scale.numel() == 1) return codes.to(at::kFloat).mul(scale.reshape({}).mul(entry.factor));
    Shape shape = scale.sizes().vec();
    shape.resize(entry.blocks.size(), 1);
    scale = scale.reshape(shape).mul(entry.factor);
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const auto dimension = static_cast<std::int64_t>(i);
      if (shape[i] > 1 && entry.blocks[i] > 1)
        scale =
            scale.repeat_interleave(entry.blocks[i], dimension).narrow(dimension, 0, codes.size(dimension));
    }
    return codes.to(at::kFloat).mul(scale);
  }

 private:
  void add_product(const std::string& scale, const Layout& layout, std::set<std::string>& taken) {
    const TensorInfo& scale_info = *source_->find(scale);
    const std::string codes = with_ending(scale, layout.scale, layout.codes),
                      weight = with_ending(scale, layout.scale, layout.weight);
    const TensorInfo* const info = source_->find(codes);
    if (!info) return;  // a tensor that is only named like one
    if (!c10::isFloatingType(scale_info.dtype) || c10::elementSize(scale_info.dtype) < 2 ||
        !(c10::isFloatingType(info->dtype) || info->dtype == at::kChar))
      fail_quantized(*info, concat("codes of ", dtype_name(info->dtype), " with scales of ",
                                   dtype_name(scale_info.dtype)));
    const Shape blocks = blocks_of(info->shape, scale_info.shape);
    if (blocks.empty() && !info->shape.empty())
      fail_input(scale_info.file, ": tensor '", scale, "' ", shape_text(scale_info.shape),
                 " is no scale for '", codes, "' ", shape_text(info->shape),
                 "; expected one number, one for each row, or for blocks");
    Entry entry{codes, scale, layout.factor, blocks, *info};
    entry.info.dtype = at::kFloat;
    entry.info.codes = info->dtype;
    if (const auto [other, is_new] = entries_.try_emplace(weight, std::move(entry)); !is_new)
      fail_input(scale_info.file, ": tensor '", weight, "' has two scales, '", other->second.scale, "' and '",
                 scale, "'; the file is damaged");
    taken.insert({codes, scale});
  }

  std::shared_ptr<const TensorSource> source_;
  std::map<std::string, Entry> entries_;
};

bool has_scales(const TensorSource& source) {
  const auto keys = source.keys();
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return is_quantized_remark(source, key) ||
           std::any_of(kLayouts.begin(), kLayouts.end(), [&](const Layout& layout) {
             return key.ends_with(layout.scale) && source.find(with_ending(key, layout.scale, layout.codes));
           });
  });
}

}  // namespace

std::shared_ptr<const TensorSource> read_scaled(std::shared_ptr<const TensorSource> source) {
  refuse_other_quantized(*source);
  if (has_scales(*source)) source = std::make_shared<ScaledSource>(std::move(source));
  refuse_bare_codes(*source);
  return source;
}

}  // namespace sdgen
