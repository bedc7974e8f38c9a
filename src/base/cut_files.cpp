#include "base/cut_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "plain/errors.h"
#include "sdgen/mapped_files.h"

namespace sdgen {
namespace {

enum State : int { kSound, kBeingNamed, kNamed };

// Written by a signal handler, which can reach nothing else.
std::atomic<int> state{kSound};
char first_name[4096];
std::uintptr_t page_size = 4096;

// A line of /proc/self/maps, "begin-end rights offset device inode   path"; path is empty for memory without
// a file.
struct Mapping {
  std::uintptr_t begin = 0, end = 0;
  char path[sizeof first_name] = {};
};

// Reads lines with what a signal handler may call.
class MapsReader {
 public:
  MapsReader() : file_(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
  ~MapsReader() {
    if (file_ >= 0) ::close(file_);
  }

  bool next(Mapping& mapping) {
    mapping.begin = number();
    mapping.end = number();
    char c = character();
    while (c != '\0' && c != '\n' && c != '/') c = character();
    std::size_t length = 0;
    for (; c != '\0' && c != '\n'; c = character())
      if (length + 1 < sizeof mapping.path) mapping.path[length++] = c;
    mapping.path[length] = '\0';
    return mapping.end != 0;
  }

 private:
  char character() {
    if (at_ == filled_) {
      const ssize_t count = file_ >= 0 ? ::read(file_, buffer_, sizeof buffer_) : 0;
      if (count <= 0) return '\0';
      at_ = 0;
      filled_ = static_cast<std::size_t>(count);
    }
    return buffer_[at_++];
  }
  // Hexadecimal, and the character after it.
  std::uintptr_t number() {
    std::uintptr_t value = 0;
    for (char c = character();; c = character())
      if (c >= '0' && c <= '9')
        value = value * 16 + static_cast<std::uintptr_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        value = value * 16 + static_cast<std::uintptr_t>(c - 'a' + 10);
      else
        return value;
  }

  const int file_;
  char buffer_[1024];
  std::size_t at_ = 0, filled_ = 0;
};

// Puts zeros in place of what cannot be read, to the end of the mapping, and keeps the file's name.
bool replace_lost_pages(std::uintptr_t address) {
  Mapping mapping;
  MapsReader reader;
  do {
    if (!reader.next(mapping)) return false;
  } while (address < mapping.begin || address >= mapping.end);
  if (mapping.path[0] == '\0') return false;
  const std::uintptr_t begin = address / page_size * page_size;
  if (::mmap(reinterpret_cast<void*>(begin), mapping.end - begin, PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
    return false;
  int sound = kSound;
  if (state.compare_exchange_strong(sound, kBeingNamed)) {
    std::memcpy(first_name, mapping.path, sizeof first_name);
    state = kNamed;
  }
  return true;
}

void on_bus_error(int number, siginfo_t* info, void*) {
  const int error = errno;
  if (info->si_code != BUS_ADRERR || !replace_lost_pages(reinterpret_cast<std::uintptr_t>(info->si_addr)))
    std::signal(number, SIG_DFL);  // the same access again ends the process
  errno = error;
}

}  // namespace

void survive_cut_files() {
  page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

void fail_if_cut_short() {
  if (state != kSound)
    fail_input(state == kNamed ? first_name : "a file of the model",
               ": was cut short, or its disk failed, while it was being read; copy it again");
}

}  // namespace sdgen
