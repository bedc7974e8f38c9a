// JPEG and WebP, and the text in them.
#include <gtest/gtest.h>

#include <filesystem>

#include "image/exif.h"
#include "sdgen/error.h"
#include "sdgen/image.h"
#include "support/golden.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

const std::string kText = "a \"cat\", \xD0\xBA\xD0\xBE\xD1\x82, \xF0\x9F\x90\x88\nSteps: 3, Seed: 4";

Image start() {
  return read_picture(testing::golden_path("families/start.png"));
}

struct Written {
  testing::TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "x";

  explicit Written(const std::vector<std::uint8_t>& bytes) {
    testing::write_bytes(path, {bytes.begin(), bytes.end()});
  }
};

double mean_difference(const Image& one, const Image& other) {
  double sum = 0;
  for (std::size_t i = 0; i < one.rgb.size(); ++i) sum += std::abs(int{one.rgb[i]} - int{other.rgb[i]});
  return sum / static_cast<double>(one.rgb.size());
}

struct WrittenFormat : ::testing::TestWithParam<PictureFormat> {};

TEST_P(WrittenFormat, HoldsPictureAndParameters) {
  const Image image = start();
  const Written written(
      encode_picture(image, GetParam(), 90, {{"parameters", kText}, {"other", "left out"}}));
  EXPECT_EQ(read_picture_text(written.path), (PictureText{{"UserComment", kText}}));
  const Image read = read_picture(written.path);
  ASSERT_EQ(std::pair(read.width, read.height), std::pair(image.width, image.height));
  EXPECT_LT(mean_difference(image, read), 6);
}

TEST_P(WrittenFormat, QualityIsASize) {
  const Image image = start();
  const std::size_t small = encode_picture(image, GetParam(), 10, {}).size(),
                    usual = encode_picture(image, GetParam(), 90, {}).size();
  EXPECT_LT(small, usual);
  const Written written(encode_picture(image, GetParam(), 90, {}));
  EXPECT_EQ(read_picture_text(written.path), PictureText{});
}

INSTANTIATE_TEST_SUITE_P(PictureWrite, WrittenFormat,
                         ::testing::Values(PictureFormat::kJpeg, PictureFormat::kWebp));

TEST(PictureWrite, AWebpOfQuality100IsWithoutLoss) {
  const Image image = start();
  const Written written(encode_picture(image, PictureFormat::kWebp, 100, {{"parameters", kText}}));
  EXPECT_EQ(read_picture(written.path).rgb, image.rgb);
  EXPECT_EQ(picture_kind(written.path), "webp");
}

TEST(PictureWrite, WhatDoesNotFitAFormatIsRefused) {
  const PictureText longest = {{"parameters", std::string(40'000, 'x')}};
  EXPECT_THROW(require_format_fits(PictureFormat::kJpeg, 64, 64, longest), Error);
  EXPECT_NO_THROW(require_format_fits(PictureFormat::kWebp, 64, 64, longest));
  EXPECT_NO_THROW(
      require_format_fits(PictureFormat::kJpeg, 64, 64, {{"parameters", std::string(32'000, 'x')}}));
  EXPECT_THROW(require_format_fits(PictureFormat::kWebp, 16384, 64, {}), Error);
  EXPECT_NO_THROW(require_format_fits(PictureFormat::kPng, 16384, 64, longest));
  EXPECT_THROW(encode_picture({8, 8, {}}, PictureFormat::kWebp, 90, {}), Error);
  EXPECT_THROW(encode_picture({}, PictureFormat::kJpeg, 90, {}), Error);
}

// The bytes that piexif writes for the comment "a\u00e9", as AUTOMATIC1111 uses it.
TEST(Exif, ACommentIsWrittenAsOthersDo) {
  const std::string expected(
      "Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1A\0\0\0\0"
      "\0\x01\x92\x86\0\x07\0\0\0\x0C\0\0\0\x2C\0\0\0\0UNICODE\0\0a\0\xE9",
      62);
  const std::vector<std::uint8_t> exif = exif_with_comment("a\xC3\xA9");
  EXPECT_EQ(std::string(exif.begin(), exif.end()), expected);
}

// A block of either byte order with a comment of these bytes.
std::string comment_of(const std::string& bytes, bool big_endian) {
  std::vector<std::uint8_t> exif;
  const auto add = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i)
      exif.push_back(static_cast<std::uint8_t>(value >> 8 * (big_endian ? size - 1 - i : i)));
  };
  const auto add_directory = [&](std::uint32_t tag, std::uint32_t type, std::uint32_t count,
                                 std::uint32_t value) {
    add(1, 2), add(tag, 2), add(type, 2), add(count, 4), add(value, 4), add(0, 4);
  };
  add(big_endian ? 0x4D4D : 0x4949, 2), add(42, 2), add(8, 4);
  add_directory(0x8769, 4, 1, 26);
  add_directory(0x9286, 7, static_cast<std::uint32_t>(bytes.size()), 44);
  exif.insert(exif.end(), bytes.begin(), bytes.end());
  return exif_user_comment(exif);
}

TEST(Exif, ACommentIsReadInEveryEncoding) {
  EXPECT_EQ(comment_of(std::string("UNICODE\0\0c\0a\0t", 14), true), "cat");
  EXPECT_EQ(comment_of(std::string("UNICODE\0c\0a\0t\0", 14), true), "cat") << "of little-endian writers";
  EXPECT_EQ(comment_of(std::string("UNICODE\0c\0a\0t\0", 14), false), "cat");
  EXPECT_EQ(comment_of(std::string("UNICODE\0\0c\0a\0t", 14), false), "cat");
  EXPECT_EQ(comment_of(std::string("UNICODE\0\xFF\xFE"
                                   "c\0a\0",
                                   14),
                       true),
            "ca");
  EXPECT_EQ(comment_of(std::string("UNICODE\0\xD8\x3D\xDC\x08\xDC\x08", 14), true),
            "\xF0\x9F\x90\x88\xEF\xBF\xBD");
  EXPECT_EQ(comment_of(std::string("ASCII\0\0\0cat\0\0\0", 14), true), "cat");
  EXPECT_EQ(comment_of(std::string("\0\0\0\0\0\0\0\0cat\0\0\0", 14), true), "cat");
  EXPECT_EQ(comment_of("a cat, no code", true), "a cat, no code");
  EXPECT_EQ(comment_of("short", true), "");
}

}  // namespace
}  // namespace sdgen
