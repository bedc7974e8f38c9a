// A file as read-only memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace sdgen {

class FileMapping {
 public:
  // Throws Error(kInput) if `path` is missing, not a regular file, empty or cannot be mapped; std::bad_alloc
  // if it is memory that lacks.
  explicit FileMapping(const std::filesystem::path& path);
  ~FileMapping();
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }  // bytes

  // Tells the system that these bytes of data() are not needed soon, so that they do not count as our memory.
  // They can still be read.
  void release(const std::uint8_t* begin, std::size_t bytes) const;

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sdgen
