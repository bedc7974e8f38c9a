// Small picture files that ask for much.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <chrono>

#include "image/png_chunks.h"
#include "sdgen/error.h"
#include "sdgen/image.h"
#include "support/golden.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

using Chunks = std::vector<std::pair<std::string, std::string>>;

struct PictureLimits : ::testing::Test {
  testing::TemporaryFolder folder;

  std::filesystem::path file(const std::string& bytes) const {
    testing::write_bytes(folder.path() / "x.png", bytes);
    return folder.path() / "x.png";
  }
  template <typename Read>
  std::string refusal(const Read& read, const std::filesystem::path& path) const {
    try {
      read(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_EQ(std::string(error.what()).find(path.string() + ": "), 0u) << error.what();
      return error.what();
    }
    return "read";
  }
};

std::string big_endian(std::uint32_t number, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(number >> 8 * bytes & 0xFF);
  return text;
}

std::string png_of(const Chunks& chunks) {
  std::vector<std::uint8_t> png(kPngSignature.begin(), kPngSignature.end());
  for (const auto& [type, data] : chunks) append_chunk(type, data, png);
  return {png.begin(), png.end()};
}

std::string header(std::uint32_t width, std::uint32_t height) {
  return big_endian(width, 4) + big_endian(height, 4) + std::string("\x08\x02\0\0\0", 5);
}

std::string packed(std::size_t zeros) {
  const std::string plain(zeros, '\0');
  std::string out(compressBound(plain.size()), '\0');
  uLongf size = out.size();
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
           plain.size());
  return out.substr(0, size);
}

TEST_F(PictureLimits, APngWhoseDataUnpackToMoreThanItsSizeIsRefused) {
  const auto png = [](std::size_t zeros) {
    return png_of({{"IHDR", header(16, 16)}, {"IDAT", packed(zeros)}, {"IEND", ""}});
  };
  EXPECT_EQ(refusal(read_picture, file(png(16 * (1 + 3 * 16)))), "read");
  EXPECT_NE(refusal(read_picture, file(png(1 << 20))).find("unpack to more than"), std::string::npos);
}

TEST_F(PictureLimits, APictureOfTooManyPixelsInAllIsRefusedByItsHeader) {
  const auto png = file(png_of({{"IHDR", header(16384, 8193)}, {"IDAT", packed(1)}, {"IEND", ""}}));
  EXPECT_NE(refusal(read_picture_size, png).find("16384x8193 pixels; expected at most 134217728 in all"),
            std::string::npos)
      << refusal(read_picture_size, png);
}

TEST_F(PictureLimits, TextOfAPngIsBoundInNumberAndInBytes) {
  Chunks many(10'000, {"tEXt", std::string("k\0v", 3)});
  many.emplace_back("IEND", "");
  EXPECT_EQ(read_png_text(file(png_of(many))).size(), 10'000u);
  many.insert(many.begin(), many.front());
  EXPECT_NE(refusal(read_png_text, file(png_of(many))).find("more than 10000 text chunks"),
            std::string::npos);
  const Chunks large(3, {"tEXt", std::string("k\0", 2) + std::string(6 << 20, 'v')});
  EXPECT_NE(refusal(read_png_text, file(png_of(large))).find("more than 16777216 bytes"), std::string::npos);
}

TEST_F(PictureLimits, AnExifBehindAHundredThousandMarkersIsFoundAtOnce) {
  std::ifstream in(testing::golden_path("families/start.jpg"), std::ios::binary);
  const std::string jpeg{std::istreambuf_iterator<char>(in), {}};
  const std::string marker = "\xFF\xE1" + big_endian(16, 2) + std::string(14, 'x');
  std::string markers;
  for (int i = 0; i < 100'000; ++i) markers += marker;
  const auto begin = std::chrono::steady_clock::now();
  const Image turned = read_picture(file(jpeg.substr(0, 2) + markers + jpeg.substr(2)));
  EXPECT_LT(std::chrono::steady_clock::now() - begin,
            std::chrono::seconds(10));  // a minute if each is listed
  EXPECT_EQ(turned.rgb, read_picture(testing::golden_path("families/start.jpg")).rgb);
}

// A grey progressive JPEG of 8x8 pixels whose one coefficient is told `scans` times over.
std::string progressive(int scans) {
  const std::string table = "\xFF\xDB" + big_endian(67, 2) + '\0' + std::string(64, '\1');
  const std::string frame = "\xFF\xC2" + big_endian(11, 2) + '\x08' + big_endian(8, 2) + big_endian(8, 2) +
                            std::string("\1\1\x11\0", 4);
  const std::string codes = "\xFF\xC4" + big_endian(20, 2) + '\0' + '\1' + std::string(15, '\0') + '\0';
  const std::string scan = "\xFF\xDA" + big_endian(8, 2) + std::string("\1\1\0\0\0\0", 6) + '\x7F';
  std::string jpeg = "\xFF\xD8" + table + frame + codes;
  for (int i = 0; i < scans; ++i) jpeg += scan;
  return jpeg + "\xFF\xD9";
}

TEST_F(PictureLimits, AJpegOfMoreThanAHundredScansIsRefused) {
  EXPECT_EQ(read_picture(file(progressive(100))).width, 8);
  EXPECT_NE(refusal(read_picture, file(progressive(102))).find("more than 100 scans"), std::string::npos);
}

TEST_F(PictureLimits, APipeIsRefusedInsteadOfWaitedFor) {
  const auto pipe = folder.path() / "pipe.png";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(refusal(read_picture, pipe).find("is not a file"), std::string::npos);
  EXPECT_NE(refusal(read_png_text, pipe).find("is not a file"), std::string::npos);
}

}  // namespace
}  // namespace sdgen
