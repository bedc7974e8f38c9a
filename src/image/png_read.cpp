#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/input_file.h"
#include "image/png_chunks.h"
#include "image/png_text.h"
#include "plain/errors.h"
#include "sdgen/image.h"

namespace sdgen {
namespace {

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
      if (is_text_chunk(type)) {
        text_bytes_ += size;
        if (text_bytes_ > kMaxPngText)
          fail_input(path_, ": its text chunks have more than ", kMaxPngText, " bytes (the limit)");
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

}  // namespace

PngText read_png_text(const std::filesystem::path& path) {
  ChunkReader reader(path);
  PngText text;
  std::uint64_t budget = kMaxPngText;
  for (std::string type, data; reader.next_text(type, data);)
    if (append_png_text(type, data, budget, text) == TextChunk::kTooLong)
      fail_input(path.string(), ": its text chunks unpack to more than ", kMaxPngText, " bytes (the limit)");
  return text;
}

}  // namespace sdgen
