#include "base/temporary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/errors.h"

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

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

void fail_write(const fs::path& path, int error) {
  fail_working(path.string(), ": cannot be written: ", std::strerror(error), remedy(error));
}

void fail_exists(const fs::path& path) {
  fail_request(path.string(), ": already exists; choose another name, or --overwrite to replace it");
}

TemporaryFile::TemporaryFile(const fs::path& target) : target_(target) {
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

TemporaryFile::~TemporaryFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!moved_) ::unlink(path_.c_str());
}

void TemporaryFile::write(const void* bytes, std::size_t count) {
  const auto* const begin = static_cast<const char*>(bytes);
  for (std::size_t done = 0; done < count;) {
    const auto written = ::write(fd_, begin + done, count - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_write(target_, errno);
    done += static_cast<std::size_t>(written);
  }
}

void TemporaryFile::flush_and_close() {
  // Network file systems report a full disk only here. EINVAL: one that has no such thing as flushing.
  while (::fsync(fd_) != 0)
    if (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS)
      break;
    else if (errno != EINTR)
      fail_write(target_, errno);
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail_write(target_, errno);
}

void TemporaryFile::replace() {
  // Who may read the file that is replaced may read the new one, and nobody else. Where the rights cannot be set
  // (FAT has none) the new file is as any other.
  struct stat old = {};
  if (::stat(target_.c_str(), &old) == 0 && S_ISREG(old.st_mode) &&
      ::chmod(path_.c_str(), old.st_mode & 0777) != 0 &&
      errno != EPERM && errno != ENOTSUP && errno != ENOSYS)
    fail_write(target_, errno);
  if (::rename(path_.c_str(), target_.c_str()) != 0) fail_write(target_, errno);
  moved_ = true;
}

void TemporaryFile::create() {
  int error = rename_no_replace();
  if (error == ENOSYS || error == EINVAL || error == ENOTSUP) error = link_and_unlink();
  if (error == EPERM || error == ENOTSUP || error == ENOSYS || error == EMLINK) error = reserve_and_rename();
  if (error == EEXIST) fail_exists(target_);
  if (error != 0) fail_write(target_, error);
  moved_ = true;
}

int TemporaryFile::rename_no_replace() {
#ifdef RENAME_NOREPLACE
  return ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
#else
  return ENOSYS;
#endif
}

int TemporaryFile::link_and_unlink() {
  if (::link(path_.c_str(), target_.c_str()) != 0) return errno;
  ::unlink(path_.c_str());
  return 0;
}

// Without hard links (FAT): whoever creates the empty file owns the name.
int TemporaryFile::reserve_and_rename() {
  const int fd = ::open(target_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  ::close(fd);
  if (::rename(path_.c_str(), target_.c_str()) == 0) return 0;
  const int error = errno;
  ::unlink(target_.c_str());
  return error;
}

}  // namespace sdgen
