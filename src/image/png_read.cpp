#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "base/input_file.h"
#include "image/png_chunks.h"
#include "plain/errors.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

// All text of a picture, in bytes; prompts are a thousand times shorter.
constexpr std::uint64_t kMaxTextBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMaxTexts = 10'000;   // chunks
constexpr std::uint64_t kSeekBytes = 4096;  // shorter stretches are read: a seek throws the buffer away

// Reads a PNG chunk by chunk; every length is held against what is left of the file.
class ChunkReader {
 public:
  explicit ChunkReader(const std::filesystem::path& path) : path_(path.string()) {
    const OpenInput input = open_input(path);  // refuses what is no file, before a stream would wait for it
    ::close(input.descriptor);
    left_ = input.bytes;
    in_.open(path, std::ios::binary);
    if (!in_) fail_input(path_, ": cannot be read");
    const bool is_png = left_ >= kPngSignature.size() &&
                        take(kPngSignature.size()) == std::string(kPngSignature.begin(), kPngSignature.end());
    if (!is_png) fail_input(path_, ": not a PNG file");
  }

  // Type and data of the next text chunk, others are passed over; false at the end of the picture.
  bool next_text(std::string& type, std::string& data) {
    for (;;) {
      const std::string head = take(8);
      const std::uint64_t size = read_big_endian(reinterpret_cast<const unsigned char*>(head.data()));
      type = head.substr(4);
      if (size + 4 > left_)
        fail_input(path_, ": damaged PNG: a chunk of ", size, " bytes does not fit into the file");
      if (type == "IEND") return false;
      if (type == "tEXt" || type == "iTXt") {
        text_bytes_ += size;
        if (text_bytes_ > kMaxTextBytes)
          fail_input(path_, ": its text chunks have more than ", kMaxTextBytes, " bytes (the limit)");
        if (++texts_ > kMaxTexts)
          fail_input(path_, ": it has more than ", kMaxTexts, " text chunks (the limit)");
        data = take(size);
        const std::string crc = take(4);
        if (read_big_endian(reinterpret_cast<const unsigned char*>(crc.data())) != chunk_crc(type + data))
          fail_input(path_, ": damaged PNG: a text chunk has a wrong checksum");
        return true;
      }
      pass_over(size + 4);
    }
  }

 private:
  void pass_over(std::uint64_t size) {
    if (size < kSeekBytes)
      in_.ignore(static_cast<std::streamsize>(size));
    else
      in_.seekg(static_cast<std::streamoff>(size), std::ios::cur);
    left_ -= size;
  }

  std::string take(std::uint64_t size) {
    std::string bytes(static_cast<std::size_t>(std::min(size, left_)), '\0');
    in_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!in_ || bytes.size() < size) fail_input(path_, ": damaged PNG: the file is cut short");
    left_ -= size;
    return bytes;
  }

  std::string path_;
  std::ifstream in_;
  std::uint64_t left_ = 0;  // bytes of the file not yet read
  std::uint64_t text_bytes_ = 0;
  std::size_t texts_ = 0;
};

std::string latin1_to_utf8(std::string_view text) {
  std::string utf8;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) utf8.push_back(static_cast<char>(0xC0 | byte >> 6));
    utf8.push_back(byte < 0x80 ? c : static_cast<char>(0x80 | (byte & 0x3F)));
  }
  return utf8;
}

// Cuts `rest` at its first NUL and returns what stood before; all of it where there is none.
std::string_view take_until_nul(std::string_view& rest) {
  const auto nul = std::min(rest.find('\0'), rest.size());
  const auto taken = rest.substr(0, nul);
  rest.remove_prefix(std::min(nul + 1, rest.size()));
  return taken;
}

// Appends the (keyword, text) of a text chunk; compressed text is passed over.
void append_text(const std::string& type, const std::string& data, PngText& text) {
  std::string_view rest = data;
  const std::string keyword = latin1_to_utf8(take_until_nul(rest));
  if (keyword.empty()) return;
  if (type == "tEXt") {
    text.emplace_back(keyword, latin1_to_utf8(rest));
    return;
  }
  if (rest.size() < 2 || rest[0] != 0) return;
  rest.remove_prefix(2);
  take_until_nul(rest);  // language
  take_until_nul(rest);  // translated keyword
  text.emplace_back(keyword, std::string(rest));
}

}  // namespace

PngText read_png_text(const std::filesystem::path& path) {
  ChunkReader reader(path);
  PngText text;
  for (std::string type, data; reader.next_text(type, data);) append_text(type, data, text);
  return text;
}

}  // namespace sdgen
