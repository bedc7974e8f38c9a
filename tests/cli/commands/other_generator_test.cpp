// A generator of another kind through the whole program: batches, progress, best-of, pictures, JSON, report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands/generate.h"
#include "sdgen/image.h"
#include "support/stripes.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

class OtherGenerator : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }

  // The exit code; `out` is what was printed.
  int draw(std::vector<std::string> arguments, std::string& out,
           const std::optional<fs::path>& ranker = std::nullopt) const {
    arguments.insert(arguments.end(), {"-o", (folder_ / "").string(), "--quiet"});
    ::testing::internal::CaptureStdout();
    const int code = generate(parse_options(arguments), [&](const Options&) {
      return Generator(std::make_unique<sdgen::testing::Stripes>(), ranker);
    });
    out = ::testing::internal::GetCapturedStdout();
    return code;
  }

  // Tests run beside each other.
  fs::path folder_ =
      fs::path(::testing::TempDir()) /
      (std::string("other_generator_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(OtherGenerator, DrawsBatchesAsPngFilesWithParametersAndJson) {
  std::string out;
  ASSERT_EQ(draw({"-p", "stripes", "--seed", "5", "--count", "5", "--batch-size", "2", "--json"}, out), 0);
  std::istringstream lines(out);
  std::uint64_t seed = 5;
  for (std::string line; std::getline(lines, line); ++seed) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json.at("seed"), seed);
    EXPECT_EQ(json.at("model"), "stripes");
    EXPECT_EQ(read_picture(json.at("path").get<std::string>()).rgb,
              sdgen::testing::Stripes::drawn(seed, 32, 16).rgb);
  }
  EXPECT_EQ(seed, 10u);
}

TEST_F(OtherGenerator, IsReportedAndShownOnASheet) {
  std::string out;
  const fs::path report = folder_ / "report", sheet = folder_ / "sheet.png";
  ASSERT_EQ(draw({"-p", "stripes", "--seed", "5", "--count", "2", "--report", report.string(), "--grid",
                  sheet.string()},
                 out),
            0);
  std::ifstream page(report / "report.html");
  std::stringstream text;
  text << page.rdbuf();
  EXPECT_NE(text.str().find("stripes"), std::string::npos);
  EXPECT_GT(read_picture(sheet.string()).width, 64);
}

TEST_F(OtherGenerator, TheBestOfSeveralIsChosenByARanker) {
  std::string out;
  ASSERT_EQ(draw({"-p", "stripes", "--seed", "5", "--best-of", "3", "--json"}, out,
                 fs::path(SDGEN_GOLDEN_DIR) / "ranker" / "clip"),
            0);
  const auto json = nlohmann::json::parse(out);
  EXPECT_GE(json.at("seed"), 5);
  EXPECT_LT(json.at("seed"), 8);
  EXPECT_TRUE(json.contains("score"));
}

TEST(OtherGeneratorRun, StepsAreToldAndAStopEndsTheRun) {
  Generator generator(std::make_unique<sdgen::testing::Stripes>());
  std::vector<std::size_t> done;
  std::vector<std::uint64_t> seeds;
  Observer observer;
  observer.on_step = [&](const StepProgress& step) {
    EXPECT_EQ(step.total, 12u);
    done.push_back(step.done);
  };
  observer.on_picture = [&](const Picture& picture) { seeds.push_back(picture.seed); };
  observer.should_stop = [&] { return done.size() >= 4; };
  EXPECT_FALSE(generator.run({{.prompt = "stripes", .seed = 5, .count = 4}}, {.batch_size = 2}, observer));
  EXPECT_THAT(done, ::testing::ElementsAre(2u, 4u, 6u, 8u));
  EXPECT_THAT(seeds, ::testing::ElementsAre(5u, 6u));
}

}  // namespace
}  // namespace sdgen::cli
