#include "weights/file_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/errors.h"

namespace sdgen {

FileMapping::FileMapping(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail_input(path.string(), ": cannot be opened: ", std::strerror(errno));
  struct stat status {};
  const bool is_file = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  if (!is_file || status.st_size == 0) {
    ::close(file);
    fail_input(path.string(), is_file ? ": is empty" : ": is not a file");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  void* const memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  const int error = errno;
  ::close(file);
  if (memory == MAP_FAILED) fail_input(path.string(), ": cannot be mapped: ", std::strerror(error));
  data_ = static_cast<const std::uint8_t*>(memory);
}

FileMapping::~FileMapping() {
  ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

void FileMapping::release(const std::uint8_t* begin, std::size_t bytes) const {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const std::uintptr_t last = (reinterpret_cast<std::uintptr_t>(begin) + bytes) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace sdgen
