// Writing a whole file or none of it.
#include "base/errors.h"
#include "base/temporary_file.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

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
  file.write(bytes.data(), bytes.size());
  file.flush_and_close();
  overwrite ? file.replace() : file.create();
}

}  // namespace sdgen
