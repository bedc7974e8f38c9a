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
  EXPECT_EQ(find_model("no/such", {}), "no/such");
  make_model(folder, "mine");
  EXPECT_EQ(find_model("mine", {}), "mine");
  folder.write("sd.safetensors", "");
  EXPECT_EQ(find_model("sd.safetensors", {}), "sd.safetensors");
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
