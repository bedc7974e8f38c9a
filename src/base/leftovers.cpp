#include "base/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

namespace sdgen {
namespace {

namespace fs = std::filesystem;

bool has_ended(pid_t process) {
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

bool is_of(const struct stat& found, fs::file_type type) {
  return type == fs::file_type::directory ? S_ISDIR(found.st_mode) : S_ISREG(found.st_mode);
}

}  // namespace

void mark_in_work(int fd) {
  (void)::flock(fd, LOCK_EX | LOCK_NB);  // where there are no locks, nothing is swept either
}

std::optional<pid_t> as_process_id(std::string_view text) {
  pid_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || id <= 0 || std::to_string(id) != text) return std::nullopt;
  return id;
}

bool is_abandoned(const fs::path& path, fs::file_type type, pid_t process) {
  if (process != ::getpid() && !has_ended(process)) return false;
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat found = {};
  const bool is_free = ::fstat(fd, &found) == 0 && found.st_uid == ::geteuid() && is_of(found, type) &&
                       ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  ::close(fd);
  return is_free;
}

void each_entry(const fs::path& folder, const std::function<void(const fs::path&)>& tell) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    tell(entry->path());
}

}  // namespace sdgen
