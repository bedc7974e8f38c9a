// Nothing that comes out of a file chooses a path that the user did not name.
#include <sys/inotify.h>

#include "cli/binary.h"

namespace sdgen::cli {
namespace {

class ForeignPaths : public Binary {};

// A picture's text may be anybody's: what it names is opened only if the command line names a file, too.
TEST_F(ForeignPaths, AnEditOpensNoFileThatOnlyThePictureNames) {
  const std::string start = (kGolden / "families/start.png").string();
  ASSERT_EQ(draw({"-p", "a red cat", "--init-image", start, "-o", "_red.png", "--quiet"}).exit_code, 0);
  const std::vector<std::string> edit = {"-p", "a cat",    "--edit-from", "_red.png",
                                         "-o", "_cat.png", "--quiet"};
  expect_one_line_error(draw(edit), 2,
                        "_red.png was drawn with --init-image " + start + "; give --init-image");
  std::vector<std::string> named = edit;
  named.insert(named.end(), {"--init-image", start});
  EXPECT_EQ(draw(named).exit_code, 0);
  EXPECT_TRUE(fs::exists(folder() / "_cat.png"));
}

TEST_F(ForeignPaths, AFileThatOnlyThePictureNamesIsNotEvenOpened) {
  const fs::path secret = folder() / "_secret.png";
  const Image image{1, 1, {0, 0, 0}};
  write_file_atomically(secret, encode_png(image, {}), /*overwrite=*/false);
  const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ASSERT_GE(::inotify_add_watch(watch, secret.c_str(), IN_OPEN | IN_ACCESS), 0);
  for (const std::string key : {"Init image", "Mask", "Control image"}) {
    SCOPED_TRACE(key);
    write_file_atomically(
        folder() / "_x.png",
        encode_png(image, {{"parameters", "a cat\nSteps: 2, Seed: 1, " + key + ": _secret.png"}}),
        /*overwrite=*/true);
    EXPECT_EQ(draw({"-p", "a dog", "--edit-from", "_x.png", "-o", "x.png"}).exit_code, 2);
    char event[4096];
    EXPECT_EQ(::read(watch, event, sizeof event), -1) << "it was opened";
  }
  EXPECT_FALSE(read_text(secret).empty());  // the watch does see that
  char event[4096];
  EXPECT_GT(::read(watch, event, sizeof event), 0);
  ::close(watch);
}

// The parameters of a picture by somebody else.
class ForeignPictures : public Binary,
                        public ::testing::WithParamInterface<std::pair<std::string, std::string>> {};

TEST_P(ForeignPictures, NameNoFileThatIsOpened) {
  const auto& [text, flag] = GetParam();
  write_file_atomically(
      folder() / "_x.png",
      encode_png(Image{1, 1, {0, 0, 0}}, {{"parameters", "a cat\nSteps: 2, Seed: 1, " + text}}),
      /*overwrite=*/false);
  expect_one_line_error(draw({"-p", "a dog", "--edit-from", "_x.png", "-o", "x.png"}), 2, "give " + flag);
}

std::string name_of(const ::testing::TestParamInfo<ForeignPictures::ParamType>& info) {
  const char* const names[] = {"InitImage", "Mask", "ControlImages", "LongName"};
  return names[info.index];
}

INSTANTIATE_TEST_SUITE_P(
    AllPaths, ForeignPictures,
    ::testing::Values(std::pair("Init image: /etc/hostname", "--init-image"),
                      std::pair("Mask: /etc/hostname", "--mask"),
                      std::pair("Control image: none.png;/etc/hostname", "--control-image"),
                      std::pair("Init image: " + std::string(5000, 'x'), "--init-image")),
    name_of);

}  // namespace
}  // namespace sdgen::cli
