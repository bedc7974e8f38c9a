// The hub's cache.
#include "sdgen/hub_cache.h"

#include <gtest/gtest.h>

#include <fstream>

#include "sdgen/error.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

struct HubCache : ::testing::Test {
  testing::TemporaryFolder temporary;
  fs::path folder = temporary.path() / "models--someone--some-model";

  void add(const std::string& version) const { fs::create_directories(folder / "snapshots" / version); }
  void name(const std::string& ref, const std::string& text) const {
    fs::create_directories(folder / "refs");
    std::ofstream(folder / "refs" / ref) << text;
  }
  std::string refusal() const {
    try {
      return hub_snapshot(folder).string();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      return error.what();
    }
  }
};

TEST_F(HubCache, ItsCurrentVersionIsTheOneThatMainNames) {
  add("aaa");
  add("bbb");
  name("main", "bbb\n");
  EXPECT_EQ(hub_snapshot(folder), folder / "snapshots" / "bbb");
}

TEST_F(HubCache, WithoutMainTheOnlyVersionIsMeant) {
  add("aaa");
  fs::create_directories(folder / "blobs");
  EXPECT_EQ(hub_snapshot(folder), folder / "snapshots" / "aaa");
  add("bbb");
  EXPECT_NE(refusal().find("holds 2 versions"), std::string::npos) << refusal();
}

TEST_F(HubCache, AVersionThatIsNotThereIsNamed) {
  add("aaa");
  name("main", "ccc");
  EXPECT_NE(refusal().find("names version ccc, which is not in snapshots/"), std::string::npos) << refusal();
}

TEST_F(HubCache, ANameThatLeadsElsewhereIsNoVersion) {
  add("aaa");
  for (const char* text : {"../../..", "..", ".", "", "a/b"}) {
    name("main", text);
    EXPECT_EQ(hub_snapshot(folder), folder / "snapshots" / "aaa") << text;
  }
}

TEST_F(HubCache, OtherFoldersStayAsTheyAre) {
  EXPECT_EQ(hub_snapshot(temporary.path()), temporary.path());
  EXPECT_EQ(hub_snapshot(temporary.path() / "none"), temporary.path() / "none");
}

TEST_F(HubCache, AModelIsCalledByItsNameThere) {
  EXPECT_EQ(hub_name(folder / "snapshots" / "aaa"), "some-model");
  EXPECT_EQ(hub_name(folder / "snapshots" / "aaa/"), "some-model");
  EXPECT_EQ(hub_name(folder / "snapshots" / "aaa" / "unet" / "x.safetensors"), "some-model");
  EXPECT_EQ(hub_name("/models/sd15"), "");
  EXPECT_EQ(hub_name(""), "");
}

}  // namespace
}  // namespace sdgen
