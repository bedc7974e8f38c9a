#include "sdgen/printable.h"

#include <gtest/gtest.h>

#include <tuple>

namespace sdgen {
namespace {

class Printable : public ::testing::TestWithParam<std::tuple<const char*, std::string, std::string>> {};

TEST_P(Printable, WritesOutWhatATerminalWouldActUpon) {
  const auto& [name, text, expected] = GetParam();
  EXPECT_EQ(printable(text), expected);
  EXPECT_EQ(printable(expected), expected) << "its own result stays as it is";
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Printable,
    ::testing::Values(std::tuple("empty", "", ""),
                      std::tuple("plain", "a cat: 5 \\ \"x\"", "a cat: 5 \\ \"x\""),
                      std::tuple("letters", "\u00e9\u20ac\U0001F600 \u732b", "\u00e9\u20ac\U0001F600 \u732b"),
                      std::tuple("joined emoji", "\U0001F469\u200d\U0001F680", "\U0001F469\u200d\U0001F680"),
                      std::tuple("escape", "\x1b[31mred", "\\x1b[31mred"),
                      std::tuple("bell, delete, nul", std::string("\a\x7f\0z", 4), "\\x07\\x7f\\x00z"),
                      std::tuple("line breaks", "a\r\nb\tc", "a\\r\\nb\\tc"),
                      std::tuple("C1",
                                 "\xc2\x9b"
                                 "31m",
                                 "\\x9b31m"),
                      std::tuple("bare C1",
                                 "\x9b"
                                 "31m",
                                 "\\x9b31m"),
                      std::tuple("not UTF-8", "a\xff\xc0\xaf\xed\xa0\x80", "a\\xff\\xc0\\xaf\\xed\\xa0\\x80"),
                      std::tuple("cut off", "a\xe2\x82", "a\\xe2\\x82"),
                      std::tuple("direction", "\u202egpj.exe\u2066\u200f", "\\u202egpj.exe\\u2066\\u200f"),
                      std::tuple("separators", "a\u2028b\u2029c\ufeff", "a\\u2028b\\u2029c\\ufeff")),
    [](const auto& info) {
      std::string name = std::get<0>(info.param);
      for (char& c : name)
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
      return name;
    });

TEST(PrintableLength, CutsTheMiddleAndKeepsBothEnds) {
  EXPECT_EQ(printable("abcdefghijklmnop", 11), "abcd...mnop");
  EXPECT_EQ(printable("abcdefghijk", 11), "abcdefghijk");
  EXPECT_EQ(printable("place: " + std::string(1'000'000, 'x') + "; remedy", 25), "place: xxxx...xxx; remedy");
}

TEST(PrintableLength, NeverTearsACharacterOrAnEscape) {
  for (const std::string unit : {"\U0001F600", "\x1b", "\u202e", "\x9b"}) {
    std::string text;
    for (int i = 0; i < 500; ++i) text += unit;
    const std::string piece = printable(unit);
    for (std::size_t most = 3; most < 60; ++most) {
      const std::string cut = printable(text, most);
      ASSERT_LE(cut.size(), most);
      const std::size_t gap = cut.find("...");
      ASSERT_NE(gap, std::string::npos);
      EXPECT_EQ(gap % piece.size(), 0u) << cut;
      EXPECT_EQ((cut.size() - gap - 3) % piece.size(), 0u) << cut;
      EXPECT_EQ(printable(cut, most), cut);
    }
  }
}

}  // namespace
}  // namespace sdgen
