#include "image/canvas.h"

#include <gtest/gtest.h>

#include <limits>

#include "sdgen/error.h"

namespace sdgen {
namespace {

// Two pixels side by side.
const Image kPair{2, 1, {1, 2, 3, 4, 5, 6}};

TEST(BlankImage, HasOneColour) {
  const Image image = blank_image(2, 2, {7, 8, 9});
  EXPECT_EQ(image.width, 2);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.rgb, (std::vector<std::uint8_t>{7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9}));
}

TEST(BlankImage, RefusesASizeThatNoPngHas) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  for (const auto& [width, height] :
       {std::pair<std::int64_t, std::int64_t>{0, 4}, {4, -1}, {kHuge, kHuge}, {1, kHuge}})
    EXPECT_THROW(blank_image(width, height, {}), Error) << width << "x" << height;
}

TEST(RequirePixels, NamesWhatIsWrong) {
  EXPECT_NO_THROW(require_pixels(kPair, "pair"));
  try {
    require_pixels({2, 2, std::vector<std::uint8_t>(11)}, "frame");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kWorking);
    EXPECT_STREQ(error.what(), "frame of 2x2 pixels: expected 12 bytes, got 11");
  }
  EXPECT_THROW(require_pixels({}, "frame"), Error);
}

TEST(Paste, LeavesOutWhatIsOutside) {
  Image image = blank_image(2, 2, {});
  paste(image, kPair, 1, 1);
  EXPECT_EQ(image.rgb, (std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}));
  paste(image, kPair, -1, 0);
  EXPECT_EQ(image.rgb, (std::vector<std::uint8_t>{4, 5, 6, 0, 0, 0, 0, 0, 0, 1, 2, 3}));
  const Image before = image;
  for (const auto& [x, y] : {std::pair{2, 0}, std::pair{-2, 0}, std::pair{0, 2}, std::pair{0, -1}})
    paste(image, kPair, x, y);
  EXPECT_EQ(image.rgb, before.rgb);
}

TEST(Enlarged, MakesSquaresOfPixels) {
  const Image large = enlarged(kPair, 2);
  EXPECT_EQ(large.width, 4);
  EXPECT_EQ(large.height, 2);
  const std::vector<std::uint8_t> row = {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6};
  EXPECT_TRUE(std::equal(row.begin(), row.end(), large.rgb.begin()));
  EXPECT_TRUE(std::equal(row.begin(), row.end(), large.rgb.begin() + 12));
  EXPECT_EQ(enlarged(kPair, 1).rgb, kPair.rgb);
}

TEST(Reduced, IsTheMeanOfEachSquare) {
  const Image image{5, 2, {0, 0, 0, 10, 20, 30, 1, 1, 1, 1, 1, 1, 9, 9, 9,  //
                           0, 0, 0, 30, 20, 10, 1, 1, 1, 2, 1, 1, 9, 9, 9}};
  const Image small = reduced(image, 2);
  EXPECT_EQ(small.width, 2);
  EXPECT_EQ(small.height, 1);
  EXPECT_EQ(small.rgb, (std::vector<std::uint8_t>{10, 10, 10, 1, 1, 1}));
  EXPECT_EQ(reduced(image, 1).rgb, image.rgb);
}

}  // namespace
}  // namespace sdgen
