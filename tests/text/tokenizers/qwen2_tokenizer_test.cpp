#include "text/tokenizers/qwen2_tokenizer.h"

#include <gtest/gtest.h>

#include "base/json_file.h"
#include "sdgen/error.h"
#include "support/golden.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;
using testing::golden_path;
using Ids = std::vector<std::int64_t>;
using Ranges = std::vector<std::vector<std::size_t>>;

Ids ids_of(const std::vector<TextToken>& tokens) {
  Ids ids;
  for (const TextToken& token : tokens) ids.push_back(token.id);
  return ids;
}

Ranges ranges_of(const std::vector<TextToken>& tokens) {
  Ranges ranges;
  for (const TextToken& token : tokens) ranges.push_back({token.begin, token.end});
  return ranges;
}

class Qwen2TokenizerGolden : public ::testing::TestWithParam<std::string> {
 protected:
  Json golden = testing::golden_json("qwen2_tokens/tokens.json");
  Qwen2Tokenizer tokenizer = Qwen2Tokenizer::open(golden_path("qwen2_tokens") / GetParam());
};

TEST_P(Qwen2TokenizerGolden, GivesTheReferencesIds) {
  ASSERT_GT(golden.at("cases").size(), 200u);
  for (const Json& expected : golden.at("cases")) {
    const std::string text = expected.at("text").get<std::string>();
    EXPECT_EQ(ids_of(tokenizer.encode(text)), expected.at("ids").get<Ids>()) << expected.at("text");
  }
  EXPECT_EQ(tokenizer.pad_id(), golden.at("pad_id").get<std::int64_t>());
}

TEST_P(Qwen2TokenizerGolden, TellsTheBytesOfEachToken) {
  for (const Json& expected : golden.at("cases")) {
    const std::string text = expected.at("text").get<std::string>();
    if (expected.contains("bytes")) {
      EXPECT_EQ(ranges_of(tokenizer.encode(text)), expected.at("bytes").get<Ranges>()) << expected.at("text");
    }
  }
}

TEST_P(Qwen2TokenizerGolden, GivesTheFirstTokensWhereFewAreWanted) {
  for (const Json& expected : golden.at("cases")) {
    Ids ids = expected.at("ids").get<Ids>();
    if (ids.size() > 3) ids.resize(3);
    EXPECT_EQ(ids_of(tokenizer.encode(expected.at("text").get<std::string>(), 3)), ids);
  }
}

INSTANTIATE_TEST_SUITE_P(BothForms, Qwen2TokenizerGolden, ::testing::Values("files", "json"),
                         [](const auto& info) { return info.param; });

const fs::path kFiles = golden_path("qwen2_tokens/files");

TEST(Qwen2Tokenizer, TakesAllBytesOfACharacterThatNfcComposed) {
  const auto tokens = Qwen2Tokenizer::open(kFiles).encode("xe\u0301\u0323!");
  ASSERT_GE(tokens.size(), 3u);
  EXPECT_EQ(tokens.back().begin, 6u);
  EXPECT_EQ(tokens.back().end, 7u);
  for (std::size_t i = 1; i + 1 < tokens.size(); ++i) {
    EXPECT_EQ(tokens[i].begin, 1u);
    EXPECT_EQ(tokens[i].end, 6u);
  }
}

TEST(Qwen2Tokenizer, CountsIllFormedBytesAsReplacementCharacters) {
  const auto tokenizer = Qwen2Tokenizer::open(kFiles);
  const std::string replacement = "\xEF\xBF\xBD";
  EXPECT_EQ(ids_of(tokenizer.encode("a\xFF!")), ids_of(tokenizer.encode("a" + replacement + "!")));
  EXPECT_EQ(ids_of(tokenizer.encode("\xE7\x8C")), ids_of(tokenizer.encode(replacement)));
  const auto tokens = tokenizer.encode("\xED\xA0\x80!");  // three ill-formed bytes
  EXPECT_EQ(tokens.back().begin, 3u);
  EXPECT_EQ(ids_of(tokens), ids_of(tokenizer.encode(replacement + replacement + replacement + "!")));
}

TEST(Qwen2Tokenizer, EncodesAMegabyteOfAnything) {
  const auto tokenizer = Qwen2Tokenizer::open(kFiles);
  std::string marks = "a";
  for (int i = 0; i < 250000; ++i) marks += "\xCC\x81\xCC\xA3";  // two marks in the wrong order
  for (const std::string& text : {std::string(1 << 20, 'a'), std::string(1 << 20, ' '),
                                  std::string(1 << 20, '\n'), std::string(1 << 20, '\''), marks}) {
    const auto tokens = tokenizer.encode(text);
    ASSERT_FALSE(tokens.empty());
    EXPECT_EQ(tokens.front().begin, 0u);
    EXPECT_EQ(tokens.back().end, text.size());
  }
}

// A copy of the golden's folder of files.
fs::path copied_files(const fs::path& folder) {
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"})
    fs::copy_file(kFiles / name, folder / name);
  return folder;
}

std::string message_of_opening(const fs::path& folder) {
  try {
    Qwen2Tokenizer::open(folder);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "opened";
}

TEST(Qwen2Tokenizer, FindsAddedTokensThatAreNormalisedInTheComposedText) {
  const testing::TemporaryFolder folder;
  copied_files(folder.path());
  Json config = read_json_file(folder.path() / "tokenizer_config.json");
  config["added_tokens_decoder"]["700"] = {{"content", "caf\u00e9"}, {"normalized", true}};
  testing::write_bytes(folder.path() / "tokenizer_config.json", config.dump());
  const auto tokens = Qwen2Tokenizer::open(folder.path()).encode("a cafe\u0301s");
  ASSERT_EQ(tokens.size(), 4u);  // a, the space, the added token, s
  EXPECT_EQ(tokens[2].id, 700);
  EXPECT_EQ(tokens[2].begin, 2u);
  EXPECT_EQ(tokens[2].end, 8u);
}

TEST(Qwen2Tokenizer, RefusesAVocabularyWithoutAByte) {
  const testing::TemporaryFolder folder;
  copied_files(folder.path());
  Json vocab = read_json_file(folder.path() / "vocab.json");
  vocab.erase("~");
  testing::write_bytes(folder.path() / "vocab.json", vocab.dump());
  testing::write_bytes(folder.path() / "merges.txt", "");
  EXPECT_NE(message_of_opening(folder.path()).find("vocab.json: the vocabulary has no \"~\""),
            std::string::npos);
}

TEST(Qwen2Tokenizer, RefusesClipsTokenizer) {
  EXPECT_NE(message_of_opening(golden_path("pipelines/sd2-tiny/tokenizer")).find("end_of_word_suffix"),
            std::string::npos);
}

TEST(Qwen2Tokenizer, RefusesAFolderWithoutFiles) {
  const testing::TemporaryFolder folder;
  EXPECT_NE(message_of_opening(folder.path()).find("vocab.json"), std::string::npos);
}

}  // namespace
}  // namespace sdgen
