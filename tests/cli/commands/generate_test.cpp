#include "cli/commands/generate.h"

#include <gtest/gtest.h>

namespace sdgen::cli {
namespace {

TEST(ExitCode, TellsHowTheRunWent) {
  EXPECT_EQ(exit_code({.total = 2, .done = 2}), 0);
  EXPECT_EQ(exit_code({.total = 2, .done = 1, .failed = 1, .first_failure = ErrorKind::kWorking}), 4);
  EXPECT_EQ(exit_code({.total = 1, .failed = 1, .first_failure = ErrorKind::kWorking}), 1);
  EXPECT_EQ(exit_code({.total = 1, .failed = 1, .first_failure = ErrorKind::kRequest}), 2);
  EXPECT_EQ(exit_code({.total = 2, .done = 1, .is_interrupted = true}), 130);
}

TEST(PictureJson, HasExactlyTheDocumentedKeysInOrder) {
  Job request;
  request.prompt = "a \"cat\"\n\u732b";
  request.steps = 30;
  request.sampler = "ddim";
  request.guidance_scale = 7.5;
  Picture picture;
  picture.seed = 18446744073709551615u;
  picture.image.width = 64;
  picture.image.height = 72;
  picture.seconds = 0.123456;
  EXPECT_EQ(picture_json("x.png", request, picture, {.name = "pictograms"}),
            "{\"path\":\"x.png\",\"seed\":18446744073709551615,\"prompt\":\"a \\\"cat\\\"\\n\u732b\","
            "\"negative_prompt\":\"\",\"width\":64,\"height\":72,\"steps\":30,\"sampler\":\"ddim\","
            "\"guidance_scale\":7.5,\"model\":\"pictograms\",\"seconds\":0.1235}");
  picture.score = 23.45678;
  EXPECT_NE(picture_json("x.png", request, picture, {.name = "pictograms"}).find("0.1235,\"score\":23.4568}"),
            std::string::npos);
}

}  // namespace
}  // namespace sdgen::cli
