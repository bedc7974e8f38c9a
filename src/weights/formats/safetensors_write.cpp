#include "weights/formats/safetensors_write.h"

#include <cstring>
#include <nlohmann/json.hpp>

namespace sdgen {

std::vector<std::uint8_t> encode_safetensors(
    const std::vector<std::pair<std::string, Tensor>>& tensors,
    const std::vector<std::pair<std::string, std::string>>& metadata) {
  nlohmann::ordered_json header;
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  std::size_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = end;
    end += static_cast<std::size_t>(tensor.numel()) * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.sizes().vec()}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the numbers begin at a multiple of eight
  std::vector<std::uint8_t> bytes(8 + text.size() + end);
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(text.size() >> (8 * i));
  std::memcpy(bytes.data() + 8, text.data(), text.size());
  std::size_t at = 8 + text.size();
  for (const auto& [name, tensor] : tensors) {
    const Tensor plain = tensor.to(at::kCPU, at::kFloat).contiguous();
    std::memcpy(bytes.data() + at, plain.const_data_ptr(),
                static_cast<std::size_t>(plain.numel()) * sizeof(float));
    at += static_cast<std::size_t>(plain.numel()) * sizeof(float);
  }
  return bytes;
}

}  // namespace sdgen
