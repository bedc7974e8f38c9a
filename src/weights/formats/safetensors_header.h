// The JSON header of a safetensors file, read in one pass without a tree of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "weights/tensor_source.h"

namespace sdgen {

// What the header says of a tensor: not yet held against the bytes that there are.
struct StoredTensor {
  TensorInfo info;
  std::uint64_t begin = 0;  // bytes from the end of the header
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, StoredTensor> tensors;
  Metadata metadata;  // texts by the format's rule; anything else in there is of no use to us
};

// The models that we read have some thousand tensors; the largest that there are, some ten thousand a file.
inline constexpr std::size_t kMaxTensors = 200'000;
inline constexpr std::size_t kMaxMetadataTexts = 100'000;
inline constexpr std::size_t kMaxMetadataBytes = std::size_t{32} << 20;

// Reads `text`, the header of the file `path`. Throws Error(kInput) naming the file and, where there is one,
// the tensor, for what is not JSON or nested too deeply, a name or a field that is there twice, entries
// without dtype, shape or data_offsets, unknown dtypes, unusable shapes, and more than the limits above.
SafetensorsHeader read_safetensors_header(std::string_view text, const std::string& path);

}  // namespace sdgen
