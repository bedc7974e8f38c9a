#include "weights/adapters/appended_rows.h"

#include <utility>

#include "base/tensor.h"

namespace sdgen {
namespace {

class AppendedRows : public TensorSource {
 public:
  AppendedRows(std::shared_ptr<const TensorSource> source, std::string key, at::Tensor rows)
      : source_(std::move(source)), key_(std::move(key)), rows_(std::move(rows)) {
    const TensorInfo* const info = source_->find(key_);
    if (!info) fail_input(source_->describe(), ": tensor '", key_, "' is missing");
    if (info->shape.size() != 2 || info->shape[1] != rows_.size(1))
      fail_input(info->file, ": tensor '", info->stored_key, "': expected rows of ", rows_.size(1),
                 ", found ", shape_text(info->shape));
    info_ = *info;
    info_.dtype = at::kFloat;
    info_.shape[0] += rows_.size(0);
  }

  std::string describe() const override { return source_->describe(); }
  Metadata metadata() const override { return source_->metadata(); }
  std::vector<std::string> keys() const override { return source_->keys(); }
  const TensorInfo* find(const std::string& key) const override {
    return key == key_ ? &info_ : source_->find(key);
  }
  at::Tensor read(const std::string& key) const override {
    if (key != key_) return source_->read(key);
    return at::cat({source_->read(key).to(at::kFloat), rows_}, 0);
  }

 private:
  std::shared_ptr<const TensorSource> source_;
  std::string key_;
  at::Tensor rows_;
  TensorInfo info_;
};

}  // namespace

std::shared_ptr<const TensorSource> append_rows(std::shared_ptr<const TensorSource> source,
                                                const std::string& key, const at::Tensor& rows) {
  return std::make_shared<AppendedRows>(std::move(source), key, rows);
}

}  // namespace sdgen
