#include "cli/options/config_file.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

std::vector<ConfigEntry> parse(const std::string& text) {
  std::istringstream input(text);
  return parse_config("c.toml", input);
}

std::string value_of(const std::string& value) {
  return parse("k = " + value).at(0).value;
}

std::string refusal(const std::string& text) {
  return error_of(ErrorKind::kRequest, [&] { parse(text); });
}

TEST(ConfigFile, ReadsKeysValuesAndComments) {
  const auto entries = parse("# c\r\n\nsteps = 20 # d\nnegative_prompt=\"a\"\n");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].key, "steps");
  EXPECT_EQ(entries[0].value, "20");
  EXPECT_EQ(entries[0].line, 3u);
  EXPECT_EQ(entries[1].key, "negative-prompt");
}

TEST(ConfigFile, QuotedTextIsKeptWhole) {
  EXPECT_EQ(value_of("\"a #1 cat, [b] = c\" # d"), "a #1 cat, [b] = c");
  EXPECT_EQ(value_of("'it \\ \"is\"'"), "it \\ \"is\"");
  EXPECT_EQ(value_of("\"a \\\"b\\\" \\\\ \\u00e9\""), "a \"b\" \\ \u00e9");
  EXPECT_EQ(value_of("\"\""), "");
  EXPECT_EQ(value_of("true"), "true");
  EXPECT_EQ(value_of("-1.5"), "-1.5");
}

TEST(ConfigFile, MistakesNameTheirLine) {
  EXPECT_EQ(refusal("a = 1\nprompt = a cat\n"),
            "c.toml:2: expected \"text\", a number, true or false, got 'a cat'");
  EXPECT_TRUE(contains(refusal("a = 1\na = 2"), "c.toml:2: a is given twice, first on line 1"));
  EXPECT_TRUE(contains(refusal("a = \"x"), "c.toml:1: no closing \""));
  EXPECT_TRUE(contains(refusal("a = \"x\" y"), "unexpected text"));
  EXPECT_TRUE(contains(refusal("a = \"\\q\""), "escape"));
  refusal("[section]");
  refusal("a");
  refusal("a =");
}

TEST(ConfigFile, MissingFileIsAnInputError) {
  error_of(ErrorKind::kInput, [] { read_config("no-such.toml"); });
  error_of(ErrorKind::kInput, [] { read_config("."); });
}

}  // namespace
}  // namespace sdgen::cli
