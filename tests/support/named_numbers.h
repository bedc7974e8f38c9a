// Tensors whose numbers tell their name and place, as scripts/make_goldens/single_files.py fills them.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/safetensors_file.h"

namespace sdgen::testing {

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

inline at::Tensor named_numbers(const std::string& key, const std::vector<std::int64_t>& shape) {
  std::uint32_t mark = 2166136261U;
  for (const char byte : key) mark = (mark ^ static_cast<unsigned char>(byte)) * 16777619U;
  at::Tensor tensor = at::empty(shape);
  auto* const numbers = tensor.data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i)
    numbers[i] =
        static_cast<float>((mark + static_cast<std::uint32_t>(i) * 2654435761U) >> 8) / 16777216.0F - 0.5F;
  return tensor;
}

// Of the bits of float32 numbers and their places.
inline std::uint64_t checksum(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.contiguous();
  const auto* const bytes = static_cast<const char*>(plain.const_data_ptr());
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < plain.numel(); ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, bytes + i * 4, 4);
    sum += bits * (2 * static_cast<std::uint64_t>(i) + 1);
  }
  return sum;
}

// A float32 safetensors file of such tensors; `metadata`: members of the JSON object, or empty.
inline void named_file(const std::filesystem::path& path, const Shapes& shapes,
                       const std::string& metadata = "") {
  nlohmann::json header;
  if (!metadata.empty()) header["__metadata__"] = nlohmann::json::parse("{" + metadata + "}");
  std::string data;
  for (const auto& [key, shape] : shapes) {
    const at::Tensor tensor = named_numbers(key, shape);
    const std::size_t begin = data.size();
    data.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    header[key] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  write_bytes(path, safetensors_bytes(text, data));
}

}  // namespace sdgen::testing
