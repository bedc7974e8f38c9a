#include "weights/edited_source.h"

#include <utility>

#include "base/tensor.h"

namespace sdgen {
namespace {

using Shape = std::vector<std::int64_t>;

int third_of(TensorEdit edit) {
  return static_cast<int>(edit) - static_cast<int>(TensorEdit::kFirstThird);
}

bool is_third(TensorEdit edit) {
  return edit >= TensorEdit::kFirstThird && edit <= TensorEdit::kLastThird;
}

[[noreturn]] void fail_shape(const TensorInfo& info, const std::string& expected) {
  fail_input(info.file, ": tensor '", info.stored_key, "': expected ", expected, ", found ",
             shape_text(info.shape));
}

Shape joined_shape(const std::vector<const TensorInfo*>& parts) {
  Shape shape = parts.front()->shape;
  if (shape.empty()) fail_shape(*parts.front(), "rows");
  shape[0] = 0;
  for (const TensorInfo* part : parts) {
    Shape rest = part->shape;
    if (rest.empty()) fail_shape(*part, "rows");
    shape[0] += std::exchange(rest[0], shape[0]);
    rest[0] = shape[0];
    if (rest != shape || part->dtype != parts.front()->dtype)
      fail_shape(*part, "the row size and dtype of '" + parts.front()->stored_key + "'");
  }
  return shape;
}

Shape edited_shape(TensorEdit edit, const std::vector<const TensorInfo*>& parts) {
  const TensorInfo& info = *parts.front();
  Shape shape = info.shape;
  if (edit == TensorEdit::kJoined) return joined_shape(parts);
  if (is_third(edit)) {
    if (shape.empty() || shape[0] % 3 != 0) fail_shape(info, "three equal parts, one below the other");
    shape[0] /= 3;
  } else if (edit == TensorEdit::kTransposed) {
    if (shape.size() != 2) fail_shape(info, "a matrix");
    std::swap(shape[0], shape[1]);
  } else if (edit == TensorEdit::kMatrix) {
    while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
    if (shape.size() != 2) fail_shape(info, "a matrix or a 1x1 convolution");
  } else if (edit == TensorEdit::kConvolution) {
    if (shape.size() != 2) fail_shape(info, "a matrix");
    shape.insert(shape.end(), {1, 1});
  }
  return shape;
}

class EditedSource : public TensorSource {
 public:
  EditedSource(std::shared_ptr<const TensorSource> source, std::map<std::string, EditedTensor> edits)
      : source_(std::move(source)) {
    for (auto& [name, edit] : edits) {
      std::vector<const TensorInfo*> parts;
      for (const std::string& key : edit.stored) {
        parts.push_back(source_->find(key));
        if (!parts.back()) fail_input(source_->describe(), ": tensor '", key, "' is missing");
      }
      TensorInfo info = *parts.at(0);
      info.shape = edited_shape(edit.edit, parts);
      entries_.emplace(name, Entry{std::move(info), std::move(edit)});
    }
  }

  std::string describe() const override { return source_->describe(); }
  Metadata metadata() const override { return source_->metadata(); }

  std::vector<std::string> keys() const override {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  const TensorInfo* find(const std::string& key) const override {
    const auto entry = entries_.find(key);
    return entry == entries_.end() ? nullptr : &entry->second.info;
  }

  at::Tensor read(const std::string& key) const override {
    const auto& [info, edited] = entries_.at(key);
    const at::Tensor first = source_->read(edited.stored.front());
    const TensorEdit edit = edited.edit;
    if (is_third(edit)) return first.narrow(0, third_of(edit) * info.shape[0], info.shape[0]);
    if (edit == TensorEdit::kTransposed) return first.t().contiguous();
    if (edit != TensorEdit::kJoined) return first.view(info.shape);
    std::vector<at::Tensor> parts = {first};
    for (std::size_t i = 1; i < edited.stored.size(); ++i) parts.push_back(source_->read(edited.stored[i]));
    return at::cat(parts, 0);
  }

 private:
  struct Entry {
    TensorInfo info;
    EditedTensor edited;
  };
  std::shared_ptr<const TensorSource> source_;
  std::map<std::string, Entry> entries_;
};

}  // namespace

std::shared_ptr<const TensorSource> edit_tensors(std::shared_ptr<const TensorSource> source,
                                                 std::map<std::string, EditedTensor> edits) {
  return std::make_shared<EditedSource>(std::move(source), std::move(edits));
}

}  // namespace sdgen
