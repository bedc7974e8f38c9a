#include "cli/options/model_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

void make_model(const ScratchFolder& folder, const std::string& name) {
  fs::create_directories(folder.path() / name);
  folder.write(name + "/model_index.json", "{}");
}

TEST(ModelFolders, SearchPathComesFirst) {
  const ScratchFolder folder;
  const std::string a = fs::canonical(folder.path()) / "a";
  const auto folders = model_folders(a + "::" + a + ":/b", "/opt/sd-gen/bin");
  ASSERT_GE(folders.size(), 4u);
  EXPECT_EQ(folders[0], a);
  EXPECT_EQ(folders[1], "/b");
  EXPECT_NE(std::find(folders.begin(), folders.end(), "/opt/sd-gen/models"), folders.end());
  EXPECT_NE(std::find(folders.begin(), folders.end(), "/opt/sd-gen/share/sd-gen/models"), folders.end());
}

TEST(FindModel, TakesTheFirstFolderThatHasIt) {
  const ScratchFolder folder;
  make_model(folder, "one/pictograms");
  make_model(folder, "two/pictograms");
  EXPECT_EQ(find_model("pictograms", {folder.path() / "none", folder.path() / "one", folder.path() / "two"}),
            folder.path() / "one/pictograms");
}

TEST(FindModel, PathsAreTakenAsTheyAre) {
  const ScratchFolder folder;
  EXPECT_EQ(find_model("no/such/model", {}), "no/such/model");
  EXPECT_EQ(find_model("./no", {}), "./no");
  EXPECT_EQ(find_model("no/such.safetensors", {}), "no/such.safetensors");
  make_model(folder, "mine");
  EXPECT_EQ(find_model("mine", {}), "mine");
  folder.write("sd.safetensors", "");
  EXPECT_EQ(find_model("sd.safetensors", {}), "sd.safetensors");
}

TEST(FindModel, AHubsNameIsToldToBeFetchedFirst) {
  const ScratchFolder folder;
  const auto error = [] { return error_of(ErrorKind::kInput, [] { find_model("owner/some-model", {}); }); };
  EXPECT_TRUE(contains(error(), "no folder or file 'owner/some-model'; sd-gen never downloads")) << error();
  EXPECT_TRUE(contains(error(), "hf download owner/some-model --local-dir some-model")) << error();
  fs::create_directories(folder.path() / "owner");  // then it is a path, with a slip in its last part
  EXPECT_EQ(find_model("owner/some-model", {}), "owner/some-model");
}

TEST(FindModel, AFolderOfTheHubsCacheIsAModelByName) {
  const ScratchFolder folder;
  fs::create_directories(folder.path() / "hub/models--a--b/snapshots/0123");
  fs::create_directories(folder.path() / "hub/models--a--b/refs");
  folder.write("hub/models--a--b/refs/main", "0123");
  EXPECT_EQ(find_model("models--a--b", {folder.path() / "hub"}), folder.path() / "hub/models--a--b");
}

TEST(ModelFilesOfOptions, AHubFolderStandsForItsCurrentVersion) {
  const ScratchFolder folder;
  fs::create_directories(folder.path() / "models--a--b/snapshots/0123");
  fs::create_directories(folder.path() / "models--a--b/refs");
  folder.write("models--a--b/refs/main", "0123");
  const std::string hub = folder.path() / "models--a--b", version = hub + "/snapshots/0123";
  Options options;
  options.model = options.refiner = options.ranker = hub;
  options.parts = {{"vae", hub}, {"unet", hub}};
  options.controlnets = options.loras = options.embeddings = {hub};
  const ModelFiles files = model_files(options);
  EXPECT_EQ(files.model, version);
  EXPECT_EQ(files.refiner, version);
  EXPECT_EQ(files.ranker, version);
  EXPECT_EQ(files.parts.at("vae"), version);
  EXPECT_EQ(files.parts.at("unet"), version);
  EXPECT_EQ(files.controlnets.front(), version);
  EXPECT_EQ(files.loras.front().path, version);
  EXPECT_EQ(files.embeddings.front().path, version);
}

TEST(FindModel, AStrayFolderDoesNotHideAModel) {
  const ScratchFolder folder;
  fs::create_directory("pictograms");
  make_model(folder, "models/pictograms");
  EXPECT_EQ(find_model("pictograms", {folder.path() / "models"}), folder.path() / "models/pictograms");
}

TEST(FindModel, UnknownNameTellsWhereAndWhat) {
  const ScratchFolder folder;
  make_model(folder, "models/pictograms");
  make_model(folder, "models/other");
  fs::create_directories("models/no-model");
  const std::string message = error_of(ErrorKind::kInput, [&] {
    find_model("pictogramz", {folder.path() / "models", "/none"});
  });
  EXPECT_TRUE(contains(
      message, "no model 'pictogramz'; did you mean pictograms? found: other, pictograms; looked in "))
      << message;
  EXPECT_TRUE(contains(message, (folder.path() / "models").string() + ", /none")) << message;
  EXPECT_TRUE(contains(error_of(ErrorKind::kInput, [] { find_model("x", {}); }), "found: none"));
}

TEST(ChosenModel, FlagThenEnvironmentThenBuiltIn) {
  unsetenv("SDGEN_MODEL");
  EXPECT_EQ(chosen_model(""), "pictograms");
  setenv("SDGEN_MODEL", "mine", 1);
  EXPECT_EQ(chosen_model(""), "mine");
  EXPECT_EQ(chosen_model("flag"), "flag");
  unsetenv("SDGEN_MODEL");
}

}  // namespace
}  // namespace sdgen::cli
