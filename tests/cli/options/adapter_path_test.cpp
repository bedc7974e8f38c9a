#include "cli/options/adapter_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_errors.h"
#include "cli/options/options.h"
#include "support/safetensors_file.h"

namespace sdgen::cli {
namespace {

using sdgen::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct AdapterPath : ::testing::Test {
  TemporaryFolder folder;
  std::filesystem::path root = folder.path();
  std::vector<std::filesystem::path> folders = {root / "models"};

  AdapterPath() {
    std::filesystem::create_directories(root / "models" / "loras");
    std::filesystem::create_directories(root / "models" / "embeddings");
    for (const char* name :
         {"a.safetensors", "od:d", "12:30", "models/loras/ink.safetensors", "models/embeddings/toy.pt"})
      sdgen::testing::write_bytes(root / name, "x");
  }
  std::string at(const std::string& name) const { return (root / name).string(); }
  template <typename Read>
  static std::string error_of(const Read& read) {
    try {
      read();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
};

TEST_F(AdapterPath, ScaleStandsBehindTheLastColon) {
  const Adapter lora = read_lora_flag(at("a.safetensors") + ":0.7", folders);
  EXPECT_EQ(lora.path, root / "a.safetensors");
  EXPECT_EQ(lora.scale, 0.7);
  EXPECT_EQ(read_lora_flag(at("a.safetensors"), folders).scale, 1.0);
  EXPECT_EQ(read_lora_flag(at("a.safetensors") + ":-1", folders).scale, -1.0);
}

TEST_F(AdapterPath, AColonMayBePartOfTheName) {
  EXPECT_EQ(read_lora_flag(at("od:d"), folders).path, root / "od:d");
  EXPECT_EQ(read_lora_flag(at("od:d:0.5"), folders).path, root / "od:d");
  EXPECT_EQ(read_lora_flag(at("od:d:0.5"), folders).scale, 0.5);
  EXPECT_EQ(read_lora_flag(at("12:30"), folders).scale, 1.0);
  EXPECT_EQ(read_embedding_flag(at("od:d"), folders).token, "");
}

TEST_F(AdapterPath, NamesAreLookedForAmongTheModels) {
  EXPECT_EQ(read_lora_flag("ink:0.4", folders).path, root / "models" / "loras" / "ink.safetensors");
  EXPECT_EQ(read_embedding_flag("toy:<toy>", folders).path, root / "models" / "embeddings" / "toy.pt");
  EXPECT_EQ(read_embedding_flag("toy:<toy>", folders).token, "<toy>");
  EXPECT_THAT(
      error_of([&] { read_lora_flag("pen:0.4", folders); }),
      ::testing::AllOf(HasSubstr("no LoRA 'pen'"), HasSubstr("models/loras"), HasSubstr("SDGEN_MODELS")));
  EXPECT_THAT(error_of([&] { read_embedding_flag("pen", folders); }), HasSubstr("no embedding 'pen'"));
}

TEST_F(AdapterPath, WrongScalesAndTokensAreRefused) {
  EXPECT_THAT(error_of([&] { read_lora_flag(at("a.safetensors") + ":x", folders); }),
              HasSubstr("a number behind"));
  EXPECT_THAT(error_of([&] { read_lora_flag(at("a.safetensors") + ":nan", folders); }),
              HasSubstr("a number behind"));
  EXPECT_THAT(error_of([&] { read_embedding_flag(at("od:d:"), folders); }), HasSubstr("a word behind"));
  EXPECT_THAT(error_of([&] { read_lora_flag(at("b.safetensors") + ":1", folders); }),
              HasSubstr("no such LoRA file"));
}

TEST_F(AdapterPath, FlagsRepeatAndWinOverTheConfigFile) {
  sdgen::testing::write_bytes(root / "c.toml", "lora = \"x\"\n");
  const std::string config = at("c.toml");
  EXPECT_THAT(parse_options({"--prompt", "a", "--lora", "a:0.5", "--lora", "b"}).loras,
              ElementsAre("a:0.5", "b"));
  EXPECT_THAT(parse_options({"--prompt", "a", "--config", config}).loras, ElementsAre("x"));
  EXPECT_THAT(parse_options({"--prompt", "a", "--config", config, "--lora", "y"}).loras, ElementsAre("y"));
  EXPECT_THAT(parse_options({"bench", "--embedding", "a:<b>", "--embedding", "c"}).embeddings,
              ElementsAre("a:<b>", "c"));
}

}  // namespace
}  // namespace sdgen::cli
