#include "weights/formats/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <vector>

#include "base/json_file.h"
#include "base/tensor.h"
#include "plain/json_text.h"

namespace sdgen {
namespace {

constexpr std::size_t kMaxDimensions = 8;
constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int32_t>::max();

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

// Takes the parser's events. Depth 1 holds the tensors by name and __metadata__, depth 2 the fields of a
// tensor or the texts, depth 3 the numbers of a shape or of data_offsets. What is of no use is passed over.
class HeaderReader : public Json::json_sax_t {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool key(std::string& name) override {
    if (depth_ == 1) begin_entry(name);
    if (depth_ == 2) begin_field(name);
    return true;
  }

  bool start_object(std::size_t /*elements*/) override {
    require_no_field();
    open();
    return true;
  }
  bool end_object() override {
    if (--depth_ == 1 && !is_metadata_) end_tensor();
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    if (depth_ <= 1) other();
    if (depth_ == 1) fail("__metadata__ is not a JSON object");
    const bool is_list = field_ == Field::kShape || field_ == Field::kOffsets;
    if (depth_ != 2 || !is_list) require_no_field();
    open();
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }

  bool string(std::string& text) override {
    if (depth_ == 2 && is_metadata_) return add_text(text);
    if (depth_ == 2 && field_ == Field::kDtype) return set_dtype(text);
    return other();
  }
  bool number_unsigned(std::uint64_t number) override {
    if (depth_ == 3 && field_ == Field::kShape) return add_size(number);
    if (depth_ == 3 && field_ == Field::kOffsets) return add_offset(number);
    return other();
  }
  bool number_integer(std::int64_t /*number*/) override { return other(); }
  bool number_float(double /*number*/, const std::string& /*text*/) override { return other(); }
  bool boolean(bool /*value*/) override { return other(); }
  bool null() override { return other(); }
  bool binary(Json::binary_t& /*value*/) override { return false; }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const Json::exception& /*error*/) override {
    fail("its header is not JSON");
  }

 private:
  enum class Field { kNone, kDtype, kShape, kOffsets };

  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_input(path_, ": not a sound safetensors file: ", parts...);
  }

  void open() {
    if (++depth_ > kMaxJsonDepth)
      fail_input(path_, ": its JSON is nested too deeply (limit ", kMaxJsonDepth, ")");
  }

  // A value that is not what its place asks for.
  bool other() const {
    if (depth_ == 0) fail("its header is not a JSON object");
    if (depth_ == 1 && !is_metadata_) fail_entry();
    require_no_field();
    return true;
  }

  void require_no_field() const {
    if (field_ == Field::kDtype) fail_entry();
    if (field_ == Field::kShape) fail_shape();
    if (field_ == Field::kOffsets) fail_offsets();
  }

  [[noreturn]] void fail_entry() const {
    fail("tensor '", name_, "': expected dtype, shape and data_offsets");
  }
  [[noreturn]] void fail_shape() const {
    fail("tensor '", name_, "': unusable shape; expected at most ", kMaxDimensions, " sizes from 0 to ",
         kMaxSize);
  }
  [[noreturn]] void fail_offsets() const {
    fail("tensor '", name_, "': data_offsets must be two non-negative integers");
  }

  void begin_entry(const std::string& name) {
    is_metadata_ = name == "__metadata__";
    field_ = Field::kNone;
    name_ = name;
    if (is_metadata_) {
      if (has_metadata_) fail("__metadata__ is there twice");
      has_metadata_ = true;
      return;
    }
    if (header_.tensors.size() == kMaxTensors) fail("more than ", kMaxTensors, " tensors (the limit)");
    const auto [entry, is_new] = header_.tensors.try_emplace(name);
    if (!is_new) fail("tensor '", name, "' is there twice");
    tensor_ = &entry->second;
    tensor_->info.file = path_;
    tensor_->info.stored_key = name;
    seen_ = {};
    offsets_.clear();
  }

  void begin_field(const std::string& name) {
    if (is_metadata_) {
      text_name_ = name;
      return;
    }
    constexpr std::array kNames = {"", "dtype", "shape", "data_offsets"};
    const auto known = std::find(kNames.begin() + 1, kNames.end(), name);
    field_ = known == kNames.end() ? Field::kNone : static_cast<Field>(known - kNames.begin());
    if (field_ == Field::kNone) return;
    bool& seen = seen_[static_cast<std::size_t>(field_)];
    if (seen) fail("tensor '", name_, "': ", name, " is there twice");
    seen = true;
  }

  void end_tensor() {
    if (!seen_[1] || !seen_[2] || !seen_[3]) fail_entry();
    if (offsets_.size() != 2) fail_offsets();
    tensor_->begin = offsets_[0];
    tensor_->end = offsets_[1];
    tensor_->info.shape.shrink_to_fit();
    field_ = Field::kNone;
  }

  bool set_dtype(const std::string& dtype) {
    const auto type = scalar_type(dtype);
    if (!type)
      fail_input(path_, ": tensor '", name_, "': dtype ", dtype.substr(0, 20),
                 " is not supported; convert the weights to F16 or F32");
    tensor_->info.dtype = *type;
    return true;
  }

  bool add_size(std::uint64_t size) {
    std::vector<std::int64_t>& shape = tensor_->info.shape;
    if (size > kMaxSize || shape.size() == kMaxDimensions) fail_shape();
    shape.push_back(static_cast<std::int64_t>(size));
    return true;
  }

  bool add_offset(std::uint64_t offset) {
    if (offsets_.size() == 2) fail_offsets();
    offsets_.push_back(offset);
    return true;
  }

  bool add_text(std::string& text) {
    metadata_bytes_ += text_name_.size() + text.size();
    if (metadata_bytes_ > kMaxMetadataBytes)
      fail("more than ", kMaxMetadataBytes, " bytes of metadata (the limit)");
    if (header_.metadata.size() == kMaxMetadataTexts)
      fail("more than ", kMaxMetadataTexts, " texts of metadata (the limit)");
    if (!header_.metadata.emplace(text_name_, std::move(text)).second)
      fail("metadata '", text_name_, "' is there twice");
    return true;
  }

  const std::string& path_;
  SafetensorsHeader header_;
  int depth_ = 0;
  bool is_metadata_ = false;
  bool has_metadata_ = false;
  std::string name_;       // of the tensor
  std::string text_name_;  // of the metadata
  StoredTensor* tensor_ = nullptr;
  Field field_ = Field::kNone;
  std::array<bool, 4> seen_ = {};  // by Field
  std::vector<std::uint64_t> offsets_;
  std::size_t metadata_bytes_ = 0;
};

}  // namespace

SafetensorsHeader read_safetensors_header(std::string_view text, const std::string& path) {
  HeaderReader reader(path);
  Json::sax_parse(text, &reader);
  return reader.take();
}

}  // namespace sdgen
