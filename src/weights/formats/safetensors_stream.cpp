#include "weights/formats/safetensors_stream.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/cut_files.h"
#include "base/temporary_file.h"
#include "base/tensor.h"

namespace sdgen {
namespace {

const char* dtype_code(at::ScalarType dtype) {
  static const std::map<at::ScalarType, const char*> kCodes = {{at::kDouble, "F64"},
                                                               {at::kFloat, "F32"},
                                                               {at::kHalf, "F16"},
                                                               {at::kBFloat16, "BF16"},
                                                               {at::kLong, "I64"},
                                                               {at::kInt, "I32"},
                                                               {at::kShort, "I16"},
                                                               {at::kChar, "I8"},
                                                               {at::kByte, "U8"},
                                                               {at::kBool, "BOOL"},
                                                               {at::kUInt16, "U16"},
                                                               {at::kUInt32, "U32"},
                                                               {at::kUInt64, "U64"},
                                                               {at::kFloat8_e4m3fn, "F8_E4M3"},
                                                               {at::kFloat8_e5m2, "F8_E5M2"}};
  return kCodes.at(dtype);
}

at::ScalarType stored_dtype(const TensorInfo& info, std::optional<at::ScalarType> dtype) {
  return dtype && c10::isFloatingType(info.dtype) ? *dtype : info.dtype;
}

std::string header_of(const TensorSource& source, std::optional<at::ScalarType> dtype,
                      const Metadata& metadata) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t end = 0;
  for (const std::string& key : source.keys()) {
    const TensorInfo& info = *source.find(key);
    const at::ScalarType to = stored_dtype(info, dtype);
    const std::uint64_t begin = end;
    std::uint64_t numbers = 1;
    for (const std::int64_t size : info.shape) numbers *= static_cast<std::uint64_t>(size);
    end += numbers * c10::elementSize(to);
    nlohmann::ordered_json entry = {
        {"dtype", dtype_code(to)}, {"shape", info.shape}, {"data_offsets", {begin, end}}};
    // Keys are distinct: header[key] would look through all those before it.
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(key, std::move(entry));
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the numbers begin at a multiple of eight
  std::string length(8, '\0');
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(text.size() >> (8 * i));
  return length + text;
}

at::Tensor converted(const TensorSource& source, const std::string& key, at::ScalarType dtype) {
  const at::Tensor stored = source.read(key);
  if (stored.scalar_type() == dtype) return stored.contiguous();
  const at::Tensor tensor = stored.to(dtype).contiguous();
  const TensorInfo& info = *source.find(key);
  if (!is_finite(tensor))
    fail_input(info.file, ": tensor '", info.stored_key, "' holds numbers that are not finite as ",
               c10::toString(dtype), "; keep float32 or take bfloat16, or the file is damaged");
  return tensor;
}

}  // namespace

std::uint64_t write_safetensors(const std::filesystem::path& path, const TensorSource& source,
                                std::optional<at::ScalarType> dtype, const Metadata& metadata,
                                bool overwrite) {
  const std::filesystem::path target = writable_target(path, overwrite);
  const std::string header = header_of(source, dtype, metadata);
  TemporaryFile file(target);
  file.write(header.data(), header.size());
  std::uint64_t bytes = header.size();
  for (const std::string& key : source.keys()) {
    const at::Tensor tensor = converted(source, key, stored_dtype(*source.find(key), dtype));
    if (tensor.numel() > 0) file.write(tensor.const_data_ptr(), tensor.nbytes());
    bytes += tensor.nbytes();
  }
  file.flush_and_close();
  fail_if_cut_short();
  overwrite ? file.replace() : file.create();
  return bytes;
}

}  // namespace sdgen
