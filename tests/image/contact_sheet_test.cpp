#include "image/contact_sheet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sdgen/error.h"

namespace sdgen {
namespace {

constexpr Color kRed{255, 0, 0}, kBlue{0, 0, 255};

Color pixel(const Image& image, int x, int y) {
  const auto at = static_cast<std::size_t>(3 * (y * image.width + x));
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}

struct Box {
  int left = 1 << 20, top = 1 << 20, right = -1, bottom = -1;  // the last two are inside
  bool operator==(const Box&) const = default;
  int width() const { return right - left + 1; }
  int height() const { return bottom - top + 1; }
};

// Of the pixels that `is_wanted` takes.
template <typename Predicate>
Box box_of(const Image& image, const Predicate& is_wanted) {
  Box box;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      if (is_wanted(pixel(image, x, y))) {
        box.left = std::min(box.left, x), box.right = std::max(box.right, x);
        box.top = std::min(box.top, y), box.bottom = std::max(box.bottom, y);
      }
  return box;
}

Box box_of(const Image& image, Color color) {
  return box_of(image, [&](Color c) { return c == color; });
}

// Of everything but the ground.
Box drawn(const Image& image) {
  return box_of(image, [](Color c) { return c != kSheetColor; });
}

bool is_letter(Color c) {
  return c != kSheetColor && c != kRed && c != kBlue;
}

ContactSheet sheet_of(int size, int columns, int rows) {
  ContactSheet sheet;
  for (int row = 0; row < rows; ++row) {
    sheet.cells.emplace_back();
    for (int column = 0; column < columns; ++column)
      sheet.cells.back().push_back({blank_image(size, size, kRed), ""});
  }
  return sheet;
}

TEST(ContactSheet, EnlargesSmallPicturesByAWholeFactor) {
  EXPECT_EQ(box_of(contact_sheet(sheet_of(64, 1, 1)), kRed).width(), 128);
  EXPECT_EQ(box_of(contact_sheet(sheet_of(50, 1, 1)), kRed).width(), 150);
  EXPECT_EQ(box_of(contact_sheet(sheet_of(200, 1, 1)), kRed).width(), 200);
  ContactSheet sheet = sheet_of(64, 1, 1);
  sheet.least_cell_px = 1;
  EXPECT_EQ(box_of(contact_sheet(sheet), kRed).width(), 64);
}

TEST(ContactSheet, HasEvenMarginsWithoutLabels) {
  const Image image = contact_sheet(sheet_of(64, 3, 2));
  const Box box = drawn(image);
  EXPECT_EQ(box.left, box.top);
  EXPECT_EQ(image.width - 1 - box.right, box.left);
  EXPECT_EQ(image.height - 1 - box.bottom, box.top);
  EXPECT_GT(box.left, 10);
}

TEST(ContactSheet, CentresPicturesInCellsOfTheLargest) {
  ContactSheet sheet;
  sheet.cells = {{{blank_image(200, 160, kRed), ""}, {blank_image(100, 40, kBlue), ""}}};
  const Image image = contact_sheet(sheet);
  const Box red = box_of(image, kRed), blue = box_of(image, kBlue);
  EXPECT_EQ(blue.top - red.top, 60);
  EXPECT_EQ(red.bottom - blue.bottom, 60);
  EXPECT_EQ(image.width - 1 - blue.right, red.left + 50);
}

TEST(ContactSheet, LeavesRoomForMissingCells) {
  ContactSheet sheet = sheet_of(128, 2, 2);
  sheet.cells[0].pop_back();
  sheet.cells[1][0].image = {};
  const Image image = contact_sheet(sheet), full = contact_sheet(sheet_of(128, 2, 2));
  EXPECT_EQ(image.width, full.width);
  EXPECT_EQ(image.height, full.height);
  EXPECT_EQ(box_of(image, kRed), box_of(full, kRed));
  EXPECT_EQ(pixel(image, image.width - 60, 60), kSheetColor);
  EXPECT_EQ(pixel(full, image.width - 60, 60), kRed);
}

TEST(ContactSheet, PutsLabelsBesideThePictures) {
  const Box bare = box_of(contact_sheet(sheet_of(128, 2, 2)), kRed);
  ContactSheet sheet = sheet_of(128, 2, 2);
  sheet.columns = {"one", "two"};
  Image image = contact_sheet(sheet);
  EXPECT_LT(box_of(image, is_letter).bottom, box_of(image, kRed).top);
  sheet.columns.clear();
  sheet.rows = {"one", "two"};
  image = contact_sheet(sheet);
  EXPECT_LT(box_of(image, is_letter).right, box_of(image, kRed).left);
  sheet.rows.clear();
  sheet.cells[1][0].caption = sheet.cells[1][1].caption = "caption";
  image = contact_sheet(sheet);
  EXPECT_GT(box_of(image, is_letter).top, box_of(image, kRed).bottom);
  EXPECT_LT(box_of(image, is_letter).bottom, image.height - 10);
  sheet.cells[1][0].caption = sheet.cells[1][1].caption = "";
  sheet.title = "title";
  image = contact_sheet(sheet);
  EXPECT_LT(box_of(image, is_letter).bottom, box_of(image, kRed).top);
  EXPECT_EQ(box_of(image, kRed).width(), bare.width());
}

TEST(ContactSheet, ShortensLabelsThatDoNotFit) {
  const std::string text(300, 'w');
  ContactSheet sheet = sheet_of(64, 2, 1);
  sheet.columns = {text, text};
  sheet.rows = {text};
  sheet.cells[0][0].caption = sheet.cells[0][1].caption = text;
  const Image image = contact_sheet(sheet);
  EXPECT_LT(image.width, 128 * 5);
  const Box red = box_of(image, kRed);
  // Between the two pictures' columns nothing is written.
  const int gap = red.left + 128;
  for (int y = 0; y < image.height; ++y) EXPECT_EQ(pixel(image, gap + 2, y), kSheetColor) << y;
  EXPECT_LE(drawn(image).right, red.right);
}

TEST(ContactSheet, BreaksCaptionsAndColumnsIntoAFewLines) {
  const Image picture = blank_image(128, 64, kRed);
  const auto height = [&](const std::string& column, const std::string& caption) {
    ContactSheet sheet;
    sheet.columns = {column};
    sheet.cells = {{{picture, caption}}};
    return contact_sheet(sheet).height;
  };
  const std::string long_text = "a blue tulip to the left of an orange truck";
  const int plain = height("x", "x"), line = height("x", "x") - height("x", "");
  EXPECT_GT(height("x", long_text), plain + line / 2);
  EXPECT_GT(height(long_text, "x"), plain + line / 2);
  std::string endless;
  for (int i = 0; i < 50; ++i) endless += long_text + " ";
  EXPECT_EQ(height("x", endless), height("x", endless + endless)) << "four lines at most";
  EXPECT_LT(height("x", endless), plain + 4 * line);
}

TEST(ContactSheet, WrapsALongTitle) {
  ContactSheet sheet = sheet_of(64, 3, 1);
  sheet.title = "a title";
  const Image one_line = contact_sheet(sheet);
  for (int i = 0; i < 20; ++i) sheet.title += " of many words";
  const Image many_lines = contact_sheet(sheet);
  EXPECT_EQ(many_lines.width, one_line.width);
  EXPECT_GT(many_lines.height, one_line.height + 60);
  EXPECT_LE(drawn(many_lines).right, box_of(many_lines, kRed).right);
  EXPECT_GE(drawn(many_lines).left, 10);
}

TEST(ContactSheet, WritesLargerBelowLargePictures) {
  const auto letters = [](int size) {
    ContactSheet sheet = sheet_of(size, 1, 1);
    sheet.cells[0][0].caption = "Hg";
    return box_of(contact_sheet(sheet), is_letter).height();
  };
  EXPECT_GE(letters(64), 11);
  EXPECT_GT(letters(512), letters(64) * 3 / 2);
}

TEST(ContactSheet, RefusesWhatCannotBeDrawn) {
  EXPECT_THROW(contact_sheet({}), Error);
  ContactSheet sheet;
  sheet.title = "nothing";
  sheet.cells = {{}, {{{}, "empty"}}};
  try {
    contact_sheet(sheet);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kWorking);
  }
  sheet = sheet_of(64, 1, 1);
  sheet.cells[0][0].image.rgb.pop_back();
  EXPECT_THROW(contact_sheet(sheet), Error);
}

TEST(Stacked, CentresOneBelowTheOther) {
  const Image image = stacked({blank_image(10, 4, kRed), blank_image(4, 6, kBlue)}, kSheetColor);
  EXPECT_EQ(image.width, 10);
  EXPECT_EQ(image.height, 10);
  EXPECT_EQ(box_of(image, kRed), (Box{0, 0, 9, 3}));
  EXPECT_EQ(box_of(image, kBlue), (Box{3, 4, 6, 9}));
  EXPECT_EQ(pixel(image, 0, 9), kSheetColor);
}

TEST(Stacked, RefusesNothing) {
  EXPECT_THROW(stacked({}, kSheetColor), Error);
  EXPECT_THROW(stacked({Image{}}, kSheetColor), Error);
}

}  // namespace
}  // namespace sdgen
