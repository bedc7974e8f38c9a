// When the pictures that a run starts from are read and encoded.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "run/batch_rows.h"
#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class StartPictures : public ::testing::Test {
 protected:
  // A grey picture of its own file.
  std::string picture(const std::string& name, std::uint8_t grey) const {
    const fs::path path = temporary_.path() / name;
    write_file_atomically(path, encode_png({32, 32, std::vector<std::uint8_t>(32 * 32 * 3, grey)}, {}), true);
    return path.string();
  }

  static Request from(const std::string& picture) {
    return {.prompt = "a cat", .steps = 2, .seed = 1, .width = 32, .height = 32, .init_image = picture};
  }

  // "e" for each picture encoded, "p" for each drawn, "f" for each that failed.
  std::string order_of(const std::vector<Request>& requests) {
    std::string order;
    Generator generator(testing::golden_path("pipelines/sd15-tiny"),
                        {.device = Device::kCpu, .dtype = DType::kFloat32, .threads = 1});
    generator.run(requests, {},
                  {.on_picture =
                       [&](const Picture& picture) {
                         order += "p";
                         drawn_.push_back(picture);
                       },
                   .on_failure =
                       [&](std::size_t request, int, const Error& error) {
                         order += "f";
                         failed_.emplace_back(request, error.what());
                       },
                   .on_stage =
                       [&](const StageEvent& event) {
                         if (event.stage == "encode_picture") order += "e";
                       }});
    return order;
  }

  testing::TemporaryFolder temporary_;
  std::vector<Picture> drawn_;
  std::vector<std::pair<std::size_t, std::string>> failed_;
};

TEST_F(StartPictures, AreEncodedRightBeforeTheyAreNeeded) {
  const std::string a = picture("a.png", 40), b = picture("b.png", 120), c = picture("c.png", 200);
  EXPECT_EQ(order_of({from(a), from(b), from(c)}), "epepep");
  EXPECT_EQ(order_of({from(a), from(a), from(a)}), "eppp");
  EXPECT_EQ(order_of({from(a), from(b), from(a), from(b)}), "epeppp");
}

TEST_F(StartPictures, GiveTheSamePicturesAloneAndInALongRun) {
  std::vector<Request> requests;
  for (int i = 0; i < 20; ++i)
    requests.push_back(from(picture(concat(i, ".png"), static_cast<std::uint8_t>(i))));
  requests.push_back(requests.front());  // long forgotten by then
  order_of(requests);
  const Image first = drawn_.front().image, last = drawn_.back().image;
  EXPECT_EQ(first.rgb, last.rgb);
  EXPECT_NE(first.rgb, drawn_[19].image.rgb);
  drawn_.clear();
  order_of({requests[19]});
  EXPECT_EQ(drawn_.front().image.rgb.size(), first.rgb.size());
}

TEST_F(StartPictures, OneThatIsMissingOrNoPictureIsToldBeforeAnythingIsDrawn) {
  const std::string good = picture("good.png", 9), text = (temporary_.path() / "text.png").string();
  std::ofstream(text) << "no picture";
  for (const std::string& bad : {(temporary_.path() / "missing.png").string(), text}) {
    EXPECT_THROW(order_of({from(good), from(bad)}), Error);
    EXPECT_TRUE(drawn_.empty());
  }
}

TEST_F(StartPictures, OneWithDamagedPixelsFailsAloneAndTheOthersAreDrawn) {
  const std::string good = picture("good.png", 9), damaged = picture("damaged.png", 10);
  fs::resize_file(damaged, fs::file_size(damaged) - 30);
  EXPECT_EQ(order_of({from(good), from(damaged), from(good)}), "epfp");
  ASSERT_EQ(failed_.size(), 1u);
  EXPECT_EQ(failed_[0].first, 1u);
  EXPECT_THAT(failed_[0].second, ::testing::HasSubstr("damaged.png"));
}

TEST(Questions, AreThoseThatTheNetworkIsAsked) {
  const Model edits = read_model({.model = testing::golden_path("families/pipelines/instruct-tiny")});
  const Model draws = read_model({.model = testing::golden_path("pipelines/sd15-tiny")});
  const auto asked = [](const Model& model, double guidance, double image_guidance) {
    Request request{.guidance_scale = guidance};
    request.image_guidance_scale = image_guidance;
    return guidance_branches_of(request, model);
  };
  EXPECT_EQ(asked(draws, 7.5, 1.5), 2);
  EXPECT_EQ(asked(draws, 1.0, 1.5), 1);
  EXPECT_EQ(asked(edits, 7.5, 1.5), 3);
  EXPECT_EQ(asked(edits, 7.5, 0.5), 1) << "with the picture switched off it is asked once";
  EXPECT_EQ(asked(edits, 1.0, 1.5), 1);
}

}  // namespace
}  // namespace sdgen
