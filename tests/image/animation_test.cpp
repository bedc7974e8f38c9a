#include "image/animation.h"

#include <gtest/gtest.h>

#include <string>

#include "image/canvas.h"
#include "image/png_chunks.h"
#include "sdgen/error.h"

namespace sdgen {
namespace {

struct Chunk {
  std::string type, data;
};

// Checks signature and CRCs on the way.
std::vector<Chunk> chunks_of(const std::vector<std::uint8_t>& png) {
  EXPECT_TRUE(std::equal(kPngSignature.begin(), kPngSignature.end(), png.begin()));
  std::vector<Chunk> chunks;
  std::size_t at = kPngSignature.size();
  while (at + kPngChunkFrame <= png.size()) {
    const std::size_t size = read_big_endian(&png[at]);
    const auto begin = png.begin() + static_cast<std::ptrdiff_t>(at);
    const std::string body(begin + 4, begin + 8 + static_cast<std::ptrdiff_t>(size));
    chunks.push_back({body.substr(0, 4), body.substr(4)});
    EXPECT_EQ(read_big_endian(&png[at + 8 + size]), chunk_crc(body)) << chunks.back().type;
    at += size + kPngChunkFrame;
  }
  EXPECT_EQ(at, png.size());
  return chunks;
}

std::uint32_t number_at(const std::string& data, std::size_t at) {
  return read_big_endian(reinterpret_cast<const unsigned char*>(data.data()) + at);
}

std::string pixels_of(const Image& image) {
  std::string pixels;
  for (const Chunk& chunk : chunks_of(encode_png(image, {})))
    if (chunk.type == "IDAT") pixels += chunk.data;
  return pixels;
}

std::vector<Image> three_frames() {
  return {blank_image(5, 3, {1, 2, 3}), blank_image(5, 3, {4, 5, 6}), blank_image(5, 3, {7, 8, 9})};
}

TEST(EncodeAnimation, HasTheChunksOfAnAnimatedPng) {
  std::string types;
  const auto chunks = chunks_of(encode_animation(three_frames(), 100, 2000, {{"parameters", "a cat"}}));
  for (const Chunk& chunk : chunks) types += chunk.type + ' ';
  EXPECT_EQ(types, "IHDR tEXt acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
  EXPECT_EQ(chunks[2].data.size(), 8u);
  EXPECT_EQ(number_at(chunks[2].data, 0), 3u);  // frames
  EXPECT_EQ(number_at(chunks[2].data, 4), 0u);  // for ever
}

TEST(EncodeAnimation, NumbersItsChunksInOrder) {
  std::uint32_t expected = 0;
  for (const Chunk& chunk : chunks_of(encode_animation(three_frames(), 100, 2000)))
    if (chunk.type == "fcTL" || chunk.type == "fdAT") {
      EXPECT_EQ(number_at(chunk.data, 0), expected++) << chunk.type;
    }
  EXPECT_EQ(expected, 5u);
}

TEST(EncodeAnimation, ShowsTheLastFrameLonger) {
  std::vector<std::uint32_t> times;
  for (const Chunk& chunk : chunks_of(encode_animation(three_frames(), 100, 2000)))
    if (chunk.type == "fcTL") {
      ASSERT_EQ(chunk.data.size(), 26u);
      EXPECT_EQ(number_at(chunk.data, 4), 5u);
      EXPECT_EQ(number_at(chunk.data, 8), 3u);
      EXPECT_EQ(number_at(chunk.data, 12) + number_at(chunk.data, 16), 0u);
      EXPECT_EQ(number_at(chunk.data, 20) & 0xFFFF, 1000u);
      times.push_back(number_at(chunk.data, 20) >> 16);
      EXPECT_EQ(chunk.data.substr(24), std::string(2, '\0'));
    }
  EXPECT_EQ(times, (std::vector<std::uint32_t>{100, 100, 2000}));
}

TEST(EncodeAnimation, KeepsThePixelsOfEveryFrame) {
  const auto frames = three_frames();
  std::vector<std::string> pixels;
  for (const Chunk& chunk : chunks_of(encode_animation(frames, 1, 1))) {
    if (chunk.type == "IDAT") pixels.push_back(chunk.data);
    if (chunk.type == "fdAT") pixels.push_back(chunk.data.substr(4));
  }
  ASSERT_EQ(pixels.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(pixels[i], pixels_of(frames[i])) << i;
}

TEST(EncodeAnimation, MayBeOfOneFrame) {
  std::string types;
  for (const Chunk& chunk : chunks_of(encode_animation({blank_image(2, 2, {})}, 0, 65535)))
    types += chunk.type + ' ';
  EXPECT_EQ(types, "IHDR acTL fcTL IDAT IEND ");
}

void expect_refused(const std::vector<Image>& frames, int frame_ms, int last_frame_ms) {
  try {
    encode_animation(frames, frame_ms, last_frame_ms);
    FAIL() << frames.size() << " " << frame_ms << " " << last_frame_ms;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kWorking);
  }
}

TEST(EncodeAnimation, RefusesWhatAPngCannotHold) {
  expect_refused({}, 100, 100);
  expect_refused({blank_image(2, 2, {}), blank_image(2, 3, {})}, 100, 100);
  expect_refused({Image{2, 2, {1}}}, 100, 100);
  expect_refused(three_frames(), -1, 100);
  expect_refused(three_frames(), 100, 65536);
}

}  // namespace
}  // namespace sdgen
