// Weights made unusable in a copy of a model.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "support/golden.h"
#include "support/safetensors_file.h"

namespace sdgen::testing {

// Multiplies a float16 tensor of a safetensors file.
inline void scale_tensor(const std::filesystem::path& path, const std::string& key, double factor) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const Json info = Json::parse(bytes.substr(8, header)).at(key);
  ASSERT_EQ(info.at("dtype"), "F16");
  const auto begin = info.at("data_offsets").at(0).get<std::size_t>();
  const auto end = info.at("data_offsets").at(1).get<std::size_t>();
  at::from_blob(bytes.data() + 8 + header + begin, {static_cast<std::int64_t>(end - begin) / 2}, at::kHalf)
      .mul_(factor);
  write_bytes(path, bytes);
}

}  // namespace sdgen::testing
