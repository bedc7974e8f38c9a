#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <limits>

#include "image/png_chunks.h"
#include "sdgen/error.h"
#include "sdgen/image.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

Image gradient(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int value : {x * 7, y * 11, x * y}) image.rgb.push_back(static_cast<std::uint8_t>(value));
  return image;
}

fs::path file_with(const std::vector<std::uint8_t>& bytes) {
  static const testing::TemporaryFolder folder;
  testing::write_bytes(folder.path() / "picture.png", {bytes.begin(), bytes.end()});
  return folder.path() / "picture.png";
}

struct Chunk {
  std::string type, data;
};

std::vector<Chunk> chunks_of(const std::vector<std::uint8_t>& png) {
  std::vector<Chunk> chunks;
  for (std::size_t at = 8; at + kPngChunkFrame <= png.size();) {
    const std::size_t size = read_big_endian(&png[at]);
    const auto begin = png.begin() + static_cast<std::ptrdiff_t>(at);
    const std::string body(begin + 4, begin + 8 + static_cast<std::ptrdiff_t>(size));
    chunks.push_back({body.substr(0, 4), body.substr(4)});
    EXPECT_EQ(read_big_endian(&png[at + 8 + size]), chunk_crc(body)) << chunks.back().type;
    at += size + kPngChunkFrame;
  }
  return chunks;
}

// Undoes IDAT: the pixels of an 8-bit RGB picture (PNG specification, 9.2).
std::vector<std::uint8_t> decode_pixels(const std::vector<std::uint8_t>& png, int width, int height) {
  std::string packed;
  for (const Chunk& chunk : chunks_of(png))
    if (chunk.type == "IDAT") packed += chunk.data;
  const auto row = static_cast<std::size_t>(3 * width);
  std::vector<std::uint8_t> filtered((row + 1) * static_cast<std::size_t>(height)), pixels;
  uLongf size = filtered.size();
  EXPECT_EQ(uncompress(filtered.data(), &size, reinterpret_cast<const Bytef*>(packed.data()), packed.size()),
            Z_OK);
  EXPECT_EQ(size, filtered.size());
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
    const std::uint8_t filter = filtered[y * (row + 1)];
    for (std::size_t x = 0; x < row; ++x) {
      const int left = x < 3 ? 0 : pixels[y * row + x - 3], above = y == 0 ? 0 : pixels[(y - 1) * row + x];
      const int corner = x < 3 || y == 0 ? 0 : pixels[(y - 1) * row + x - 3];
      const int to_left = std::abs(above - corner), to_above = std::abs(left - corner);
      const int to_corner = std::abs(left + above - 2 * corner);
      const int paeth = to_left <= to_above && to_left <= to_corner ? left
                        : to_above <= to_corner                     ? above
                                                                    : corner;
      const int predicted[] = {0, left, above, (left + above) / 2, paeth};
      pixels.push_back(static_cast<std::uint8_t>(filtered[y * (row + 1) + 1 + x] + predicted[filter]));
    }
  }
  return pixels;
}

TEST(EncodePng, KeepsEveryPixel) {
  for (const auto& [width, height] : {std::pair{1, 1}, std::pair{37, 5}, std::pair{64, 96}}) {
    const Image image = gradient(width, height);
    EXPECT_EQ(decode_pixels(encode_png(image, {}), width, height), image.rgb) << width << "x" << height;
  }
}

TEST(EncodePng, PutsTextBeforeThePicture) {
  const auto chunks = chunks_of(encode_png(gradient(3, 2), {{"parameters", "a cat"}, {"more", "\xC3\xA9"}}));
  ASSERT_GE(chunks.size(), 5u);
  EXPECT_EQ(chunks[0].type, "IHDR");
  EXPECT_EQ(chunks[1].type, "tEXt");
  EXPECT_EQ(chunks[1].data, std::string("parameters\0a cat", 16));
  EXPECT_EQ(chunks[2].type, "iTXt");
  EXPECT_EQ(chunks[2].data, std::string("more\0\0\0\0\0\xC3\xA9", 11));
  EXPECT_EQ(chunks[3].type, "IDAT");
  EXPECT_EQ(chunks.back().type, "IEND");
}

TEST(EncodePng, TextComesBackUnchanged) {
  const PngText text = {{"parameters", "a \"cat\"\nNegative prompt: dog\nSteps: 30, Sampler: DDIM"},
                        {"emoji", "caf\xC3\xA9 \xF0\x9F\x98\x80\r\n\xE7\x8C\xAB"},
                        {"empty", ""}};
  EXPECT_EQ(read_png_text(file_with(encode_png(gradient(4, 4), text))), text);
}

TEST(EncodePng, ReplacesBytesThatNoTextMayHold) {
  const auto path = file_with(encode_png(gradient(4, 4), {{"k", std::string("a\0b\xFF", 4)}}));
  EXPECT_EQ(read_png_text(path), (PngText{{"k",
                                           "a\xEF\xBF\xBD"
                                           "b\xEF\xBF\xBD"}}));
}

TEST(EncodePng, RefusesAPictureWhoseSizeIsWrong) {
  for (const Image& image : {Image{0, 4, {}}, Image{4, -1, {}}, Image{2, 2, std::vector<std::uint8_t>(11)},
                             Image{std::numeric_limits<int>::max(), std::numeric_limits<int>::max(), {}}}) {
    try {
      encode_png(image, {});
      FAIL() << image.width << "x" << image.height;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kWorking);
      EXPECT_NE(std::string(error.what()).find(std::to_string(image.width) + "x"), std::string::npos)
          << error.what();
    }
  }
}

TEST(EncodePng, RefusesAKeywordThatPngDoesNotAllow) {
  for (const std::string& keyword :
       {std::string(), std::string(80, 'k'), std::string("a\nb"), std::string("\xFF")})
    EXPECT_THROW(encode_png(gradient(2, 2), {{keyword, "x"}}), Error) << keyword;
}

std::string message_of_reading(const fs::path& path) {
  try {
    read_png_text(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(std::string(error.what()).find(path.string() + ": "), 0u) << error.what();
    return error.what();
  }
  return "read";
}

std::string zipped(const std::string& plain) {
  std::string out(compressBound(plain.size()), '\0');
  uLongf size = out.size();
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
           plain.size());
  out.resize(size);
  return out;
}

// A PNG as far as its text: signature and the given chunks.
std::vector<std::uint8_t> png_of(const std::vector<Chunk>& chunks) {
  std::vector<std::uint8_t> png(kPngSignature.begin(), kPngSignature.end());
  for (const Chunk& chunk : chunks) append_chunk(chunk.type, chunk.data, png);
  return png;
}

TEST(ReadPngText, ReadsWhatOthersWrite) {
  const auto png = png_of({{"IHDR", std::string(13, '\0')},
                           {"tEXt", std::string("Latin\0caf\xE9", 10)},
                           {"zTXt", std::string("damaged\0\0x", 10)},
                           {"zTXt", std::string("of another method\0\1", 19) + zipped("x")},
                           {"zTXt", std::string("cut\0\0", 5) + zipped("a long text").substr(0, 12)},
                           {"zTXt", std::string("packed\0\0", 8) + zipped("caf\xE9")},
                           {"iTXt", std::string("damaged too\0\1\0\0\0x", 17)},
                           {"iTXt", std::string("packed too\0\1\0de\0\0", 17) + zipped("\xE7\x8C\xAB")},
                           {"IDAT", "..."},
                           {"iTXt", std::string("late\0\0\0de\0sp\xC3\xA4t\0\xE7\x8C\xAB", 19)},
                           {"IEND", ""}});
  EXPECT_EQ(read_png_text(file_with(png)), (PngText{{"Latin", "caf\xC3\xA9"},
                                                    {"packed", "caf\xC3\xA9"},
                                                    {"packed too", "\xE7\x8C\xAB"},
                                                    {"late", "\xE7\x8C\xAB"}}));
}

TEST(ReadPngText, RefusesTextThatUnpacksToTooMuch) {
  const std::string bomb = std::string("k\0\0", 3) + zipped(std::string(9 << 20, 'a'));
  EXPECT_EQ(read_png_text(file_with(png_of({{"zTXt", bomb}, {"IEND", ""}}))).size(), 1u);
  const auto two = png_of({{"zTXt", bomb}, {"zTXt", bomb}, {"IEND", ""}});
  EXPECT_NE(message_of_reading(file_with(two)).find("unpack to more than 16777216 bytes (the limit)"),
            std::string::npos);
}

TEST(ReadPngText, RefusesWhatIsNoPng) {
  EXPECT_NE(message_of_reading("/nonexistent/picture.png").find("cannot be read: No such file"),
            std::string::npos);
  EXPECT_NE(message_of_reading(::testing::TempDir()).find("is a folder"), std::string::npos);
  EXPECT_NE(message_of_reading(file_with({})).find("not a PNG file"), std::string::npos);
  EXPECT_NE(message_of_reading(file_with({'G', 'I', 'F', '8', '9', 'a', 0, 0, 0})).find("not a PNG file"),
            std::string::npos);
}

TEST(ReadPngText, RefusesAChunkLongerThanTheFile) {
  auto png = png_of({{"tEXt", std::string("k\0v", 3)}, {"IEND", ""}});
  for (const std::uint8_t high : {0xFF, 0x7F, 0x00}) {
    png[8] = high;
    png[10] = 0x40;
    EXPECT_NE(message_of_reading(file_with(png)).find("does not fit into the file"), std::string::npos)
        << int{high};
  }
}

TEST(ReadPngText, RefusesATextChunkWithAWrongChecksum) {
  auto png = png_of({{"tEXt", std::string("k\0v", 3)}, {"IEND", ""}});
  png[8 + 8 + 2] ^= 1;
  EXPECT_NE(message_of_reading(file_with(png)).find("wrong checksum"), std::string::npos);
}

TEST(ReadPngText, RefusesAFileCutShortAnywhere) {
  const auto png = encode_png(gradient(8, 8), {{"parameters", "a cat"}});
  for (std::size_t size = 0; size < png.size() - kPngChunkFrame; ++size)
    EXPECT_NE(message_of_reading(file_with({png.begin(), png.begin() + static_cast<std::ptrdiff_t>(size)})),
              "read")
        << size;
}

}  // namespace
}  // namespace sdgen
