#include "image/exif.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "plain/unicode.h"

namespace sdgen {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::string_view kExifHead("Exif\0\0", 6);
constexpr std::uint16_t kOrientation = 0x0112, kExifDirectory = 0x8769, kUserComment = 0x9286;
enum TiffType : std::uint16_t { kShort = 3, kLong = 4, kUndefined = 7, kSignedShort = 8, kSignedLong = 9 };
constexpr std::size_t kEntryBytes = 12, kDirectoryAt = 4, kFirstDirectory = 8;

bool begins_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin(),
                    [](char c, std::uint8_t byte) { return static_cast<std::uint8_t>(c) == byte; });
}

// A TIFF file; every offset in it is held against its size.
class Tiff {
 public:
  explicit Tiff(Bytes exif) : bytes_(exif) {
    for (int i = 0; i < 2 && begins_with(bytes_, kExifHead); ++i) bytes_ = bytes_.subspan(kExifHead.size());
    is_big_endian_ = begins_with(bytes_, "MM");
    is_tiff_ = (is_big_endian_ || begins_with(bytes_, "II")) && number(2, 2) == 42;
  }

  std::size_t first_directory() const { return is_tiff_ ? number(kDirectoryAt, 4) : bytes_.size(); }
  bool is_big_endian() const { return is_big_endian_; }

  // The data of the last entry with this tag; empty where there is none.
  struct Entry {
    std::size_t type = 0;
    Bytes data;
  };
  Entry find(std::size_t directory, std::size_t tag) const {
    Entry found;
    const std::size_t entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
      const std::size_t at = directory + 2 + kEntryBytes * i;
      if (at + kEntryBytes > bytes_.size()) break;
      if (number(at, 2) != tag) continue;
      const std::size_t type = number(at + 2, 2), size = number(at + 4, 4) * size_of(type);
      const std::size_t data_at = size <= 4 ? at + 8 : number(at + 8, 4);
      if (size > 0 && data_at <= bytes_.size() && size <= bytes_.size() - data_at)
        found = {type, bytes_.subspan(data_at, size)};
    }
    return found;
  }

  std::size_t number(const Entry& entry) const { return number_in(entry.data, 0, size_of(entry.type)); }

 private:
  static std::size_t size_of(std::size_t type) {
    constexpr std::array<std::size_t, 10> kSizes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4};
    return type < kSizes.size() ? kSizes[type] : 0;
  }
  std::size_t number(std::size_t at, std::size_t size) const { return number_in(bytes_, at, size); }
  // 0 where the bytes are not there.
  std::size_t number_in(Bytes bytes, std::size_t at, std::size_t size) const {
    if (at > bytes.size() || bytes.size() - at < size) return 0;
    std::size_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= std::size_t{bytes[at + i]} << 8 * (is_big_endian_ ? size - 1 - i : i);
    return value;
  }

  Bytes bytes_;
  bool is_big_endian_ = false;
  bool is_tiff_ = false;
};

// UTF-16 -> UTF-8, to the first NUL.
std::string from_utf16(Bytes text, bool big_endian) {
  std::u32string chars;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const char32_t unit = big_endian ? text[i] << 8 | text[i + 1] : text[i + 1] << 8 | text[i];
    if (unit == 0) break;
    const bool is_low = unit >= 0xDC00 && unit < 0xE000;
    if (is_low && !chars.empty() && chars.back() >= 0xD800 && chars.back() < 0xDC00)
      chars.back() = 0x10000 + ((chars.back() - 0xD800) << 10) + (unit - 0xDC00);
    else
      chars.push_back(unit);
  }
  for (char32_t& c : chars)
    if (c >= 0xD800 && c < 0xE000) c = 0xFFFD;
  return encode_utf8(chars);
}

// The specification says the file's byte order, AUTOMATIC1111 always writes big-endian: the side where the
// zeros are tells, since prompts are mostly Latin.
bool is_big_endian_utf16(Bytes text, bool fallback) {
  std::size_t zeros[2] = {0, 0};
  for (std::size_t i = 0; i < text.size(); ++i) zeros[i % 2] += text[i] == 0;
  return zeros[0] == zeros[1] ? fallback : zeros[0] > zeros[1];
}

std::string from_unicode(Bytes text, bool is_big_endian) {
  if (begins_with(text, "\xFE\xFF")) return from_utf16(text.subspan(2), true);
  if (begins_with(text, "\xFF\xFE")) return from_utf16(text.subspan(2), false);
  return from_utf16(text, is_big_endian_utf16(text, is_big_endian));
}

void append(std::vector<std::uint8_t>& out, std::size_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

// A directory of one entry.
void append_directory(std::vector<std::uint8_t>& out, std::uint16_t tag, TiffType type, std::size_t count,
                      std::size_t value) {
  append(out, 1, 2);
  append(out, tag, 2);
  append(out, type, 2);
  append(out, count, 4);
  append(out, value, 4);
  append(out, 0, 4);  // no further directory
}

}  // namespace

std::optional<int> exif_orientation(Bytes exif) {
  const Tiff tiff(exif);
  const Tiff::Entry entry = tiff.find(tiff.first_directory(), kOrientation);
  if (entry.data.empty()) return std::nullopt;
  const bool is_number =
      entry.type == kShort || entry.type == kLong || entry.type == kSignedShort || entry.type == kSignedLong;
  const std::size_t value = is_number ? tiff.number(entry) : 1;
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

std::optional<int> xmp_orientation(Bytes xmp) {
  const std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size()),
      name = "tiff:Orientation";
  for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
    std::string_view rest = text.substr(at + name.size());
    if (!rest.starts_with("=\"") && !rest.starts_with(">")) continue;
    rest.remove_prefix(rest.front() == '>' ? 1 : 2);
    if (rest.empty() || rest.front() < '0' || rest.front() > '9') continue;
    return rest.front() >= '1' && rest.front() <= '8' ? rest.front() - '0' : 1;
  }
  return std::nullopt;
}

std::string exif_user_comment(Bytes exif) {
  constexpr std::size_t kCode = 8;  // the name of the encoding
  const Tiff tiff(exif);
  const Tiff::Entry directory = tiff.find(tiff.first_directory(), kExifDirectory);
  const Tiff::Entry comment =
      directory.data.empty() ? directory : tiff.find(tiff.number(directory), kUserComment);
  if (comment.data.size() < kCode) return "";
  const Bytes text = comment.data.subspan(kCode);
  if (begins_with(comment.data, "UNICODE")) return from_unicode(text, tiff.is_big_endian());
  // ASCII, or nothing said: UTF-8 as it is in the wild.
  const bool is_text = begins_with(comment.data, "ASCII") || comment.data[0] == 0;
  const Bytes whole = is_text ? text : comment.data;
  const std::string_view bytes(reinterpret_cast<const char*>(whole.data()), whole.size());
  return encode_utf8(decode_utf8(bytes.substr(0, bytes.find('\0'))).chars);
}

std::vector<std::uint8_t> exif_with_comment(const std::string& text) {
  constexpr std::size_t kDirectoryBytes = 2 + kEntryBytes + 4;
  constexpr std::size_t kInner = kFirstDirectory + kDirectoryBytes, kTextAt = kInner + kDirectoryBytes;
  std::vector<std::uint8_t> comment = {'U', 'N', 'I', 'C', 'O', 'D', 'E', 0};
  for (const char32_t c : decode_utf8(text).chars) {
    if (c < 0x10000) {
      append(comment, c, 2);
      continue;
    }
    append(comment, 0xD800 + ((c - 0x10000) >> 10), 2);
    append(comment, 0xDC00 + ((c - 0x10000) & 0x3FF), 2);
  }
  std::vector<std::uint8_t> out(kExifHead.begin(), kExifHead.end());
  append(out, 0x4D4D002A, 4);  // "MM", 42
  append(out, kFirstDirectory, 4);
  append_directory(out, kExifDirectory, kLong, 1, kInner);
  append_directory(out, kUserComment, kUndefined, comment.size(), kTextAt);
  out.insert(out.end(), comment.begin(), comment.end());
  return out;
}

}  // namespace sdgen
