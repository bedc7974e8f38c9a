#include "weights/formats/zip_archive.h"

#include <algorithm>
#include <cstring>

#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr std::uint32_t kEntryMark = 0x04034b50, kDirectoryMark = 0x02014b50, kEndMark = 0x06054b50,
                        kWideEndMark = 0x06064b50, kWideLocatorMark = 0x07064b50;
constexpr std::uint64_t kEndSize = 22, kLocatorSize = 20, kDirectoryEntrySize = 46, kEntrySize = 30;
constexpr std::uint64_t kLongestComment = 65535;
// PyTorch writes an entry a storage, some thousand of names as long as its folder's.
constexpr std::uint64_t kMaxEntries = 200'000, kLongestName = 1000,
                        kMaxDirectoryBytes = std::uint64_t{64} << 20;
constexpr std::uint32_t kWide = 0xffffffff;  // the number is in the zip64 field

}  // namespace

template <typename... Parts>
void ZipArchive::fail(const Parts&... parts) const {
  fail_input(path_, ": not a sound zip file: ", parts..., " (an interrupted download?)");
}

template <typename Number>
Number ZipArchive::number_at(std::uint64_t offset) const {
  if (offset > mapping_->size() || mapping_->size() - offset < sizeof(Number))
    fail("it ends at byte ", mapping_->size());
  Number number{};
  std::memcpy(&number, mapping_->data() + offset, sizeof number);
  return number;
}

ZipArchive::ZipArchive(const std::filesystem::path& path)
    : path_(path.string()), mapping_(std::make_shared<FileMapping>(path)) {
  const Directory directory = find_directory();
  std::uint64_t offset = directory.offset;
  if (directory.entries > mapping_->size() / kDirectoryEntrySize)
    fail("a directory of ", directory.entries, " entries");
  if (directory.entries > kMaxEntries)
    fail_input(path_, ": a zip file of ", directory.entries, " entries (limit ", kMaxEntries, ")");
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    offset = read_entry(offset);
    if (offset - directory.offset > kMaxDirectoryBytes)
      fail_input(path_, ": a zip file whose directory has more than ", kMaxDirectoryBytes,
                 " bytes (the limit)");
  }
}

ZipArchive::Directory ZipArchive::find_directory() const {
  const std::uint64_t size = mapping_->size();
  if (size < kEndSize) fail("only ", size, " bytes long");
  const std::uint64_t last = size - kEndSize, first = last > kLongestComment ? last - kLongestComment : 0;
  for (std::uint64_t at = last + 1; at-- > first;) {
    if (number_at<std::uint32_t>(at) != kEndMark) continue;
    Directory directory{number_at<std::uint32_t>(at + 16), number_at<std::uint32_t>(at + 12),
                        number_at<std::uint16_t>(at + 10)};
    if (at >= kLocatorSize && number_at<std::uint32_t>(at - kLocatorSize) == kWideLocatorMark)
      directory = read_zip64_directory(number_at<std::uint64_t>(at - kLocatorSize + 8));
    return directory;
  }
  fail("its directory is missing");
}

ZipArchive::Directory ZipArchive::read_zip64_directory(std::uint64_t end) const {
  if (number_at<std::uint32_t>(end) != kWideEndMark) fail("its zip64 directory is missing");
  return {number_at<std::uint64_t>(end + 48), number_at<std::uint64_t>(end + 40),
          number_at<std::uint64_t>(end + 32)};
}

// Number `field` of the zip64 part of an entry's extra bytes.
std::uint64_t ZipArchive::wide_field(std::uint64_t extra, std::uint64_t extra_size, std::size_t field) const {
  for (std::uint64_t at = extra; at + 4 <= extra + extra_size;) {
    const auto kind = number_at<std::uint16_t>(at);
    const std::uint64_t size = number_at<std::uint16_t>(at + 2);
    if (kind == 1 && size >= 8 * (field + 1)) return number_at<std::uint64_t>(at + 4 + 8 * field);
    at += 4 + size;
  }
  fail("an entry lacks its zip64 size");
}

std::uint64_t ZipArchive::read_entry(std::uint64_t at) {
  if (number_at<std::uint32_t>(at) != kDirectoryMark) fail("its directory is damaged at byte ", at);
  const std::uint64_t name_size = number_at<std::uint16_t>(at + 28),
                      extra_size = number_at<std::uint16_t>(at + 30),
                      comment_size = number_at<std::uint16_t>(at + 32);
  const std::uint64_t next = at + kDirectoryEntrySize + name_size + extra_size + comment_size;
  if (next > mapping_->size()) fail("it ends at byte ", mapping_->size());
  if (name_size > kLongestName)
    fail_input(path_, ": a zip file with an entry whose name has ", name_size, " bytes (limit ", kLongestName,
               ")");
  const std::string name(reinterpret_cast<const char*>(mapping_->data()) + at + kDirectoryEntrySize,
                         name_size);
  std::uint64_t stored = number_at<std::uint32_t>(at + 20), size = number_at<std::uint32_t>(at + 24),
                local = number_at<std::uint32_t>(at + 42);
  const std::uint64_t extra = at + kDirectoryEntrySize + name_size;
  std::size_t field = 0;
  if (size == kWide) size = wide_field(extra, extra_size, field++);
  if (stored == kWide) stored = wide_field(extra, extra_size, field++);
  if (local == kWide) local = wide_field(extra, extra_size, field++);
  if (number_at<std::uint32_t>(local) != kEntryMark)
    fail("its entry '", name.substr(0, 80), "' is not where it should be");
  const std::uint64_t begin =
      local + kEntrySize + number_at<std::uint16_t>(local + 26) + number_at<std::uint16_t>(local + 28);
  if (begin > mapping_->size() || stored > mapping_->size() - begin)
    fail("its entry '", name.substr(0, 80), "' of ", stored, " bytes at ", begin, " reaches past the end");
  const bool is_plain =
      number_at<std::uint16_t>(at + 10) == 0 && stored == size && (number_at<std::uint16_t>(at + 8) & 1) == 0;
  if (!entries_.emplace(name, Entry{{mapping_->data() + begin, stored}, is_plain}).second)
    fail("its entry '", name.substr(0, 80), "' is there twice");
  return next;
}

const std::span<const std::uint8_t>* ZipArchive::find(const std::string& name) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return nullptr;
  if (!entry->second.is_plain)
    fail_input(path_, ": its entry '", name.substr(0, 80),
               "' is compressed, which PyTorch does not do; save it again with PyTorch");
  return &entry->second.bytes;
}

std::string ZipArchive::name_ending_in(const std::string& suffix) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry.first.ends_with(suffix); });
  return found == entries_.end() ? "" : found->first;
}

}  // namespace sdgen
