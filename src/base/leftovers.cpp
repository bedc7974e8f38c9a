#include "base/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "plain/errors.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".sd-gen-", kSuffix = ".tmp";

// The whole of `text` as a process id, spelled as we do.
std::optional<pid_t> as_process_id(std::string_view text) {
  pid_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || id <= 0 || std::to_string(id) != text) return std::nullopt;
  return id;
}

// The process of an unfinished name.
std::optional<pid_t> maker_of(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const std::size_t dash = name.find('-', kPrefix.size()), end = name.size() - kSuffix.size();
  if (dash == std::string::npos || dash + 1 >= end || name.find_first_not_of("0123456789", dash + 1) != end)
    return std::nullopt;
  return as_process_id(std::string_view(name).substr(kPrefix.size(), dash - kPrefix.size()));
}

bool has_ended(pid_t process) {
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

bool is_of(const struct stat& found, fs::file_type type) {
  return type == fs::file_type::directory ? S_ISDIR(found.st_mode) : S_ISREG(found.st_mode);
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

}  // namespace

std::string unfinished_name() {
  static std::atomic<unsigned> counter{0};
  return concat(kPrefix, ::getpid(), "-", counter++, kSuffix);
}

void mark_in_work(int fd) {
  (void)::flock(fd, LOCK_EX | LOCK_NB);  // where there are no locks, nothing is swept either
}

void sweep_leftovers(const fs::path& folder, fs::file_type type) {
  static std::mutex mutex;
  static std::set<std::pair<fs::path, fs::file_type>> swept;
  const std::lock_guard lock(mutex);
  if (!swept.emplace(folder, type).second) return;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto maker = maker_of(entry->path().filename().string());
    std::error_code ignored;
    if (maker && is_abandoned(entry->path(), type, *maker)) fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace sdgen
