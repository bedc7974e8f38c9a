#include "image/png_data.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "image/png_chunks.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr std::size_t kHeaderBytes = 13;
constexpr std::uint64_t kSlack = 65536;  // some writers leave a little behind the last row

// What a picture of this header unpacks to, or a little more (PNG specification, 7.2 and 8.2): its rows, and
// a byte for the filter of each. Interlaced it has up to twice as many rows, each rounded up.
std::uint64_t max_data_bytes(const unsigned char* header) {
  constexpr std::array<std::uint64_t, 7> kChannels = {1, 0, 3, 1, 2, 0, 4};  // by colour type
  const std::uint64_t width = read_big_endian(header), height = read_big_endian(header + 4),
                      depth = header[8];
  const std::uint64_t channels = kChannels[std::min<std::size_t>(header[9], 6)];
  return height * ((width * channels * depth + 7) / 8) + 4 * (height + 8) + kSlack;
}

// A zlib stream that is unpacked piece by piece and thrown away.
class Unpacking {
 public:
  Unpacking() { is_sound_ = inflateInit(&stream_) == Z_OK; }
  ~Unpacking() { inflateEnd(&stream_); }
  Unpacking(const Unpacking&) = delete;
  Unpacking& operator=(const Unpacking&) = delete;

  // Stops early past `max_bytes` in all, at the stream's end and at damage.
  void add(const unsigned char* data, std::uint32_t size, std::uint64_t max_bytes) {
    stream_.next_in = const_cast<unsigned char*>(data);
    stream_.avail_in = size;
    while (is_sound_ && stream_.avail_in > 0 && bytes_ <= max_bytes) {
      stream_.next_out = piece_.data();
      stream_.avail_out = static_cast<uInt>(piece_.size());
      is_sound_ = inflate(&stream_, Z_NO_FLUSH) == Z_OK;
      bytes_ += piece_.size() - stream_.avail_out;
    }
  }

  std::uint64_t bytes() const { return bytes_; }

 private:
  z_stream stream_{};
  bool is_sound_ = false;
  std::uint64_t bytes_ = 0;
  std::array<unsigned char, 65536> piece_{};
};

}  // namespace

void check_png_data(const std::vector<std::uint8_t>& bytes, const std::string& file) {
  Unpacking unpacking;
  std::uint64_t max_bytes = 0;
  for (std::size_t at = kPngSignature.size(); at + kPngChunkFrame <= bytes.size();) {
    const std::uint64_t size = read_big_endian(&bytes[at]);
    const std::string_view type(reinterpret_cast<const char*>(&bytes[at + 4]), 4);
    if (size > bytes.size() - at - kPngChunkFrame) return;
    if (type == "IHDR" && size == kHeaderBytes) max_bytes = max_data_bytes(&bytes[at + 8]);
    if (type == "IDAT") unpacking.add(&bytes[at + 8], static_cast<std::uint32_t>(size), max_bytes);
    if (unpacking.bytes() > max_bytes)
      fail_input(file, ": damaged PNG: its data unpack to more than ", max_bytes,
                 " bytes, the most for its size");
    at += kPngChunkFrame + size;
  }
}

}  // namespace sdgen
