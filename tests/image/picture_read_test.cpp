// Reading and resizing pictures against Pillow.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "sdgen/error.h"
#include "sdgen/image.h"
#include "support/golden.h"
#include "support/pictures.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

std::string file(const std::string& name) {
  return testing::golden_path("families/" + name);
}

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void expect_refused(const std::filesystem::path& path, const std::string& part) {
  try {
    read_picture(path);
    FAIL() << "read; expected: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
  }
}

TEST(PictureRead, AJpegIsDecodedAndTurnedAsPillowDoes) {
  const testing::GoldenTensors pillow("families/resized.safetensors");
  EXPECT_TRUE(at::equal(testing::tensor_of({read_picture(file("start.jpg"))})[0], pillow.at("jpeg")));
  EXPECT_EQ(read_picture_size(file("start.jpg")).width, 64);  // as it is shown, not as it is stored
  EXPECT_EQ(read_picture_size(file("start.jpg")).height, 72);
}

TEST(PictureRead, ResizingEqualsPillows) {
  const Image image = read_picture(file("start.png"));
  const testing::GoldenTensors pillow("families/resized.safetensors");
  for (const std::string name : {"77x53", "64x64", "24x16", "160x53", "77x111", "5x3"}) {
    SCOPED_TRACE(name);
    int width = 0, height = 0;
    ASSERT_EQ(std::sscanf(name.c_str(), "%dx%d", &width, &height), 2);
    EXPECT_TRUE(at::equal(testing::tensor_of({resize(image, width, height)})[0], pillow.at(name)));
  }
}

TEST(PictureRead, WhatIsNoPictureIsRefused) {
  const testing::TemporaryFolder folder;
  expect_refused(folder.path() / "none.png", "cannot be read");
  for (const std::string name : {"start.png", "start.jpg"}) {
    const std::vector<char> whole = bytes_of(file(name));
    for (const std::size_t size : {whole.size() / 2, std::size_t{60}}) {
      std::ofstream(folder.path() / name, std::ios::binary).write(whole.data(), static_cast<long>(size));
      expect_refused(folder.path() / name, "damaged");
    }
  }
  std::ofstream(folder.path() / "words.png") << "not a picture";
  expect_refused(folder.path() / "words.png", "neither a PNG nor a JPEG");
}

}  // namespace
}  // namespace sdgen
