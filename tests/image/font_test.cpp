#include "image/font.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sdgen {
namespace {

constexpr Color kWhite{255, 255, 255}, kBlack{0, 0, 0};
const std::string kEllipsis = "\xE2\x80\xA6";

Image drawn(std::string_view text, int height_px, int width = 200, int height = 40, int x = 4, int y = 4) {
  Image image = blank_image(width, height, kWhite);
  draw_text(image, x, y, text, height_px, kBlack);
  return image;
}

struct Box {
  int left = 1 << 20, top = 1 << 20, right = -1, bottom = -1;
};

// Of the pixels that are not white.
Box inked(const Image& image) {
  Box box;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      if (image.rgb[static_cast<std::size_t>(3 * (y * image.width + x))] != 255) {
        box.left = std::min(box.left, x), box.right = std::max(box.right, x);
        box.top = std::min(box.top, y), box.bottom = std::max(box.bottom, y);
      }
  return box;
}

TEST(TextWidth, GrowsWithTextAndHeight) {
  EXPECT_EQ(text_width("", 20), 0);
  EXPECT_EQ(text_width("abc", 0), 0);
  EXPECT_GT(text_width("i", 20), 0);
  EXPECT_GT(text_width("W", 20), text_width("i", 20));
  EXPECT_GT(text_width("abcd", 20), text_width("abc", 20));
  EXPECT_NEAR(text_width("abcdefgh", 40), 2 * text_width("abcdefgh", 20), 2);
}

TEST(TextWidth, TakesIllFormedBytesForReplacementCharacters) {
  EXPECT_EQ(text_width("a\xFF"
                       "b\xC3",
                       20),
            text_width("a\xEF\xBF\xBD"
                       "b\xEF\xBF\xBD",
                       20));
  EXPECT_EQ(text_width("a\tb\n", 20), text_width("a b ", 20));
}

TEST(DrawText, StaysWithinItsLine) {
  for (const int height : {11, 14, 20, 28}) {
    const std::string text = "Quick (fox) jumps gy";
    const Box box = inked(drawn(text, height, 400));
    EXPECT_GE(box.top, 4) << height;
    EXPECT_LT(box.bottom, 4 + height) << height;
    EXPECT_GE(box.left, 4) << height;
    EXPECT_LE(box.right, 4 + text_width(text, height)) << height;
    EXPECT_GT(box.right, 4 + text_width(text, height) * 9 / 10) << height;
  }
}

TEST(DrawText, SmoothsEdgesAndReachesTheFullColour) {
  const Image image = drawn("Hxo", 32);
  EXPECT_NE(std::find(image.rgb.begin(), image.rgb.end(), 0), image.rgb.end());
  EXPECT_TRUE(std::any_of(image.rgb.begin(), image.rgb.end(), [](int v) { return v > 60 && v < 200; }));
  Image red = blank_image(200, 40, kWhite);
  draw_text(red, 4, 4, "Hxo", 32, {255, 0, 0});
  for (std::size_t at = 0; at < red.rgb.size(); at += 3) {
    EXPECT_EQ(red.rgb[at], 255);
    EXPECT_EQ(red.rgb[at + 1], image.rgb[at + 1]);
  }
}

TEST(DrawText, SmallLettersHaveSharpUpperEdges) {
  // The stems of an x-height letter begin in a row as dark as the row below it.
  const Image image = drawn("u", 14);
  const Box box = inked(image);
  const auto row_ink = [&](int y) {
    int ink = 0;
    for (int x = 0; x < image.width; ++x)
      ink += 255 - image.rgb[static_cast<std::size_t>(3 * (y * image.width + x))];
    return ink;
  };
  EXPECT_GT(row_ink(box.top), row_ink(box.top + 1) * 9 / 10);
}

TEST(DrawText, IsCutOffAtEveryEdge) {
  const Image whole = drawn("clipped", 30, 120, 40, 0, 0);
  for (const auto& [x, y] : {std::pair{-13, 0}, std::pair{20, 0}, std::pair{0, -9}, std::pair{0, 17}}) {
    const Image part = drawn("clipped", 30, 60, 30, x, y);
    for (int row = 0; row < part.height; ++row)
      for (int column = 0; column < part.width; ++column) {
        const int from_row = row - y, from_column = column - x;
        const bool is_inside = from_row >= 0 && from_row < 40 && from_column >= 0 && from_column < 120;
        const int expected =
            is_inside ? whole.rgb[static_cast<std::size_t>(3 * (from_row * 120 + from_column))] : 255;
        ASSERT_EQ(part.rgb[static_cast<std::size_t>(3 * (row * 60 + column))], expected) << x << " " << y;
      }
  }
  EXPECT_EQ(inked(drawn("far away", 20, 50, 20, 1000, -1000)).right, -1);
}

TEST(DrawText, KnowsCyrillicAndGreekAndBoxesWhatItLacks) {
  const auto missing = drawn("\xE7\x8C\xAB", 20).rgb;  // a Chinese character
  EXPECT_GE(inked(drawn("\xE7\x8C\xAB", 20)).right, 0);
  for (const char* letter : {"\xD0\x96", "\xCE\xA9", "\xC5\xBD", "\xC3\xA9"})
    EXPECT_NE(drawn(letter, 20).rgb, missing) << letter;
  EXPECT_EQ(drawn("\xE7\x8C\xAC", 20).rgb, missing);
  EXPECT_EQ(drawn("\x80", 20).rgb, drawn("\xEF\xBF\xBD", 20).rgb);
}

TEST(DrawText, IsTheSameEveryTime) {
  EXPECT_EQ(drawn("a red circle", 17).rgb, drawn("a red circle", 17).rgb);
}

TEST(FittedText, CutsOnlyWhatDoesNotFit) {
  const std::string text = "a red circle above a blue square";
  const int width = text_width(text, 16);
  EXPECT_EQ(fitted_text(text, 16, width), text);
  for (int room = width - 1; room >= 0; --room) {
    const std::string fitted = fitted_text(text, 16, room);
    ASSERT_LE(text_width(fitted, 16), room);
    if (fitted.empty()) {
      EXPECT_LT(room, text_width(kEllipsis, 16));
      continue;
    }
    ASSERT_TRUE(fitted.ends_with(kEllipsis)) << fitted;
    EXPECT_EQ(text.find(fitted.substr(0, fitted.size() - kEllipsis.size())), 0u) << fitted;
    EXPECT_FALSE(fitted.ends_with(" " + kEllipsis)) << fitted;
  }
}

TEST(FittedText, CutsBetweenCharacters) {
  const std::string accent = "e\xCC\x81";  // e and a combining accent
  std::string text;
  for (int i = 0; i < 10; ++i) text += accent;
  for (int room = text_width(kEllipsis, 16); room < text_width(text, 16); ++room) {
    const std::string fitted = fitted_text(text, 16, room);
    EXPECT_EQ((fitted.size() - kEllipsis.size()) % accent.size(), 0u) << room;
  }
}

TEST(WrappedText, KeepsEveryWordWithinTheWidth) {
  const std::string text = "  a red circle\nabove a blue square ";
  for (const int width : {60, 90, 150, 400}) {
    std::string joined;
    for (const std::string& line : wrapped_text(text, 16, width, 0)) {
      EXPECT_LE(text_width(line, 16), width) << line;
      joined += (joined.empty() ? "" : " ") + line;
    }
    EXPECT_EQ(joined, "a red circle above a blue square") << width;
  }
  EXPECT_EQ(wrapped_text(text, 16, 400, 0).size(), 1u);
}

TEST(WrappedText, BreaksAWordThatIsTooLong) {
  const std::string word(60, 'w');
  std::string joined;
  for (const std::string& line : wrapped_text("a " + word, 16, 100, 0)) {
    EXPECT_LE(text_width(line, 16), 100);
    joined += line;
  }
  EXPECT_EQ(joined, "a" + word);
  EXPECT_EQ(wrapped_text("ab", 16, 1, 0), (std::vector<std::string>{"a", "b"}));
}

TEST(WrappedText, EndsInAnEllipsisAfterTheLastLine) {
  const auto lines = wrapped_text("a red circle above a blue square", 16, 80, 2);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[1].ends_with(kEllipsis)) << lines[1];
  EXPECT_LE(text_width(lines[1], 16), 80);
  EXPECT_EQ(wrapped_text("short", 16, 80, 1), std::vector<std::string>{"short"});
  EXPECT_TRUE(wrapped_text(" \n", 16, 80, 2).empty());
}

}  // namespace
}  // namespace sdgen
