#include "weights/quantized_names.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/json_file.h"
#include "compute/compute.h"
#include "sdgen/printable.h"

namespace sdgen {
namespace {

constexpr std::size_t kMaxSettingsBytes = std::size_t{4} << 20;
constexpr std::int64_t kMaxMarkerBytes = 1 << 16;
const std::string kMarker = ".comfy_quant";

struct Ending {
  std::string_view text;
  const char* layout;
};

constexpr std::array kOthers = {
    Ending{".qweight", "GPTQ, AWQ or SVDQuant"},
    Ending{".qzeros", "GPTQ or AWQ"},
    Ending{".wscales", "SVDQuant"},
    Ending{".weight_scale_2", "NVFP4"},
    Ending{".absmax", "bitsandbytes' 4 bits"},
    Ending{".nested_absmax", "bitsandbytes' 4 bits"},
    Ending{".quant_map", "bitsandbytes' 4 bits"},
    Ending{".weight_packed", "compressed-tensors"},
    Ending{".weight_zero_point", "codes with a zero point"},
    Ending{".pre_quant_scale", "AWQ, with scales of inputs"},
    Ending{"weight_qdata", "torchao"},
    Ending{"weight:qdata", "torchao"},
    Ending{".weight._shift", "optimum-quanto's 4 bits"},
    Ending{".W_q", "HQQ"},
    Ending{"_quantizer._amax", "ModelOpt"},
    Ending{"_quantizer._scale", "ModelOpt"},
};

constexpr std::array<std::string_view, 5> kRemarks = {".scale_input", ".input_scale", ".output_scale",
                                                      ".comfy_quant", ".weight_format"};

constexpr std::array<std::string_view, 3> kFormatsRead = {"float8_e4m3fn", "float8_e5m2", "int8_tensorwise"};

std::string parent(const std::string& key) {
  const auto dot = key.rfind('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

// ComfyUI's settings of a layer: {"format": "float8_e4m3fn"}, or the format alone.
void check_format(const TensorInfo& info, const Json& settings) {
  const Json format = settings.is_object() ? settings.value("format", Json()) : settings;
  const std::string name = format.is_string() ? format.get<std::string>() : shown(format);
  if (std::find(kFormatsRead.begin(), kFormatsRead.end(), name) == kFormatsRead.end())
    fail_quantized(info, printable(name, 60) + " (comfy_quant)");
  const auto rotated = settings.is_object() ? settings.find("convrot") : settings.end();
  if (settings.is_object() && rotated != settings.end() && *rotated != Json(false))
    fail_quantized(info, name + ", rotated (convrot)");
}

void check_marker(const TensorSource& source, const std::string& key) {
  const TensorInfo& info = *source.find(key);
  const at::Tensor bytes =
      info.dtype == at::kByte && info.shape.size() == 1 && info.shape[0] <= kMaxMarkerBytes ? source.read(key)
                                                                                            : at::Tensor();
  if (!bytes.defined()) fail_quantized(info, "an unknown format (comfy_quant)");
  const std::string text(static_cast<const char*>(bytes.const_data_ptr()),
                         static_cast<std::size_t>(bytes.numel()));
  check_format(info, parse_json(text, concat(info.file, ": tensor '", printable(key, 100), "'")));
  const std::string layer = key.substr(0, key.size() - kMarker.size());
  if (!source.find(layer + ".weight_scale") && !source.find(layer + ".scale_weight"))
    fail_input(info.file, ": tensor '", layer, ".weight_scale' is missing, which '", key,
               "' promises; the file is incomplete");
}

void check_metadata(const TensorSource& source) {
  const Metadata metadata = source.metadata();
  const auto found = metadata.find(kQuantizedMetadata);
  if (found == metadata.end()) return;
  const std::string where = concat(source.describe(), ": metadata '", kQuantizedMetadata, "'");
  if (found->second.size() > kMaxSettingsBytes)
    fail_input(where, ": more than ", kMaxSettingsBytes, " bytes");
  const Json json = parse_json(found->second, where);
  const auto layers = json.is_object() ? json.find("layers") : json.end();
  if (!json.is_object() || layers == json.end() || !layers->is_object()) return;
  for (const auto& layer : layers->items()) {
    TensorInfo info;
    info.file = source.describe();
    info.stored_key = layer.key() + ".weight";
    check_format(info, layer.value());
  }
}

bool is_small_code(const TensorInfo& info) {
  return info.shape.size() >= 2 && c10::elementSize(info.dtype) == 1 && info.dtype != at::kBool;
}

// The weight of codes that a tensor of this name seems to belong to; nullptr if there is none.
const TensorInfo* codes_beside(const TensorSource& source, const std::string& key) {
  const std::string above = parent(key);
  for (const std::string& name : {above, above + ".weight", parent(above) + ".weight"})
    if (const TensorInfo* const info = source.find(name); info && name != key && is_small_code(*info))
      return info;
  return nullptr;
}

}  // namespace

bool is_quantized_remark(const TensorSource& source, const std::string& key) {
  if (key == "scaled_fp8" || key.ends_with(".scaled_fp8")) return true;
  const auto* const ending = std::find_if(kRemarks.begin(), kRemarks.end(),
                                          [&](std::string_view text) { return key.ends_with(text); });
  if (ending == kRemarks.end()) return false;
  const std::string layer = key.substr(0, key.size() - ending->size());
  return source.find(layer + ".weight") || source.find(layer + ".weight._data");
}

void fail_quantized(const TensorInfo& info, const std::string& what) {
  fail_input(info.file, ": tensor '", info.stored_key, "': weights stored as ", what,
             " are not read; take the model in float16, bfloat16 or (scaled) fp8");
}

void refuse_other_quantized(const TensorSource& source) {
  for (const std::string& key : source.keys()) {
    for (const Ending& other : kOthers)
      if (key.ends_with(other.text)) fail_quantized(*source.find(key), other.layout);
    if (key.find(".quant_state.") != std::string::npos)
      fail_quantized(*source.find(key), "bitsandbytes' 4 bits");
    if (key.ends_with(kMarker)) check_marker(source, key);
  }
  check_metadata(source);
}

void refuse_bare_codes(const TensorSource& source) {
  for (const std::string& key : source.keys()) {
    const TensorInfo& info = *source.find(key);
    const bool is_whole = !c10::isFloatingType(info.dtype) && info.dtype != at::kBool;
    if (is_whole && key.ends_with("weight") && info.shape.size() >= 2)
      fail_quantized(info, concat(dtype_name(info.dtype), " codes without a scale that is known here"));
    const std::string last = key.substr(parent(key).size());
    if (last.find("scale") == std::string::npos && last.find("amax") == std::string::npos) continue;
    if (const TensorInfo* const codes = codes_beside(source, key))
      fail_quantized(*codes, concat(dtype_name(codes->dtype), " codes beside '", printable(key, 100), "'"));
  }
}

}  // namespace sdgen
