#include "cli/options/input_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "sdgen/error.h"

namespace sdgen::cli {
namespace {

[[noreturn]] void refuse_input(const std::string& message) {
  throw Error(ErrorKind::kInput, message);
}

struct Opened {
  int descriptor = STDIN_FILENO;

  ~Opened() {
    if (descriptor != STDIN_FILENO) ::close(descriptor);
  }
};

}  // namespace

std::string read_text(const std::string& path, const std::string& shown, std::size_t max_bytes) {
  Opened file;
  if (path != "-") file.descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file.descriptor < 0) refuse_input(shown + " cannot be opened: " + std::strerror(errno));
  std::string text;
  std::array<char, 65536> part;
  for (;;) {
    const ssize_t count = ::read(file.descriptor, part.data(), part.size());
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EISDIR) refuse_input(shown + " is a folder");
    if (count < 0) refuse_input(shown + " cannot be read: " + std::strerror(errno));
    if (static_cast<std::size_t>(count) > max_bytes - text.size())
      refuse_input(shown + " has more than " + std::to_string(max_bytes) + " bytes (the limit)");
    text.append(part.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace sdgen::cli
