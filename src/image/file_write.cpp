// Writing a whole file or none of it.
#include "base/temporary_file.h"
#include "sdgen/image.h"

namespace sdgen {

void write_file_atomically(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes,
                           bool overwrite) {
  TemporaryFile file(writable_target(path, overwrite));
  file.write(bytes.data(), bytes.size());
  file.flush_and_close();
  overwrite ? file.replace() : file.create();
}

}  // namespace sdgen
