#include "image/animation.h"

#include <cstddef>
#include <string>

#include "image/png_chunks.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr int kLongestTime = 65535;  // milliseconds; fcTL has 16 bits for it

// A PNG taken apart.
struct Parts {
  std::vector<std::uint8_t> head;  // all that stands before the pixels
  std::string pixels;              // the data of the IDAT chunks
};

Parts parts_of(const std::vector<std::uint8_t>& png) {
  Parts parts;
  for (std::size_t at = kPngSignature.size(); at + kPngChunkFrame <= png.size();) {
    const std::size_t size = read_big_endian(&png[at]);
    const auto type = png.begin() + static_cast<std::ptrdiff_t>(at + 4), data = type + 4;
    if (std::string(type, data) == "IDAT") {
      if (parts.head.empty()) parts.head.assign(png.begin(), type - 4);
      parts.pixels.append(data, data + static_cast<std::ptrdiff_t>(size));
    }
    at += size + kPngChunkFrame;
  }
  return parts;
}

void append_number(std::size_t value, int bytes, std::string& out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::string number(std::size_t value) {
  std::string out;
  append_number(value, 4, out);
  return out;
}

// fcTL: sequence number, width, height, x and y offset, delay as a fraction of a second; then 0 and 0: the
// frame stays until the next, which replaces it.
std::string frame_control(std::size_t sequence, const Image& frame, int ms) {
  std::string out = number(sequence) + number(static_cast<std::size_t>(frame.width)) +
                    number(static_cast<std::size_t>(frame.height)) + number(0) + number(0);
  append_number(static_cast<std::size_t>(ms), 2, out);
  append_number(1000, 2, out);
  return out + std::string(2, '\0');
}

void check(const std::vector<Image>& frames, int frame_ms, int last_frame_ms) {
  if (frames.empty()) fail_working("an animation without frames cannot be written");
  for (const Image& frame : frames)
    if (frame.width != frames[0].width || frame.height != frames[0].height)
      fail_working("frames of an animation differ in size: ", frames[0].width, "x", frames[0].height, " and ",
                   frame.width, "x", frame.height);
  for (const int ms : {frame_ms, last_frame_ms})
    if (ms < 0 || ms > kLongestTime)
      fail_working("frame of an animation: expected 0 to ", kLongestTime, " milliseconds, got ", ms);
}

}  // namespace

std::vector<std::uint8_t> encode_animation(const std::vector<Image>& frames, int frame_ms, int last_frame_ms,
                                           const PngText& text) {
  check(frames, frame_ms, last_frame_ms);
  std::vector<std::uint8_t> out;
  std::size_t sequence = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const Parts parts = parts_of(encode_png(frames[i], i == 0 ? text : PngText{}));
    if (i == 0) {
      out = parts.head;
      append_chunk("acTL", number(frames.size()) + number(0), out);  // 0: for ever
    }
    const int ms = i + 1 == frames.size() ? last_frame_ms : frame_ms;
    append_chunk("fcTL", frame_control(sequence++, frames[i], ms), out);
    if (i == 0)
      append_chunk("IDAT", parts.pixels, out);
    else
      append_chunk("fdAT", number(sequence++) + parts.pixels, out);
  }
  append_chunk("IEND", "", out);
  return out;
}

}  // namespace sdgen
