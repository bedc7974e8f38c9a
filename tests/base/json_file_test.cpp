#include "base/json_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/safetensors_file.h"

namespace sdgen {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_json(text, "x.json");
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
}

TEST(JsonFile, DeepNestingAndNumbersOutOfRangeAreRefused) {
  for (const std::string open : {"[", "{\"a\":"})
    for (const int depth : {65, 200'000}) {
      std::string text;
      for (int i = 0; i < depth; ++i) text += open;
      EXPECT_EQ(refusal(text), "x.json: its JSON is nested too deeply (limit 64)");
    }
  EXPECT_EQ(refusal(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(refusal("{\"[[\\\"[\": 1}"), "") << "brackets in strings do not count";
  EXPECT_EQ(refusal("{\"a\": 1e999}"), "x.json: not JSON: a number is out of range");
}

TEST(JsonFile, MoreValuesThanAnyModelHasAreRefused) {
  for (const std::string value : {"1", "[]", "{}", "\"\""}) {
    std::string text = "[" + value;
    for (std::size_t i = 1; i <= kMaxJsonValues; ++i) text += "," + value;
    EXPECT_EQ(refusal(text + "]"), "x.json: its JSON has too many values (limit 4000000)");
  }
  std::string commas = "[\"";
  commas.append(2 * kMaxJsonValues, ',');
  EXPECT_EQ(refusal(commas.append("\"]")), "") << "those in strings do not count";
}

TEST(JsonFile, PythonsWordsForFloatsAreNull) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder.path() / "x.json") << R"({"a": [NaN, -Infinity, Infinity], "NaN": "a \" NaN"})";
  const Json json = read_json_file(folder.path() / "x.json");
  EXPECT_EQ(json.at("a"), Json::array({nullptr, nullptr, nullptr}));
  EXPECT_EQ(json.at("NaN"), "a \" NaN");
}

}  // namespace
}  // namespace sdgen
