// A file that is written whole or not at all.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <optional>

namespace sdgen {

// Throws Error(kWorking) naming path, cause and remedy for an errno.
[[noreturn]] void fail_write(const std::filesystem::path& path, int error);

// Throws Error(kRequest): there is something by that name.
[[noreturn]] void fail_exists(const std::filesystem::path& path);

// Where the bytes of `path` go: a link is followed, so that it stays a link. Throws Error(kWorking) for what
// a rename would destroy or fail on (a folder, a device), Error(kRequest) for what exists and is not to be
// overwritten.
std::filesystem::path writable_target(const std::filesystem::path& path, bool overwrite);

// A new file beside `target` that is removed unless it took target's place. Everything throws Error(kWorking)
// naming target and cause (no such folder, no permission, disk full). What
// a process that was killed left in that folder is removed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* bytes, std::size_t count);
  void flush_and_close();  // after the last write

  // Takes the place of `target`, if that exists; who could read that file can read this one, and nobody else.
  void replace();
  // Becomes `target` unless that exists (Error(kRequest)), in one step where the file system knows how.
  void create();

 private:
  void open_beside_target();
  void take_rights_of_old();
  int rename_no_replace();
  int link_and_unlink();
  int reserve_and_rename();

  const std::filesystem::path target_;
  std::filesystem::path path_;
  std::optional<struct stat> old_;  // the file that `target` is now
  int fd_ = -1, in_work_ = -1;
  bool moved_ = false;
};

}  // namespace sdgen
