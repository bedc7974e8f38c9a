// A file that is written whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>

namespace sdgen {

// Throws Error(kWorking) naming path, cause and remedy for an errno.
[[noreturn]] void fail_write(const std::filesystem::path& path, int error);

// Throws Error(kRequest): there is something by that name.
[[noreturn]] void fail_exists(const std::filesystem::path& path);

// A new file beside `target` that is removed unless it took target's place. Everything throws Error(kWorking)
// naming target and cause (no such folder, no permission, disk full).
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* bytes, std::size_t count);
  void flush_and_close();  // after the last write

  // Takes the place of `target`, if that exists.
  void replace();
  // Becomes `target` unless that exists (Error(kRequest)), in one step where the file system knows how.
  void create();

 private:
  int rename_no_replace();
  int link_and_unlink();
  int reserve_and_rename();

  const std::filesystem::path target_;
  std::filesystem::path path_;
  int fd_ = -1;
  bool moved_ = false;
};

}  // namespace sdgen
