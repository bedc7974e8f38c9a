#include "text/qwen3_conditioner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sdgen/error.h"
#include "support/numbers.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

using testing::golden_path;
using Kind = PromptWord::Kind;
using Rows = std::vector<int>;

// A pipeline's text encoder and tokenizer.
struct TextParts {
  Qwen2Tokenizer tokenizer;
  Qwen3Encoder encoder;

  TextParts(const std::string& pipeline, const std::vector<std::int64_t>& wanted)
      : tokenizer(Qwen2Tokenizer::open(golden_path(pipeline) / "tokenizer")),
        encoder(Weights(rename_keys(open_model_files(golden_path(pipeline) / "text_encoder", "model"),
                                    qwen3_tensor_name),
                        Compute{}, Weights::Mode::kRead),
                Qwen3Config::read(Config::read(golden_path(pipeline) / "text_encoder" / "config.json")),
                wanted) {}
};

TextParts z_image() {
  return {"z_image/z-image-tiny", {-2}};
}

EncodedText encode(const TextParts& parts, const std::string& prompt, Qwen3Reading reading = {}) {
  return Qwen3Conditioner(parts.tokenizer, parts.encoder, std::move(reading)).encode({prompt});
}

void expect_texts(const std::string& folder, const TextParts& parts, Qwen3Reading reading) {
  const testing::GoldenTensors tensors(folder + "/texts.safetensors");
  const Json golden = testing::golden_json(folder + "/texts.json");
  for (const Json& expected : golden.at("cases")) {
    const std::string name = expected.at("name").get<std::string>();
    reading.max_tokens = expected.at("max_sequence_length").get<std::size_t>();
    const Tensor hidden = encode(parts, expected.at("prompt").get<std::string>(), reading).hidden;
    const Tensor embeds = tensors.at(name);  // [L, D] or [1, L, D]
    EXPECT_TRUE(testing::is_close(hidden, embeds.dim() == 2 ? embeds.unsqueeze(0) : embeds,
                                  2e-5 * testing::rms(embeds)))
        << name;
  }
}

TEST(Qwen3Conditioner, GivesZImagesPromptEmbeds) {
  expect_texts("z_image", z_image(), {});
}

TEST(Qwen3Conditioner, GivesFlux2KleinsPromptEmbedsWithPadding) {
  Qwen3Reading reading;
  reading.after += kQwen3NoThinking;
  reading.keeps_padding = true;
  expect_texts("flux2_klein", {"flux2_klein/klein-tiny", {1, 2, 4}}, reading);
}

// The bytes of the words, checked against the tokens' own.
void expect_rows_of(const TextParts& parts, const std::string& prompt, const EncodedText& encoded) {
  const Qwen3Reading reading;
  const auto tokens = parts.tokenizer.encode(reading.before + prompt + reading.after);
  for (const PromptWord& word : encoded.words) {
    if (word.kind != Kind::kWord) continue;
    EXPECT_FALSE(word.tokens.empty()) << word.text;
    for (const int row : word.tokens) {
      const TextToken& token = tokens.at(static_cast<std::size_t>(row));
      EXPECT_LT(token.begin, reading.before.size() + word.end) << word.text;
      EXPECT_GT(token.end, reading.before.size() + word.begin) << word.text;
    }
  }
}

TEST(Qwen3Conditioner, TellsWhichRowsEachWordBecame) {
  const TextParts parts = z_image();
  const std::string prompt = "a red circle\nabove (detailed) caf\u00e9, \u732b\U0001f431!";
  const EncodedText encoded = encode(parts, prompt);
  expect_rows_of(parts, prompt, encoded);
  // Each row belongs to one word, or is white space between them.
  Rows rows;
  for (const PromptWord& word : encoded.words)
    rows.insert(rows.end(), word.tokens.begin(), word.tokens.end());
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(std::adjacent_find(rows.begin(), rows.end()), rows.end());
  EXPECT_EQ(rows.front(), 0);
  EXPECT_EQ(rows.back(), encoded.hidden.size(1) - 1);
}

TEST(Qwen3Conditioner, PutsTheChatAroundTheWords) {
  const EncodedText encoded = encode(z_image(), "a");
  ASSERT_EQ(encoded.words.size(), 3u);
  EXPECT_EQ(encoded.words[0].text, "a");
  EXPECT_EQ(encoded.words[1].kind, Kind::kStart);
  EXPECT_EQ(encoded.words[1].tokens.front(), 0);
  EXPECT_EQ(encoded.words[1].tokens.back() + 1, encoded.words[0].tokens.front());
  EXPECT_EQ(encoded.words[2].kind, Kind::kEnd);
  EXPECT_EQ(encoded.words[2].tokens.front(), encoded.words[0].tokens.back() + 1);
  EXPECT_EQ(encoded.words[2].tokens.back() + 1, encoded.hidden.size(1));
}

TEST(Qwen3Conditioner, NamesTheRowsOfPadding) {
  Qwen3Reading reading;
  reading.max_tokens = 64;
  reading.keeps_padding = true;
  const EncodedText encoded = encode(z_image(), "a", reading);
  EXPECT_EQ(encoded.hidden.size(1), 64);
  EXPECT_EQ(encoded.words.back().kind, Kind::kPadding);
  EXPECT_EQ(encoded.words.back().tokens.back(), 63);
}

TEST(Qwen3Conditioner, GivesATokenToTheWordItHasMostOf) {
  const EncodedText encoded = encode(z_image(), "x\"red\"");  // the piece "red begins with the sign
  ASSERT_GE(encoded.words.size(), 4u);
  EXPECT_EQ(encoded.words[2].text, "red");
  EXPECT_FALSE(encoded.words[2].tokens.empty());
}

TEST(Qwen3Conditioner, ReportsTheWordsPastItsLength) {
  const TextParts parts = z_image();
  const std::string prompt = "a red circle above a blue square";
  const PromptWord blue = encode(parts, prompt).words[5];
  Qwen3Reading reading;
  reading.max_tokens = static_cast<std::size_t>(blue.tokens.back());  // the last token of it is cut off
  const EncodedText encoded = encode(parts, prompt, reading);
  EXPECT_EQ(encoded.hidden.size(1), blue.tokens.back());
  EXPECT_EQ(encoded.dropped, "blue square");
  EXPECT_TRUE(encoded.words[6].tokens.empty());        // square
  EXPECT_EQ(encoded.words.back().kind, Kind::kStart);  // no end is left
}

TEST(Qwen3Conditioner, DropsNoWordsWhereOnlyTheChatsEndIsCutOff) {
  const TextParts parts = z_image();
  const EncodedText whole = encode(parts, "a cat");
  EXPECT_EQ(whole.dropped, "");
  Qwen3Reading reading;
  reading.max_tokens = static_cast<std::size_t>(whole.words[1].tokens.back()) + 1;
  const EncodedText encoded = encode(parts, "a cat", reading);
  EXPECT_EQ(encoded.hidden.size(1), static_cast<std::int64_t>(reading.max_tokens));
  EXPECT_EQ(encoded.dropped, "");
}

TEST(Qwen3Conditioner, RefusesClipSkip) {
  const TextParts parts = z_image();
  TextToEncode text{"a"};
  text.clip_skip = 1;
  try {
    Qwen3Conditioner(parts.tokenizer, parts.encoder).encode(text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kRequest);
  }
}

}  // namespace
}  // namespace sdgen
