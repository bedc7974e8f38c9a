#include "weights/formats/file_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "base/input_file.h"
#include "plain/errors.h"

namespace sdgen {

FileMapping::FileMapping(const std::filesystem::path& path) {
  const auto [file, bytes] = open_input(path, "opened");
  if (bytes == 0) {
    ::close(file);
    fail_input(path.string(), ": is empty");
  }
  size_ = static_cast<std::size_t>(bytes);
  void* const memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  const int error = errno;
  ::close(file);
  if (memory == MAP_FAILED && error == ENOMEM) throw std::bad_alloc();
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
