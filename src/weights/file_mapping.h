// A file as read-only memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace sdgen {

class FileMapping {
 public:
  // Throws Error(kInput) if `path` is missing, not a regular file, empty or cannot be mapped.
  explicit FileMapping(const std::filesystem::path& path);
  ~FileMapping();
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }  // bytes

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sdgen
