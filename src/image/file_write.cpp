// Writing a whole file or none of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/errors.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space or choose another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; choose a folder that you may write to";
    case ENOENT:
      return "; create the folder first";
    case ENOTDIR:
      return "; a part of the path is a file, not a folder";
    case ENAMETOOLONG:
      return "; choose a shorter name";
    case EFBIG:
      return "; it exceeds the size limit for files (ulimit -f)";
    default:
      return "";
  }
}

[[noreturn]] void fail_write(const fs::path& path, int error) {
  fail_working(path.string(), ": cannot be written: ", std::strerror(error), remedy(error));
}

[[noreturn]] void fail_exists(const fs::path& path) {
  fail_request(path.string(), ": already exists; choose another name, or --overwrite to replace it");
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// A new file beside `target` that is removed unless it was moved away.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) : target_(target) {
    static std::atomic<unsigned> counter{0};
    constexpr int kTries = 100;  // names left over from processes that were killed
    for (int i = 0; i < kTries && fd_ < 0; ++i) {
      path_ = folder_of(target) / concat(".sd-gen-", ::getpid(), "-", counter++, ".tmp");
      do {
        fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);  // less the umask
      } while (fd_ < 0 && errno == EINTR);
      if (fd_ < 0 && errno != EEXIST) fail_write(target, errno);
    }
    if (fd_ < 0) fail_write(target, EEXIST);
  }
  ~TemporaryFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!moved_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const std::vector<std::uint8_t>& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const auto written = ::write(fd_, bytes.data() + done, bytes.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_write(target_, errno);
      done += static_cast<std::size_t>(written);
    }
    // Network file systems report a full disk only here. EINVAL: one that has no such thing as flushing.
    while (::fsync(fd_) != 0)
      if (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS)
        break;
      else if (errno != EINTR)
        fail_write(target_, errno);
    if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail_write(target_, errno);
  }

  // Takes the place of `target`, if that exists.
  void replace() {
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail_write(target_, errno);
    moved_ = true;
  }

  // Becomes `target` unless that exists, in one step where the file system knows how.
  void create() {
    int error = rename_no_replace();
    if (error == ENOSYS || error == EINVAL || error == ENOTSUP) error = link_and_unlink();
    if (error == EPERM || error == ENOTSUP || error == ENOSYS || error == EMLINK)
      error = reserve_and_rename();
    if (error == EEXIST) fail_exists(target_);
    if (error != 0) fail_write(target_, error);
    moved_ = true;
  }

 private:
  int rename_no_replace() {
#ifdef RENAME_NOREPLACE
    return ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
#else
    return ENOSYS;
#endif
  }
  int link_and_unlink() {
    if (::link(path_.c_str(), target_.c_str()) != 0) return errno;
    ::unlink(path_.c_str());
    return 0;
  }
  // Without hard links (FAT): whoever creates the empty file owns the name.
  int reserve_and_rename() {
    const int fd = ::open(target_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    ::close(fd);
    if (::rename(path_.c_str(), target_.c_str()) == 0) return 0;
    const int error = errno;
    ::unlink(target_.c_str());
    return error;
  }

  const fs::path target_;
  fs::path path_;
  int fd_ = -1;
  bool moved_ = false;
};

// Where the bytes go: a link is followed, so that it stays a link. Refuses what a rename would destroy or
// fail on.
fs::path checked_target(const fs::path& path, bool overwrite) {
  if (path.empty()) fail_working("cannot write a picture: its path is empty");
  std::error_code error;
  const auto status = fs::status(path, error);
  if (fs::is_directory(status) || !path.has_filename())
    fail_working(path.string(), ": cannot be written: it is a folder");
  if (fs::exists(status) && !overwrite) fail_exists(path);
  if (fs::exists(status) && !fs::is_regular_file(status))
    fail_working(path.string(), ": cannot be written: it is a device or the like, not a file");
  if (!fs::is_symlink(fs::symlink_status(path, error)) || !overwrite) return path;
  const auto target = fs::canonical(path, error);
  return error ? path : target;
}

}  // namespace

void write_file_atomically(const fs::path& path, const std::vector<std::uint8_t>& bytes, bool overwrite) {
  TemporaryFile file(checked_target(path, overwrite));
  file.write(bytes);
  overwrite ? file.replace() : file.create();
}

}  // namespace sdgen
