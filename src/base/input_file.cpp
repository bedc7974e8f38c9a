#include "base/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "plain/errors.h"

namespace sdgen {
namespace {

struct Closing {
  int descriptor;
  ~Closing() { ::close(descriptor); }
};

// Where a link points to that ends nowhere; empty for other files.
std::string dangling_target(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_symlink(path, ignored) || std::filesystem::exists(path, ignored)) return "";
  return std::filesystem::read_symlink(path, ignored).string();
}

}  // namespace

OpenInput open_input(const std::filesystem::path& path, const char* purpose) {
  // A pipe is opened without waiting for its writer, and then refused.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    const int error = errno;
    if (const std::string target = dangling_target(path); error == ENOENT && !target.empty())
      fail_input(path.string(), ": a link to ", target,
                 ", which is not there; fetch the file again, or copy what the link should lead to");
    fail_input(path.string(), ": cannot be ", purpose, ": ", std::strerror(error));
  }
  struct stat status {};
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode))
    return {file, static_cast<std::uint64_t>(status.st_size)};
  ::close(file);
  fail_input(path.string(), S_ISDIR(status.st_mode) ? ": is a folder, not a file"
                                                    : ": is not a file, but a pipe, a device or the like");
}

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::symlink_status(path, error).type() != std::filesystem::file_type::not_found;
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

std::string read_input(const std::filesystem::path& path, std::uint64_t max_bytes, const std::string& what) {
  const OpenInput input = open_input(path);
  const Closing closing{input.descriptor};
  if (input.bytes > max_bytes)
    fail_input(path.string(), ": ", input.bytes, " bytes are too many for ", what, " (limit ", max_bytes,
               ")");
  std::string bytes(input.bytes, '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::read(input.descriptor, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_input(path.string(), ": cannot be read: ", std::strerror(errno));
    if (count == 0) fail_input(path.string(), ": cannot be read: it became shorter meanwhile");
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace sdgen
