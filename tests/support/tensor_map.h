// Weights from memory.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "weights/tensor_source.h"

namespace sdgen::testing {

class TensorMap : public TensorSource {
 public:
  void add(const std::string& key, const Tensor& tensor) {
    tensors_[key] = tensor.contiguous();
    infos_[key] = {tensor.scalar_type(), tensor.sizes().vec(), "memory", key};
  }
  std::string describe() const override { return "memory"; }
  std::vector<std::string> keys() const override {
    std::vector<std::string> keys;
    for (const auto& entry : tensors_) keys.push_back(entry.first);
    return keys;
  }
  const TensorInfo* find(const std::string& key) const override {
    const auto found = infos_.find(key);
    return found == infos_.end() ? nullptr : &found->second;
  }
  Tensor read(const std::string& key) const override { return tensors_.at(key); }

 private:
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, TensorInfo> infos_;
};

}  // namespace sdgen::testing
