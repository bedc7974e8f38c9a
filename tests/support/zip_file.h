// Zip files as PyTorch writes them, sound and hostile, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sdgen::testing {

inline std::string little_endian(std::uint64_t number, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(number >> 8 * i & 0xFF);
  return text;
}

// Entries (name, bytes), stored as they are, without checksums.
inline std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string file, directory;
  for (const auto& [name, bytes] : entries) {
    const std::string sizes = std::string(4, '\0') + little_endian(bytes.size(), 4) +
                              little_endian(bytes.size(), 4) + little_endian(name.size(), 2);
    directory.append("PK\1\2").append(12, '\0').append(sizes).append(12, '\0');
    directory.append(little_endian(file.size(), 4)).append(name);
    file.append("PK\3\4").append(10, '\0').append(sizes).append(2, '\0').append(name).append(bytes);
  }
  const std::string count = little_endian(entries.size(), 2);
  return file + directory + "PK\5\6" + std::string(4, '\0') + count + count +
         little_endian(directory.size(), 4) + little_endian(file.size(), 4) + std::string(2, '\0');
}

}  // namespace sdgen::testing
