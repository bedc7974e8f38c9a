#include "text/tokenizers/vocabularies.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "plain/errors.h"
#include "support/safetensors_file.h"
#include "text/tokenizers/tokenizer.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class ClipVocabulary : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"SDGEN_CLIP_VOCABULARY", "XDG_DATA_HOME"}) {
      const char* const value = std::getenv(name);
      before_.emplace_back(name, value ? value : "");
    }
    ::unsetenv("SDGEN_CLIP_VOCABULARY");
    ::setenv("XDG_DATA_HOME", folder_.path().c_str(), 1);
  }
  void TearDown() override {
    for (const auto& [name, value] : before_)
      value.empty() ? ::unsetenv(name) : ::setenv(name, value.c_str(), 1);
  }

  fs::path make(const std::string& name) const {
    fs::create_directories(folder_.path() / name);
    testing::write_bytes(folder_.path() / name / "vocab.json", "{}");
    testing::write_bytes(folder_.path() / name / "merges.txt", "");
    return folder_.path() / name;
  }

  testing::TemporaryFolder folder_;
  std::vector<std::pair<const char*, std::string>> before_;
};

TEST_F(ClipVocabulary, IsLookedForInOrder) {
  const fs::path searched = make("models/clip-tokenizer");
  EXPECT_EQ(find_clip_vocabulary({folder_.path() / "models"}), searched);
  const fs::path data = make("sd-gen/clip-tokenizer");
  EXPECT_EQ(find_clip_vocabulary({folder_.path() / "models"}), data);
  const fs::path named = make("mine");
  ::setenv("SDGEN_CLIP_VOCABULARY", named.c_str(), 1);
  EXPECT_EQ(find_clip_vocabulary(), named);
}

TEST_F(ClipVocabulary, ItsAbsenceNamesTheCommandThatFetchesIt) {
  const auto message = [] {
    try {
      return find_clip_vocabulary().string();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      return std::string(error.what());
    }
  };
  EXPECT_NE(message().find("run scripts/clip_vocabulary"), std::string::npos);
  EXPECT_NE(message().find((folder_.path() / "sd-gen/clip-tokenizer").string()), std::string::npos);
  ::setenv("SDGEN_CLIP_VOCABULARY", "/nowhere", 1);
  EXPECT_NE(message().find("/nowhere holds no vocab.json"), std::string::npos);
}

// Ids by transformers 5's CLIPTokenizer on the folder that scripts/clip_vocabulary writes.
TEST(ClipVocabularyIds, AreClips) {
  fs::path folder;
  try {
    folder = find_clip_vocabulary();
  } catch (const Error&) {
    GTEST_SKIP() << "scripts/clip_vocabulary has not been run";
  }
  const auto tokenizer = open_tokenizer(folder);
  const auto ids = [&](const std::string& text) {
    std::vector<std::int64_t> found = tokenizer->encode(text).ids;
    found.resize(static_cast<std::size_t>(std::find(found.begin(), found.end(), 49407) - found.begin()));
    return found;
  };
  EXPECT_EQ(ids("a photo of a cat"), (std::vector<std::int64_t>{49406, 320, 1125, 539, 320, 2368}));
  EXPECT_EQ(
      ids("Ünïcødé naïve 東京 🎨 isn't 12345!"),
      (std::vector<std::int64_t>{49406, 6522, 77,    35689, 66,  17483, 67,  4166, 1097, 35689, 563, 48338,
                                 21078, 361,  13461, 2923,  713, 272,   273, 274,  275,  276,   256}));
}

}  // namespace
}  // namespace sdgen
