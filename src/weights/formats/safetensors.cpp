#include "weights/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "base/json_file.h"
#include "base/tensor.h"
#include "weights/formats/file_mapping.h"
#include "weights/formats/safetensors_header.h"
#include "weights/formats/weights_file.h"
#include "weights/scaled_source.h"

namespace sdgen {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's bound

class SafetensorsFile : public TensorSource {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path)
      : path_(path.string()), mapping_(std::make_shared<FileMapping>(path)) {
    read_header();
    check_layout();
  }

  std::string describe() const override { return path_; }
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
    const StoredTensor& tensor = tensors_.at(key);
    auto* const data = const_cast<std::uint8_t*>(mapping_->data() + data_offset_ + tensor.begin);
    const auto options = at::TensorOptions().dtype(tensor.info.dtype);
    if (tensor.begin == tensor.end) return at::empty(tensor.info.shape, options);
    if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(tensor.info.dtype) != 0) {
      at::Tensor copy =
          at::empty(tensor.info.shape, options);  // a header of odd length misaligns what follows
      std::memcpy(copy.data_ptr(), data, tensor.end - tensor.begin);
      return copy;
    }
    // The file's pages go when the view goes: at once where it was only converted, with the layer where it is
    // the weight.
    const auto release = [mapping = mapping_, bytes = tensor.end - tensor.begin](void* view) {
      mapping->release(static_cast<const std::uint8_t*>(view), bytes);
    };
    return at::from_blob(data, tensor.info.shape, release, options);
  }

 private:
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_input(path_, ": not a sound safetensors file: ", parts...);
  }

  void read_header() {
    std::uint64_t length = 0;
    if (mapping_->size() < sizeof length)
      fail("only ", mapping_->size(), " bytes long (an interrupted download?)");
    std::memcpy(&length, mapping_->data(), sizeof length);
    if (length > kMaxHeaderBytes) fail("header of ", length, " bytes (limit ", kMaxHeaderBytes, ")");
    if (length > mapping_->size() - sizeof length)
      fail("header of ", length, " bytes in a file of ", mapping_->size(), " (an interrupted download?)");
    data_offset_ = sizeof length + length;
    data_size_ = mapping_->size() - data_offset_;
    const auto* const text = reinterpret_cast<const char*>(mapping_->data()) + sizeof length;
    SafetensorsHeader header = read_safetensors_header({text, length}, path_);
    metadata_ = std::move(header.metadata);
    tensors_ = std::move(header.tensors);
    for (const auto& [key, tensor] : tensors_) check_extent(key, tensor);
  }

  void check_extent(const std::string& key, const StoredTensor& tensor) const {
    if (tensor.begin > tensor.end || tensor.end > data_size_)
      fail("tensor '", key, "' lies at bytes ", tensor.begin, " to ", tensor.end, " of ", data_size_,
           " (an interrupted download?)");
    std::uint64_t bytes = c10::elementSize(tensor.info.dtype);
    for (const std::int64_t size : tensor.info.shape)
      if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes))
        fail("tensor '", key, "': its size overflows");
    if (!stride_bytes(tensor.info.shape, tensor.info.dtype))
      fail("tensor '", key, "': its size overflows, shape ", shape_text(tensor.info.shape));
    if (bytes != tensor.end - tensor.begin)
      fail("tensor '", key, "': its shape needs ", bytes, " bytes, its data_offsets hold ",
           tensor.end - tensor.begin);
  }

  // The format allows neither overlaps nor holes: both let a file say two things at once.
  void check_layout() const {
    std::vector<const StoredTensor*> order;
    for (const auto& [key, tensor] : tensors_) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const StoredTensor* a, const StoredTensor* b) {
      return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
    });
    std::uint64_t end = 0;
    for (const StoredTensor* const tensor : order) {
      if (tensor->begin < end) fail("tensor '", tensor->info.stored_key, "' overlaps another");
      if (tensor->begin > end) fail("bytes ", end, " to ", tensor->begin, " belong to no tensor");
      end = tensor->end;
    }
    if (end != data_size_) fail(data_size_ - end, " bytes after the last tensor belong to none");
  }

  std::string path_;
  std::shared_ptr<const FileMapping> mapping_;
  std::uint64_t data_offset_ = 0;
  std::uint64_t data_size_ = 0;
  std::map<std::string, StoredTensor> tensors_;
  Metadata metadata_;
};

}  // namespace

std::shared_ptr<const TensorSource> open_safetensors(const std::filesystem::path& path) {
  return std::make_shared<SafetensorsFile>(path);
}

std::shared_ptr<const TensorSource> open_safetensors_shards(const std::filesystem::path& index_path) {
  const Config index = Config::read(index_path);
  if (!index.has("weight_map") || !index.json["weight_map"].is_object())
    fail_input(index_path.string(), ": key 'weight_map' is missing or no object");
  std::map<std::string, std::shared_ptr<const TensorSource>> shards;
  for (const auto& [key, value] : index.json["weight_map"].items()) {
    const std::string name = value.is_string() ? value.get<std::string>() : "";
    if (name.empty() || std::filesystem::path(name).filename() != name || name == "..")
      fail_input(index_path.string(), ": key '", key, "': shard ", shown(value), " is not a plain file name");
    auto& shard = shards[name];
    if (!shard) shard = open_stored_file(index_path.parent_path() / name);
    if (!shard->find(key))
      fail_input(shard->describe(), ": tensor '", key, "' is missing, which ", index_path.string(),
                 " promises");
  }
  std::vector<std::shared_ptr<const TensorSource>> parts;
  for (const auto& [name, shard] : shards) parts.push_back(shard);
  return read_scaled(join_sources(index_path.string(), std::move(parts)));
}

}  // namespace sdgen
