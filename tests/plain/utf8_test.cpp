#include "plain/utf8.h"

#include <gtest/gtest.h>

namespace sdgen::cli {
namespace {

TEST(InvalidUtf8, AcceptsEveryLength) {
  EXPECT_FALSE(invalid_utf8("a\u00e9\u20ac\U0001F600"));
}

TEST(InvalidUtf8, NamesTheFirstWrongByte) {
  EXPECT_EQ(invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(invalid_utf8("\xe2\x82"), 0u);          // cut off
  EXPECT_EQ(invalid_utf8("a\xc0\xaf"), 1u);         // overlong
  EXPECT_EQ(invalid_utf8("\xe0\x80\x80"), 0u);      // overlong
  EXPECT_EQ(invalid_utf8("\xed\xa0\x80"), 0u);      // surrogate
  EXPECT_EQ(invalid_utf8("\xf4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(invalid_utf8("\x80"), 0u);
}

TEST(ColumnOf, CountsCharactersFromOne) {
  EXPECT_EQ(column_of("abc", 0), 1u);
  EXPECT_EQ(column_of("\u00e9\u20acx", 5), 3u);
}

TEST(Utf8Prefix, EndsOnABorder) {
  EXPECT_EQ(utf8_prefix("a\u20acb", 3), "a");
  EXPECT_EQ(utf8_prefix("a\u20acb", 4), "a\u20ac");
  EXPECT_EQ(utf8_prefix("abc", 9), "abc");
  EXPECT_EQ(utf8_prefix("\u20ac", 0), "");
}

}  // namespace
}  // namespace sdgen::cli
