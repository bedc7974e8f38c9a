#include "weights/formats/pickled_tensor.h"

#include <limits>
#include <map>
#include <optional>

#include "base/tensor.h"

namespace sdgen {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMaxDimensions = 8;

const std::map<std::string_view, at::ScalarType>& storage_types() {
  static const std::map<std::string_view, at::ScalarType> kTypes = {
      {"FloatStorage", at::kFloat},   {"HalfStorage", at::kHalf},   {"BFloat16Storage", at::kBFloat16},
      {"DoubleStorage", at::kDouble}, {"LongStorage", at::kLong},   {"IntStorage", at::kInt},
      {"ShortStorage", at::kShort},   {"CharStorage", at::kChar},   {"ByteStorage", at::kByte},
      {"BoolStorage", at::kBool},     {"UntypedStorage", at::kByte}};
  return kTypes;
}

const std::map<std::string_view, at::ScalarType>& dtypes() {
  static const std::map<std::string_view, at::ScalarType> kTypes = {
      {"torch.float32", at::kFloat},
      {"torch.float16", at::kHalf},
      {"torch.bfloat16", at::kBFloat16},
      {"torch.float64", at::kDouble},
      {"torch.int64", at::kLong},
      {"torch.int32", at::kInt},
      {"torch.int16", at::kShort},
      {"torch.int8", at::kChar},
      {"torch.uint8", at::kByte},
      {"torch.bool", at::kBool},
      {"torch.uint16", at::kUInt16},
      {"torch.uint32", at::kUInt32},
      {"torch.uint64", at::kUInt64},
      {"torch.float8_e4m3fn", at::kFloat8_e4m3fn},
      {"torch.float8_e5m2", at::kFloat8_e5m2}};
  return kTypes;
}

bool has_version(const PickleValue& value, std::string_view version) {
  constexpr std::string_view kName = "torch._utils._rebuild_tensor";
  return value.text.starts_with(kName) && value.text.substr(kName.size()) == version;
}

bool is_tensor_call(const PickleValue& value) {
  return value.is(Kind::kObject) &&
         (has_version(value, "") || has_version(value, "_v2") || has_version(value, "_v3"));
}

// The tensor that a parameter wraps; null for anything else.
const PickleValue* parameter_data(const PickleValue& value) {
  const bool is_parameter = value.is(Kind::kObject) && value.text == "torch._utils._rebuild_parameter";
  return is_parameter && !value.items.empty() && is_tensor_call(*value.items[0]) ? value.items[0] : nullptr;
}

// The arguments of _rebuild_tensor_v2: storage, offset, size, stride, ...; v3 has a dtype at index 6.
class Reader {
 public:
  Reader(const std::string& key, const ZipArchive& archive, const std::string& storages)
      : key_(key.substr(0, 200)), archive_(archive), storages_(storages) {}

  PickledTensor read(const std::vector<const PickleValue*>& arguments, bool has_dtype) {
    if (arguments.size() < (has_dtype ? 7U : 4U)) fail("has ", arguments.size(), " arguments");
    at::ScalarType dtype = at::kFloat;
    const std::span<const std::uint8_t> storage = read_storage(*arguments[0], dtype);
    if (has_dtype) {
      const auto named = dtypes().find(arguments[6]->text);
      if (named == dtypes().end()) fail("has the unknown dtype ", arguments[6]->text.substr(0, 40));
      dtype = named->second;
    }
    PickledTensor tensor;
    tensor.info = {dtype, sizes(*arguments[2]), archive_.path(), key_};
    tensor.strides = sizes(*arguments[3]);
    if (tensor.strides.size() != tensor.info.shape.size())
      fail("has ", tensor.strides.size(), " strides for ", tensor.info.shape.size(), " sizes");
    if (!arguments[1]->is(Kind::kInteger) || arguments[1]->integer < 0) fail("begins nowhere");
    const std::uint64_t item = c10::elementSize(dtype);
    check_extent(tensor, static_cast<std::uint64_t>(arguments[1]->integer), storage.size() / item);
    tensor.data = storage.data() + static_cast<std::uint64_t>(arguments[1]->integer) * item;
    return tensor;
  }

 private:
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_input(archive_.path(), ": not a sound checkpoint: tensor '", key_, "' ", parts...);
  }

  // ("storage", class, key, device, numbers).
  std::span<const std::uint8_t> read_storage(const PickleValue& value, at::ScalarType& dtype) const {
    const bool is_storage =
        value.is(Kind::kPersistent) && value.items[0]->is(Kind::kList) && value.items[0]->items.size() >= 5;
    if (!is_storage) fail("has no storage");
    const auto& parts = value.items[0]->items;
    const std::string_view type = parts[1]->text.substr(parts[1]->text.rfind('.') + 1);
    const auto known = storage_types().find(type);
    if (known == storage_types().end()) fail("has numbers of the unknown kind ", type.substr(0, 40));
    dtype = known->second;
    const std::string name = storages_ + "data/" + std::string(parts[2]->text.substr(0, 100));
    const auto* const bytes = archive_.find(name);
    if (!bytes) fail("lacks its numbers, the entry ", name);
    const std::uint64_t item = c10::elementSize(dtype);
    if (!parts[4]->is(Kind::kInteger) || parts[4]->integer < 0 ||
        static_cast<std::uint64_t>(parts[4]->integer) > bytes->size() / item)
      fail("has a storage of ", parts[4]->integer, " numbers, but ", name, " holds ", bytes->size(),
           " bytes");
    return bytes->first(static_cast<std::size_t>(parts[4]->integer) * item);
  }

  std::vector<std::int64_t> sizes(const PickleValue& value) const {
    // torch.Size(...) holds its sizes in its one argument.
    const PickleValue& list = value.is(Kind::kObject) && value.items.size() == 1 ? *value.items[0] : value;
    if (!list.is(Kind::kList) || list.items.size() > kMaxDimensions) fail("has an unusable shape");
    std::vector<std::int64_t> numbers;
    for (const PickleValue* size : list.items) {
      if (!size->is(Kind::kInteger) || size->integer < 0 ||
          size->integer > std::numeric_limits<std::int32_t>::max())
        fail("has an unusable shape");
      numbers.push_back(size->integer);
    }
    return numbers;
  }

  void check_extent(const PickledTensor& tensor, std::uint64_t offset, std::uint64_t numbers) const {
    std::uint64_t count = 1, last = offset;
    for (std::size_t i = 0; i < tensor.info.shape.size(); ++i) {
      const auto size = static_cast<std::uint64_t>(tensor.info.shape[i]),
                 stride = static_cast<std::uint64_t>(tensor.strides[i]);
      if (__builtin_mul_overflow(count, size, &count)) fail("has a size that overflows");
      std::uint64_t step = 0;
      if (size > 0 &&
          (__builtin_mul_overflow(size - 1, stride, &step) || __builtin_add_overflow(last, step, &last)))
        fail("has strides that overflow");
    }
    if (!stride_bytes(tensor.info.shape, tensor.info.dtype)) fail("has a size that overflows");
    if (offset > numbers || (count > 0 && last >= numbers) || count > numbers)
      fail("of shape ", shape_text(tensor.info.shape), " reaches outside its storage of ", numbers,
           " numbers");
  }

  std::string key_;
  const ZipArchive& archive_;
  const std::string& storages_;
};

}  // namespace

bool is_pickled_tensor(const PickleValue& value) {
  return is_tensor_call(value) || parameter_data(value) != nullptr;
}

PickledTensor pickled_tensor(const PickleValue& value, const std::string& key, const ZipArchive& archive,
                             const std::string& storages) {
  if (const PickleValue* const data = parameter_data(value))
    return pickled_tensor(*data, key, archive, storages);
  return Reader(key, archive, storages).read(value.items, /*has_dtype=*/has_version(value, "_v3"));
}

}  // namespace sdgen
