// The entries of a zip file that lie in it as they are (PKWARE APPNOTE 6.3, 4.3), as PyTorch writes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "weights/formats/file_mapping.h"

namespace sdgen {

class ZipArchive {
 public:
  // Maps `path` and checks its directory: every entry lies inside the file, no name is there twice. Reads no
  // entry. Throws Error(kInput) naming the file.
  explicit ZipArchive(const std::filesystem::path& path);

  const std::string& path() const { return path_; }
  std::shared_ptr<const FileMapping> mapping() const { return mapping_; }

  // By name; nullptr if there is none. Throws Error(kInput) if the entry is compressed or encrypted.
  const std::span<const std::uint8_t>* find(const std::string& name) const;

  // The one entry that ends in `suffix`, "" if there is none.
  std::string name_ending_in(const std::string& suffix) const;

 private:
  struct Entry {
    std::span<const std::uint8_t> bytes;
    bool is_plain = true;
  };
  struct Directory {
    std::uint64_t offset = 0, size = 0, entries = 0;
  };

  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const;
  template <typename Number>
  Number number_at(std::uint64_t offset) const;
  Directory find_directory() const;
  Directory read_zip64_directory(std::uint64_t end) const;
  std::uint64_t read_entry(std::uint64_t offset);
  std::uint64_t wide_field(std::uint64_t extra, std::uint64_t extra_size, std::size_t field) const;

  std::string path_;
  std::shared_ptr<const FileMapping> mapping_;
  std::map<std::string, Entry> entries_;
};

}  // namespace sdgen
