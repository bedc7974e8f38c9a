#include "base/temporary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "base/leftovers.h"
#include "plain/errors.h"

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

fs::path writable_target(const fs::path& path, bool overwrite) {
  if (path.empty()) fail_working("cannot write a file: its path is empty");
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

TemporaryFile::TemporaryFile(const fs::path& target) : target_(target) {
  sweep_leftovers(folder_of(target), fs::file_type::regular);
  if (struct stat found = {}; ::stat(target.c_str(), &found) == 0 && S_ISREG(found.st_mode)) old_ = found;
  open_beside_target();
  mark_in_work(fd_);
  in_work_ = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);  // so until it has its name, not only until it is closed
}

void TemporaryFile::open_beside_target() {
  constexpr int kTries = 100;                              // names left over from processes that were killed
  const mode_t mode = old_ ? old_->st_mode & 0777 : 0666;  // less the umask
  for (int i = 0; i < kTries && fd_ < 0; ++i) {
    path_ = folder_of(target_) / unfinished_name();
    do {
      fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0 && errno != EEXIST) fail_write(target_, errno);
  }
  if (fd_ < 0) fail_write(target_, EEXIST);
}

TemporaryFile::~TemporaryFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!moved_) ::unlink(path_.c_str());
  if (in_work_ >= 0) ::close(in_work_);
}

void TemporaryFile::write(const void* bytes, std::size_t count) {
  const auto* const begin = static_cast<const char*>(bytes);
  for (std::size_t done = 0; done < count;) {
    const auto written = ::write(fd_, begin + done, count - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EFAULT)  // `bytes` lie in a mapped file
      fail_input(target_.string(),
                 ": cannot be written: a file that it is made of was cut short while it was being read; "
                 "copy that file again");
    if (written < 0) fail_write(target_, errno);
    done += static_cast<std::size_t>(written);
  }
}

void TemporaryFile::flush_and_close() {
  if (old_) take_rights_of_old();
  // Network file systems report a full disk only here. EINVAL: one that has no such thing as flushing.
  while (::fsync(fd_) != 0)
    if (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS)
      break;
    else if (errno != EINTR)
      fail_write(target_, errno);
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail_write(target_, errno);
}

// Before the file has its name, and through its descriptor. Where rights cannot be set (FAT has none) the new
// file is as any other.
void TemporaryFile::take_rights_of_old() {
  mode_t mode = old_->st_mode & 0777;
  if (::fchown(fd_, old_->st_uid, old_->st_gid) != 0 &&
      ::fchown(fd_, static_cast<uid_t>(-1), old_->st_gid) != 0)
    mode &= 0707 | (mode & 07) << 3;  // another group gets no more than everybody
  if (::fchmod(fd_, mode) != 0 && errno != EPERM && errno != ENOTSUP && errno != ENOSYS)
    fail_write(target_, errno);
}

void TemporaryFile::replace() {
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
