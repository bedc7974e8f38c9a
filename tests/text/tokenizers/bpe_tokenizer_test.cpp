#include "text/tokenizers/bpe_tokenizer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <fstream>

#include "base/json_file.h"
#include "sdgen/error.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = SDGEN_GOLDEN_DIR;
const fs::path kSd15 = kGolden / "pipelines" / "sd15-tiny" / "tokenizer";

fs::path fresh_folder() {
  static std::deque<testing::TemporaryFolder> folders;  // removed when the tests end
  return folders.emplace_back().path();
}

// A vocabulary of a, b, "ab</w>" and the two markers.
const std::string kVocab =
    R"({"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4, "a</w>": 5, "!": 6})";

fs::path small_folder(const std::string& config = R"({"model_max_length": 8})",
                      const std::string& vocab = kVocab,
                      const std::string& merges = "#version: 0.2\na b</w>\n") {
  const fs::path folder = fresh_folder();
  testing::write_bytes(folder / "vocab.json", vocab);
  testing::write_bytes(folder / "merges.txt", merges);
  testing::write_bytes(folder / "tokenizer_config.json", config);
  return folder;
}

std::vector<std::int64_t> encode(const fs::path& folder, const std::string& text) {
  return open_tokenizer(folder)->encode(text).ids;
}

std::string message_of_opening(const fs::path& folder) {
  try {
    open_tokenizer(folder);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "opened";
}

using Ids = std::vector<std::int64_t>;

class BpeTokenizerGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(BpeTokenizerGolden, GivesTheReferencesIdsForEveryPrompt) {
  const Json golden = read_json_file(kGolden / "tokens.json").at("tokenizers").at(GetParam());
  const auto tokenizer = open_tokenizer(kGolden / "pipelines" / GetParam() / "tokenizer");
  EXPECT_EQ(tokenizer->model_max_length(), golden.at("model_max_length").get<int>());
  ASSERT_GT(golden.at("cases").size(), 50u);
  for (const Json& expected : golden.at("cases")) {
    const std::string text = expected.at("text").get<std::string>();
    const Tokens tokens = tokenizer->encode(text);
    EXPECT_EQ(tokens.ids, expected.at("ids").get<Ids>()) << text;
    const bool truncated = expected.at("n_tokens_untruncated").get<int>() > tokenizer->model_max_length();
    EXPECT_EQ(!tokens.dropped.empty(), truncated) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(BothForms, BpeTokenizerGolden, ::testing::Values("sd15-tiny", "sd2-tiny"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('-')); });

TEST(BpeTokenizer, ReadsMergesOfTokenizerJsonAsStringsOrPairs) {
  const Json vocab = read_json_file(kSd15 / "vocab.json");
  std::ifstream in(kSd15 / "merges.txt");
  Json strings = Json::array(), pairs = Json::array();
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#version")) continue;
    const auto space = line.find(' ');
    strings.push_back(line);
    pairs.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  const std::string text = "A portrait, it's an ASTRONAUT riding 12 horses \xE7\x8C\xAB";
  const auto expected = encode(kSd15, text);
  for (const Json& merges : {strings, pairs}) {
    const fs::path folder = fresh_folder();
    const Json file = {
        {"model", {{"type", "BPE"}, {"end_of_word_suffix", "</w>"}, {"vocab", vocab}, {"merges", merges}}}};
    testing::write_bytes(folder / "tokenizer.json", file.dump());
    EXPECT_EQ(encode(folder, text), expected);
  }
}

TEST(BpeTokenizer, ToleratesAMergesFileWithoutVersionWithCrLfAndBlankLines) {
  EXPECT_EQ(encode(small_folder("{}", kVocab, "a b</w>\r\n\r\n\n"), "ab").at(1), 2);
}

TEST(BpeTokenizer, PadsWithAPadTokenThatIsAnObject) {
  const auto folder = small_folder(R"({"model_max_length": 5, "pad_token": {"content": "!"}})");
  EXPECT_EQ(encode(folder, "ab"), (Ids{3, 2, 4, 6, 6}));
}

TEST(BpeTokenizer, TakesSpecialTokensMapOverTokenizerConfig) {
  const auto folder = small_folder(R"({"model_max_length": 4, "pad_token": "a"})");
  testing::write_bytes(folder / "special_tokens_map.json", R"({"pad_token": "!"})");
  EXPECT_EQ(encode(folder, "ab"), (Ids{3, 2, 4, 6}));
}

TEST(BpeTokenizer, TakesUnlimitedLengthsAs77) {
  EXPECT_EQ(open_tokenizer(small_folder(R"({"model_max_length": 1000000000000000019884624838656})"))
                ->model_max_length(),
            77);
  EXPECT_EQ(open_tokenizer(small_folder("{}"))->model_max_length(), 77);
}

TEST(BpeTokenizer, KeepsTheEndTokenWhenItTruncates) {
  const Tokens tokens = open_tokenizer(small_folder(R"({"model_max_length": 4})"))->encode("ab ab ab");
  EXPECT_EQ(tokens.ids, (Ids{3, 2, 2, 4}));
  EXPECT_EQ(tokens.dropped, "ab");
}

TEST(BpeTokenizer, DropsNothingWhenTheTextJustFits) {
  const Tokens tokens = open_tokenizer(small_folder(R"({"model_max_length": 4})"))->encode(" ab ab  ");
  EXPECT_EQ(tokens.ids, (Ids{3, 2, 2, 4}));
  EXPECT_EQ(tokens.dropped, "");
}

TEST(BpeTokenizer, ReportsDroppedWordsAsTheUserWroteThem) {
  const auto tokenizer = open_tokenizer(small_folder(R"({"model_max_length": 4})"));
  EXPECT_EQ(tokenizer
                ->encode("AB  ab\tA\xCC\x8A"
                         "B!  Na\xC3\xAFVE ")
                .dropped,
            "A\xCC\x8A"
            "B!  Na\xC3\xAFVE");
}

TEST(BpeTokenizer, ReportsTheWholeWordInWhichTheLimitFell) {
  // "don't" gives several tokens, of which the first fits.
  EXPECT_EQ(open_tokenizer(small_folder(R"({"model_max_length": 4})"))->encode("ab don't ab").dropped,
            "don't ab");
}

TEST(BpeTokenizer, CutsTextWithoutSpacesAtTheCharacter) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\xE7\x8C\xAB";  // three unknown bytes each
  const Tokens tokens = open_tokenizer(small_folder(R"({"model_max_length": 128})"))->encode(text);
  EXPECT_EQ(tokens.dropped.size(), 300u - 126u);
}

TEST(BpeTokenizer, CountsIllFormedBytesAsReplacementCharacters) {
  const auto tokenizer = open_tokenizer(kSd15);
  const std::string replacement = "\xEF\xBF\xBD";
  EXPECT_EQ(tokenizer
                ->encode("a\xFF"
                         "b")
                .ids,
            tokenizer->encode("a" + replacement + "b").ids);
  EXPECT_EQ(tokenizer->encode("\xE7\x8C").ids, tokenizer->encode(replacement).ids);
  EXPECT_EQ(tokenizer->encode("\xED\xA0\x80").ids,
            tokenizer->encode(replacement + replacement + replacement).ids);
}

TEST(BpeTokenizer, TakesNulAsACharacter) {
  const auto tokenizer = open_tokenizer(kSd15);
  const auto ids = tokenizer->encode(std::string("a\0b", 3)).ids;
  EXPECT_NE(ids, tokenizer->encode("ab").ids);
  EXPECT_NE(ids, tokenizer->encode("a").ids);
}

TEST(BpeTokenizer, LowersEachLetterByItself) {
  const auto tokenizer = open_tokenizer(kSd15);
  EXPECT_EQ(tokenizer->encode("\xC4\xB0").ids, tokenizer->encode("i\xCC\x87").ids);  // U+0130
  EXPECT_EQ(tokenizer->encode("\xCE\xA3").ids, tokenizer->encode("\xCF\x83").ids);   // no final sigma
  EXPECT_EQ(tokenizer->encode("\xC7\x85").ids, tokenizer->encode("\xC7\x86").ids);   // title case
  EXPECT_EQ(tokenizer->encode("e\xCC\x81").ids, tokenizer->encode("\xC3\x89").ids);  // NFC
}

TEST(BpeTokenizer, HonoursTheFlagsOfAddedTokens) {
  const auto folder = small_folder(R"({"model_max_length": 8, "added_tokens_decoder": {
      "3": {"content": "<|startoftext|>", "special": true}, "4": {"content": "<|endoftext|>", "special": true},
      "7": {"content": "Toy", "normalized": false}, "8": {"content": "Norm", "normalized": true},
      "9": {"content": "word", "normalized": false, "single_word": true}}})");
  EXPECT_EQ(encode(folder, "abToyab"), (Ids{3, 2, 7, 2, 4, 4, 4, 4}));
  EXPECT_EQ(encode(folder, "NORM norm"), (Ids{3, 8, 8, 4, 4, 4, 4, 4}));
  EXPECT_EQ(encode(folder, "ab word!"), (Ids{3, 2, 9, 4, 4, 4, 4, 4}));  // "!" with its suffix is unknown
  EXPECT_EQ(encode(folder, "wordy"), (Ids{3, 4, 4, 4, 4, 4, 4, 4}));
}

TEST(BpeTokenizer, EncodesAMegabyteWithoutSpaces) {
  const auto tokenizer = open_tokenizer(kSd15);
  std::string marks = "a";
  for (int i = 0; i < 250000; ++i) marks += "\xCC\x81\xCC\xA3";  // two marks in the wrong order
  for (const std::string& text : {std::string(1 << 20, 'a'), std::string(1 << 20, '\''), marks}) {
    const Tokens tokens = tokenizer->encode(text);
    EXPECT_EQ(tokens.ids.size(), 77u);
    EXPECT_FALSE(tokens.dropped.empty());
  }
}

struct Damage {
  std::string name, config, vocab, merges, expected_message;
};
void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.name;
}

class BpeTokenizerErrors : public ::testing::TestWithParam<Damage> {};

TEST_P(BpeTokenizerErrors, NameTheFileAndWhatIsWrong) {
  const Damage& damage = GetParam();
  const auto folder = small_folder(damage.config, damage.vocab, damage.merges);
  EXPECT_EQ(message_of_opening(folder).find((folder / damage.expected_message).string()), 0u)
      << message_of_opening(folder);
}

INSTANTIATE_TEST_SUITE_P(
    All, BpeTokenizerErrors,
    ::testing::Values(
        Damage{"EmptyVocabulary", "{}", "{}", "", "vocab.json: vocabulary: the vocabulary is empty"},
        Damage{"VocabularyIsAList", "{}", "[]", "", "vocab.json: vocabulary: expected an object"},
        Damage{"VocabularyIsNotJson", "{}", "{", "", "vocab.json: not JSON"},
        Damage{"RepeatedId", "{}", R"({"a": 1, "b": 1})", "",
               "vocab.json: vocabulary: tokens \"a\" and \"b\" have the same id 1"},
        Damage{"NegativeId", "{}", R"({"a": -1})", "",
               "vocab.json: vocabulary: token \"a\": -1 is not a token id"},
        Damage{"HugeId", "{}", R"({"a": 2147483648})", "",
               "vocab.json: vocabulary: token \"a\": 2147483648 is not"},
        Damage{"UnsignedId", "{}", R"({"a": 18446744073709551615})", "",
               "vocab.json: vocabulary: token \"a\": 18446744073709551615 is not"},
        Damage{"FractionalId", "{}", R"({"a": 1.5})", "",
               "vocab.json: vocabulary: token \"a\": 1.5 is not a token id"},
        Damage{"LineBreakInToken", "{}", R"({"a\nb": -1})", "",
               "vocab.json: vocabulary: token \"a\\nb\": -1"},
        Damage{"MergeOfOneWord", "{}", kVocab, "#version\nab\n",
               "merges.txt: line 2: expected two words, got \"ab\""},
        Damage{"MergeOfThreeWords", "{}", kVocab, "a b</w> c\n", "merges.txt: line 1: expected two words"},
        Damage{"MergeOfUnknownHalf", "{}", kVocab, "a q\n",
               "merges.txt: line 1: merge \"a q\": \"q\" is not in the vocabulary"},
        Damage{"MergeOfUnknownResult", "{}", kVocab, "a a</w>\n",
               "merges.txt: line 1: merge \"a a</w>\": \"aa</w>\" is not in the vocabulary of vocab.json"},
        Damage{"UnknownPadToken", R"({"pad_token": "[PAD]"})", kVocab, "",
               "tokenizer_config.json: pad_token: \"[PAD]\" is not in the vocabulary"},
        Damage{"UnknownBeginToken", R"({"bos_token": "<s>"})", kVocab, "",
               "tokenizer_config.json: bos_token: \"<s>\" is not in the vocabulary"},
        Damage{"TokenOfAnotherType", R"({"eos_token": 7})", kVocab, "",
               "tokenizer_config.json: eos_token: expected a token"},
        Damage{"LengthTooShort", R"({"model_max_length": 1})", kVocab, "",
               "tokenizer_config.json: model_max_length: expected at least 2"},
        Damage{"LengthOfAnotherType", R"({"model_max_length": "x"})", kVocab, "",
               "tokenizer_config.json: key 'model_max_length'"},
        Damage{"LeftPadding", R"({"padding_side": "left"})", kVocab, "",
               "tokenizer_config.json: padding_side: only right"},
        Damage{"AddedTokenWithATakenId", R"({"added_tokens_decoder": {"0": {"content": "new"}}})", kVocab, "",
               "tokenizer_config.json: added token \"new\" has the id 0, which is another token's"},
        Damage{"AddedTokenWithoutId", R"({"added_tokens_decoder": {"x": {"content": "new"}}})", kVocab, "",
               "tokenizer_config.json: added_tokens_decoder.x: the key is not"}),
    [](const auto& info) { return info.param.name; });

TEST(BpeTokenizer, RefusesATokenizerJsonOfAnotherKind) {
  const fs::path folder = fresh_folder();
  testing::write_bytes(folder / "tokenizer.json", R"({"model": {"type": "Unigram", "vocab": [["a", 0]]}})");
  EXPECT_NE(message_of_opening(folder).find("tokenizer.json: model.type: expected BPE, got \"Unigram\""),
            std::string::npos);
  testing::write_bytes(folder / "tokenizer.json",
                       R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})");
  EXPECT_NE(message_of_opening(folder).find("model.end_of_word_suffix"), std::string::npos);
  testing::write_bytes(folder / "tokenizer.json",
                       R"({"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {"a": 0}}})");
  EXPECT_NE(message_of_opening(folder).find("key 'model.merges' is missing"), std::string::npos);
  testing::write_bytes(
      folder / "tokenizer.json",
      R"({"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {"a": 0}, "merges": [["a"]]}})");
  EXPECT_NE(message_of_opening(folder).find("model.merges[0]: expected two words"), std::string::npos);
  testing::write_bytes(folder / "tokenizer.json", "{}");
  EXPECT_NE(message_of_opening(folder).find("key 'model'"), std::string::npos);
}

TEST(OpenTokenizer, SaysWhatItLookedForInAnEmptyFolder) {
  const fs::path folder = fresh_folder();
  const std::string message = message_of_opening(folder);
  EXPECT_EQ(message.find(folder.string()), 0u);
  for (const char* name : {"spiece.model", "tokenizer.json", "vocab.json", "merges.txt"})
    EXPECT_NE(message.find(name), std::string::npos) << name;
}

TEST(OpenTokenizer, NamesTheFileThatIsMissingBesideAnother) {
  fs::path folder = small_folder();
  fs::remove(folder / "merges.txt");
  EXPECT_EQ(message_of_opening(folder), (folder / "merges.txt").string() + ": missing beside vocab.json");
  folder = small_folder();
  fs::remove(folder / "vocab.json");
  EXPECT_EQ(message_of_opening(folder), (folder / "vocab.json").string() + ": missing beside merges.txt");
}

TEST(OpenTokenizer, NamesAFolderThatIsMissing) {
  EXPECT_NE(message_of_opening(fresh_folder() / "nowhere").find("nowhere: no such tokenizer folder"),
            std::string::npos);
}

TEST(BpeTokenizer, MergesThatAreNoFileAreRefused) {
  const fs::path folder = small_folder();
  fs::remove(folder / "merges.txt");
  ASSERT_EQ(::mkfifo((folder / "merges.txt").c_str(), 0600), 0);
  EXPECT_NE(message_of_opening(folder).find("merges.txt: is not a file"), std::string::npos);
}

TEST(BpeTokenizer, AddedTokensOfMoreThanAThousandBytesAreRefused) {
  const auto with = [](std::size_t bytes) {
    return small_folder(R"({"added_tokens_decoder": {"9": {"content": ")" + std::string(bytes, 'q') +
                        "\"}}}");
  };
  EXPECT_EQ(message_of_opening(with(1000)), "opened");
  EXPECT_NE(message_of_opening(with(1001)).find("has 1001 bytes (limit 1000)"), std::string::npos);
}

TEST(BpeTokenizer, MoreTokensOrMergesThanAnyModelHasAreRefused) {
  std::string vocab = "{\"a\":0", merges;
  for (int i = 1; i <= 1'000'000; ++i) vocab += concat(",\"", i, "\":", i);
  for (int i = 0; i <= 1'000'000; ++i) merges += "a b</w>\n";
  EXPECT_NE(message_of_opening(small_folder("{}", vocab + "}"))
                .find("vocab.json: vocabulary: 1000001 tokens are too many"),
            std::string::npos);
  EXPECT_NE(
      message_of_opening(small_folder("{}", kVocab, merges)).find("merges.txt: more than 1000000 merges"),
      std::string::npos);
}

}  // namespace
}  // namespace sdgen
