#include "weights/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/json_file.h"
#include "base/tensor.h"
#include "weights/file_mapping.h"
#include "weights/weights_file.h"

namespace sdgen {
namespace {

constexpr std::uint64_t kMostHeaderBytes = 100'000'000;  // the reference implementation's bound
constexpr std::size_t kMostDimensions = 8;

std::optional<at::ScalarType> scalar_type(const std::string& name) {
  static const std::map<std::string, at::ScalarType> kTypes = {{"F64", at::kDouble},
                                                               {"F32", at::kFloat},
                                                               {"F16", at::kHalf},
                                                               {"BF16", at::kBFloat16},
                                                               {"I64", at::kLong},
                                                               {"I32", at::kInt},
                                                               {"I16", at::kShort},
                                                               {"I8", at::kChar},
                                                               {"U8", at::kByte},
                                                               {"BOOL", at::kBool},
                                                               {"U16", at::kUInt16},
                                                               {"U32", at::kUInt32},
                                                               {"U64", at::kUInt64},
                                                               {"F8_E4M3", at::kFloat8_e4m3fn},
                                                               {"F8_E5M2", at::kFloat8_e5m2}};
  const auto type = kTypes.find(name);
  return type == kTypes.end() ? std::nullopt : std::optional(type->second);
}

struct Entry {
  TensorInfo info;
  std::uint64_t begin = 0;  // bytes from the end of the header
  std::uint64_t end = 0;
};

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
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  const TensorInfo* find(const std::string& key) const override {
    const auto entry = entries_.find(key);
    return entry == entries_.end() ? nullptr : &entry->second.info;
  }

  at::Tensor read(const std::string& key) const override {
    const Entry& entry = entries_.at(key);
    auto* const data = const_cast<std::uint8_t*>(mapping_->data() + data_offset_ + entry.begin);
    const auto options = at::TensorOptions().dtype(entry.info.dtype);
    if (entry.begin == entry.end) return at::empty(entry.info.shape, options);
    if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(entry.info.dtype) != 0) {
      at::Tensor copy =
          at::empty(entry.info.shape, options);  // a header of odd length misaligns what follows
      std::memcpy(copy.data_ptr(), data, entry.end - entry.begin);
      return copy;
    }
    // The file's pages go when the view goes: at once where it was only converted, with the layer where it is
    // the weight.
    const auto release = [mapping = mapping_, bytes = entry.end - entry.begin](void* view) {
      mapping->release(static_cast<const std::uint8_t*>(view), bytes);
    };
    return at::from_blob(data, entry.info.shape, release, options);
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
    const std::string_view beginning(reinterpret_cast<const char*>(mapping_->data()),
                                     std::min<std::size_t>(64, mapping_->size()));
    if (beginning.starts_with("version https://git-lfs"))
      fail_input(path_, ": is a Git LFS pointer, not the weights; run git lfs pull in its folder");
    if (length > kMostHeaderBytes) fail("header of ", length, " bytes (limit ", kMostHeaderBytes, ")");
    if (length > mapping_->size() - sizeof length)
      fail("header of ", length, " bytes in a file of ", mapping_->size(), " (an interrupted download?)");
    data_offset_ = sizeof length + length;
    data_size_ = mapping_->size() - data_offset_;
    const auto* const text = reinterpret_cast<const char*>(mapping_->data()) + sizeof length;
    const Json header = parse_header(text, text + length);
    for (const auto& [key, value] : header.items())
      if (key != "__metadata__") entries_.emplace(key, read_entry(key, value));
    read_metadata(header);
  }

  // Texts by the format's rule; anything else in there is of no use to us.
  void read_metadata(const Json& header) {
    if (!header.contains("__metadata__") || !header.at("__metadata__").is_object()) return;
    for (const auto& [key, value] : header.at("__metadata__").items())
      if (value.is_string()) metadata_.emplace(key, value.get<std::string>());
  }

  Json parse_header(const char* begin, const char* end) const {
    std::set<std::string> names;
    const auto refuse_twins = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second)
        fail("tensor '", parsed.get<std::string>(), "' is there twice");
      return true;
    };
    check_json_depth({begin, end}, path_);
    try {
      Json header = Json::parse(begin, end, refuse_twins);
      if (!header.is_object()) fail("its header is not a JSON object");
      return header;
    } catch (const Json::exception&) {
      fail("its header is not JSON");
    }
  }

  Entry read_entry(const std::string& key, const Json& value) const {
    Entry entry;
    std::string dtype;
    try {
      dtype = value.at("dtype").get<std::string>();
      entry.info.shape = read_shape(key, value.at("shape"));
      const Json& offsets = value.at("data_offsets");
      if (offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
        fail("tensor '", key, "': data_offsets must be two non-negative integers");
      entry.begin = offsets[0].get<std::uint64_t>();
      entry.end = offsets[1].get<std::uint64_t>();
    } catch (const Json::exception&) {
      fail("tensor '", key, "': expected dtype, shape and data_offsets");
    }
    const auto type = scalar_type(dtype);
    if (!type)
      fail_input(path_, ": tensor '", key, "': dtype ", dtype.substr(0, 20),
                 " is not supported; convert the weights to F16 or F32");
    entry.info.dtype = *type;
    entry.info.file = path_;
    entry.info.stored_key = key;
    check_extent(key, entry);
    return entry;
  }

  std::vector<std::int64_t> read_shape(const std::string& key, const Json& shape) const {
    if (!shape.is_array() || shape.size() > kMostDimensions) fail("tensor '", key, "': unusable shape");
    std::vector<std::int64_t> sizes;
    for (const Json& size : shape) {
      if (!size.is_number_unsigned() || size.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max())
        fail("tensor '", key, "': unusable shape ", shown(shape));
      sizes.push_back(size.get<std::int64_t>());
    }
    return sizes;
  }

  void check_extent(const std::string& key, const Entry& entry) const {
    if (entry.begin > entry.end || entry.end > data_size_)
      fail("tensor '", key, "' lies at bytes ", entry.begin, " to ", entry.end, " of ", data_size_,
           " (an interrupted download?)");
    std::uint64_t bytes = c10::elementSize(entry.info.dtype);
    for (const std::int64_t size : entry.info.shape)
      if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes))
        fail("tensor '", key, "': its size overflows");
    if (!stride_bytes(entry.info.shape, entry.info.dtype))
      fail("tensor '", key, "': its size overflows, shape ", shape_text(entry.info.shape));
    if (bytes != entry.end - entry.begin)
      fail("tensor '", key, "': its shape needs ", bytes, " bytes, its data_offsets hold ",
           entry.end - entry.begin);
  }

  // The format allows neither overlaps nor holes: both let a file say two things at once.
  void check_layout() const {
    std::vector<std::pair<std::string, const Entry*>> order;
    for (const auto& [key, entry] : entries_) order.emplace_back(key, &entry);
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
    });
    std::uint64_t end = 0;
    for (const auto& [key, entry] : order) {
      if (entry->begin < end) fail("tensor '", key, "' overlaps another");
      if (entry->begin > end) fail("bytes ", end, " to ", entry->begin, " belong to no tensor");
      end = entry->end;
    }
    if (end != data_size_) fail(data_size_ - end, " bytes after the last tensor belong to none");
  }

  std::string path_;
  std::shared_ptr<const FileMapping> mapping_;
  std::uint64_t data_offset_ = 0;
  std::uint64_t data_size_ = 0;
  std::map<std::string, Entry> entries_;
  Metadata metadata_;
};

}  // namespace

std::shared_ptr<const TensorSource> open_safetensors(const std::filesystem::path& path) {
  return std::make_shared<SafetensorsFile>(path);
}

std::shared_ptr<const TensorSource> open_safetensors_shards(const std::filesystem::path& index_path) {
  const Config index = Config::read(index_path);
  const auto weight_map = index.at<std::map<std::string, std::string>>("weight_map");
  std::map<std::string, std::shared_ptr<const TensorSource>> shards;
  for (const auto& [key, name] : weight_map) {
    if (name.empty() || std::filesystem::path(name).filename() != name || name == "..")
      fail_input(index_path.string(), ": key '", key, "': shard '", name, "' is not a plain file name");
    auto& shard = shards[name];
    if (!shard) shard = open_weights_file(index_path.parent_path() / name);
    if (!shard->find(key))
      fail_input(shard->describe(), ": tensor '", key, "' is missing, which ", index_path.string(),
                 " promises");
  }
  std::vector<std::shared_ptr<const TensorSource>> parts;
  for (const auto& [name, shard] : shards) parts.push_back(shard);
  return join_sources(index_path.string(), std::move(parts));
}

}  // namespace sdgen
