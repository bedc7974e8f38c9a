#include "weights/formats/pickle_file.h"

#include <map>

#include "plain/errors.h"
#include "weights/formats/pickled_tensor.h"

namespace sdgen {
namespace {

using Kind = PickleValue::Kind;

constexpr int kMaxNesting = 8, kMaxUnwrapped = 8;
constexpr std::size_t kMaxEntries = 200'000, kMaxMetadata = 1000, kLongestText = 10'000;
// A tensor's whole name, and all names together: some thousand of a hundred bytes each are usual.
constexpr std::size_t kLongestTensorName = 1000, kMaxNameBytes = std::size_t{32} << 20;

class PickleFile : public TensorSource {
 public:
  explicit PickleFile(const std::filesystem::path& path) : archive_(path) {
    const std::string name = archive_.name_ending_in("data.pkl");
    if (name.empty())
      fail_input(archive_.path(),
                 ": a zip file without PyTorch's data.pkl; not a checkpoint (unpack it first?)");
    storages_ = name.substr(0, name.size() - std::string("data.pkl").size());
    if (archive_.find(storages_ + "constants.pkl"))
      fail_input(archive_.path(), ": a TorchScript program, not a checkpoint of tensors");
    if (const auto* order = archive_.find(storages_ + "byteorder");
        order && std::string(order->begin(), order->end()) != "little")
      fail_input(archive_.path(),
                 ": its numbers are in big-endian order; save it again on an ordinary machine");
    const Pickle pickle(*archive_.find(name), archive_.path());
    const PickleValue* root = &pickle.root();
    for (int i = 0; i < kMaxUnwrapped && root->at("state_dict"); ++i) {
      add_metadata(*root);
      root = root->at("state_dict");
    }
    if (is_pickled_tensor(*root)) {
      tensors_.emplace("", pickled_tensor(*root, "", archive_, storages_));
      return;
    }
    if (!root->is(Kind::kDict))
      fail_input(archive_.path(),
                 ": holds no dictionary of tensors (a whole model object?); save its state_dict");
    add_metadata(*root);
    add_tensors(*root, "", 0);
    if (tensors_.empty()) fail_input(archive_.path(), ": holds no tensors");
  }

  std::string describe() const override { return archive_.path(); }
  Metadata metadata() const override { return metadata_; }

  std::vector<std::string> keys() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.push_back(name);
    return names;
  }

  const TensorInfo* find(const std::string& key) const override {
    const auto tensor = tensors_.find(key);
    return tensor == tensors_.end() ? nullptr : &tensor->second.info;
  }

  at::Tensor read(const std::string& key) const override {
    const PickledTensor& tensor = tensors_.at(key);
    const auto options = at::TensorOptions().dtype(tensor.info.dtype);
    std::uint64_t numbers = 1, span = 1;
    for (std::size_t i = 0; i < tensor.strides.size(); ++i) {
      numbers *= static_cast<std::uint64_t>(tensor.info.shape[i]);
      span += static_cast<std::uint64_t>(tensor.info.shape[i] - 1) *
              static_cast<std::uint64_t>(tensor.strides[i]);
    }
    if (numbers == 0) return at::empty(tensor.info.shape, options);
    const std::uint64_t bytes = span * c10::elementSize(tensor.info.dtype);
    auto* const data = const_cast<std::uint8_t*>(tensor.data);
    if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(tensor.info.dtype) != 0) {
      at::Tensor copy = at::empty({static_cast<std::int64_t>(span)}, options);
      std::memcpy(copy.data_ptr(), data, bytes);
      return copy.as_strided(tensor.info.shape, tensor.strides).contiguous();
    }
    const auto release = [mapping = archive_.mapping(), bytes](void* view) {
      mapping->release(static_cast<const std::uint8_t*>(view), bytes);
    };
    return at::from_blob(data, tensor.info.shape, tensor.strides, release, options).contiguous();
  }

 private:
  void count_entry() {
    if (++entries_ > kMaxEntries)
      fail_input(archive_.path(), ": not a sound checkpoint: more than ", kMaxEntries, " entries");
  }

  void add_metadata(const PickleValue& dict) {
    for (std::size_t i = 0; i + 1 < dict.items.size() && metadata_.size() < kMaxMetadata; i += 2) {
      count_entry();
      const PickleValue &key = *dict.items[i], &value = *dict.items[i + 1];
      if (!key.is(Kind::kText) || key.text.size() > kLongestText || value.text.size() > kLongestText)
        continue;
      if (value.is(Kind::kInteger)) metadata_.emplace(key.text, std::to_string(value.integer));
      if (value.is(Kind::kReal)) metadata_.emplace(key.text, concat(value.real));
      if (value.is(Kind::kText)) metadata_.emplace(key.text, value.text);
    }
  }

  // Only what may lead to a tensor gets a name: a file may hold long keys a million times over.
  std::string name_of(const std::string& prefix, std::string_view key) {
    const std::size_t bytes = prefix.size() + key.size();
    if (bytes > kLongestTensorName)
      fail_input(archive_.path(), ": not a sound checkpoint: a tensor's name of ", bytes, " bytes (limit ",
                 kLongestTensorName, "), '", prefix.substr(0, 40), key.substr(0, 40), "...'");
    name_bytes_ += bytes;
    if (name_bytes_ > kMaxNameBytes)
      fail_input(archive_.path(), ": not a sound checkpoint: its tensors' names have more than ",
                 kMaxNameBytes, " bytes");
    return concat(prefix, key);
  }

  void add_tensors(const PickleValue& dict, const std::string& prefix, int nesting) {
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      count_entry();
      const PickleValue &key = *dict.items[i], &value = *dict.items[i + 1];
      const bool is_dict = value.is(Kind::kDict) && nesting < kMaxNesting;
      if (!key.is(Kind::kText) || (!is_dict && !is_pickled_tensor(value))) continue;
      const std::string name = name_of(prefix, key.text);
      if (is_dict)
        add_tensors(value, name + ".", nesting + 1);
      else
        tensors_.insert_or_assign(name, pickled_tensor(value, name, archive_, storages_));
    }
  }

  ZipArchive archive_;
  std::string storages_;
  Metadata metadata_;
  std::map<std::string, PickledTensor> tensors_;
  std::size_t entries_ = 0, name_bytes_ = 0;
};

}  // namespace

std::shared_ptr<const TensorSource> open_pickle(const std::filesystem::path& path) {
  return std::make_shared<PickleFile>(path);
}

}  // namespace sdgen
