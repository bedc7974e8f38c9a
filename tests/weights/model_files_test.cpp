// Which of a folder's files are taken, against what diffusers loads.
#include "weights/model_files.h"

#include <gtest/gtest.h>

#include "sdgen/error.h"
#include "support/golden.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

void write_weights(const fs::path& folder, const std::string& name) {
  const std::string tensor = R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  if (name.ends_with(".json")) {
    testing::write_bytes(folder / "shard.st", testing::safetensors_bytes(tensor, "x"));
    testing::write_bytes(folder / name, R"({"weight_map":{"t":"shard.st"}})");
  } else if (name.ends_with(".bin")) {
    fs::copy_file(testing::golden_path("pickles/plain.bin"), folder / name);
  } else {
    testing::write_bytes(folder / name, testing::safetensors_bytes(tensor, "x"));
  }
}

// The name of the file that is taken; what is wrong where none is.
std::string taken(const std::string& stem, const std::vector<std::string>& files) {
  const testing::TemporaryFolder folder;
  for (const std::string& file : files) write_weights(folder.path(), file);
  try {
    return fs::path(open_model_files(folder.path(), stem)->describe()).filename();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
}

struct WeightChoices : ::testing::TestWithParam<Json> {};

TEST_P(WeightChoices, AreThoseOfDiffusers) {
  const auto files = GetParam()["files"].get<std::vector<std::string>>();
  EXPECT_EQ(taken(GetParam()["stem"], files), GetParam()["taken"].get<std::string>()) << GetParam();
}

std::vector<Json> cases_that_load() {
  std::vector<Json> cases;
  const Json golden = testing::golden_json("weight_choices.json");
  for (const Json& each : golden["cases"])
    if (!each["taken"].is_null()) cases.push_back(each);
  return cases;
}

INSTANTIATE_TEST_SUITE_P(ModelFiles, WeightChoices, ::testing::ValuesIn(cases_that_load()));

// diffusers refuses these until it is told the variant.
TEST(ModelFiles, AVariantIsTakenWhereThereIsNothingElse) {
  for (const std::string stem : {"model", "diffusion_pytorch_model"}) {
    const std::string pickled = stem == "model" ? "pytorch_model" : stem;
    EXPECT_EQ(taken(stem, {stem + ".fp16.safetensors"}), stem + ".fp16.safetensors");
    EXPECT_EQ(taken(stem, {stem + ".safetensors.index.fp16.json"}), stem + ".safetensors.index.fp16.json");
    EXPECT_EQ(taken(stem, {pickled + ".fp16.bin"}), pickled + ".fp16.bin");
    EXPECT_EQ(taken(stem, {stem + ".fp16.safetensors", pickled + ".fp16.bin"}), stem + ".fp16.safetensors");
    EXPECT_EQ(taken(stem, {stem + ".non_ema.safetensors", stem + ".fp16.safetensors"}),
              stem + ".fp16.safetensors");
    EXPECT_EQ(taken(stem, {stem + ".non_ema.safetensors", stem + ".ema.safetensors"}),
              stem + ".ema.safetensors");
    EXPECT_EQ(taken(stem, {pickled + ".non_ema.bin"}), pickled + ".non_ema.bin");
    EXPECT_NE(taken(stem, {stem + ".msgpack"}).find("holds no weights; looked for " + stem + ".safetensors"),
              std::string::npos);
    EXPECT_NE(taken(stem, {stem + "-00001-of-00002.safetensors"}).find("holds no weights"),
              std::string::npos);
  }
}

TEST(ModelFiles, ALinkThatLeadsNowhereIsNamedWithItsTarget) {
  const testing::TemporaryFolder folder;
  fs::create_symlink("../../blobs/0123", folder.path() / "model.safetensors");
  write_weights(folder.path(), "pytorch_model.bin");
  try {
    open_model_files(folder.path(), "model");
    FAIL() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(std::string(error.what()),
              (folder.path() / "model.safetensors").string() +
                  ": a link to ../../blobs/0123, which is not there; fetch the file "
                  "again, or copy what the link should lead to");
  }
}

}  // namespace
}  // namespace sdgen
