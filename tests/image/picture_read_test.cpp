// Reading and resizing pictures against Pillow.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
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

std::vector<std::string> picture_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(testing::golden_path("picture_files")))
    if (entry.path().extension() != ".safetensors") names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

struct EveryPictureFile : ::testing::TestWithParam<std::string> {};

TEST_P(EveryPictureFile, IsShownAsPillowShowsIt) {
  static const testing::GoldenTensors pillow("picture_files/shown.safetensors");
  const std::string path = testing::golden_path("picture_files/" + GetParam());
  const Tensor expected = pillow.at(GetParam());  // [H, W, 3]
  const Image image = read_picture(path), size = read_picture_size(path);
  ASSERT_EQ(std::pair(image.width, image.height), std::pair(int(expected.size(1)), int(expected.size(0))));
  EXPECT_EQ(std::pair(size.width, size.height), std::pair(image.width, image.height));
  const Tensor difference = (testing::tensor_of({image})[0].to(at::kInt) - expected.to(at::kInt)).abs();
  // libavif's conversion from YUV is a library's that is built in different ways.
  EXPECT_LE(difference.max().item<int>(), GetParam().ends_with(".avif") ? 1 : 0);
}

TEST_P(EveryPictureFile, IsRefusedOrReadWhereItIsCutShort) {
  const std::vector<char> whole = bytes_of(testing::golden_path("picture_files/" + GetParam()));
  const testing::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / GetParam();
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<long>(size));
    try {
      read_picture(path);  // what is behind the pixels may be missing
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_EQ(std::string(error.what()).find(path.string() + ": "), 0u) << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PictureRead, EveryPictureFile, ::testing::ValuesIn(picture_files()),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace_if(
                               text.begin(), text.end(), [](unsigned char c) { return !std::isalnum(c); },
                               '_');
                           return text;
                         });

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
  expect_refused(folder.path() / "words.png", "no picture of a kind that is read");
}

}  // namespace
}  // namespace sdgen
