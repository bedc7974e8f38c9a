// Prompts that arrive while the program draws, and how soon it can be stopped.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>

#include "cli/binary.h"

namespace sdgen::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class BinaryStream : public Binary {
 protected:
  // `writer`: a script whose output is read; it can wait for files of the run.
  ProcessResult piped(const std::string& writer, const std::string& flags,
                      const std::string& reader = "") const {
    const std::string small = " --width 32 --height 32 --steps 2 -m ";
    const std::string script =
        "wait_for() { for i in $(seq 600); do [ -e \"$1\" ] && return; sleep 0.05; done; "
        "echo \"no $1\" >&2; exit 9; }\nset -o pipefail\n( " +
        writer + " ) | '" + SDGEN_BINARY + "' -p -" + small + "'" + kModel + "' " + flags + reader;
    return testing::run_process({"bash", "-c", script}, {.folder = folder().string()});
  }
};

TEST_F(BinaryStream, DrawsEachLineBeforeTheNextIsWritten) {
  const ProcessResult result = piped(
      "echo a cat --seed 1; wait_for sd-gen-1.png; sleep 0.5; echo a dog --seed 2; "
      "wait_for sd-gen-2.png; echo a cat --seed 1; echo a bus --seed 3",
      "");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "sd-gen-1.png\nsd-gen-2.png\nsd-gen-3-1.png\nsd-gen-3.png\n") << result.err;
  EXPECT_THAT(result.err, HasSubstr("picture 2: seed 2")) << "how many there will be is not known";
}

TEST_F(BinaryStream, AWrongLineIsToldAndTheOthersAreDrawn) {
  const ProcessResult result = piped(
      "echo a cat --seed 1; wait_for 1.png; echo a dog --sede 2; "
      "echo a bird --width 33; echo an owl --seed 4",
      "-o '{seed}.png'");
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_EQ(result.out, "1.png\n4.png\n");
  EXPECT_THAT(result.err, HasSubstr("standard input:2:7: unknown flag --sede; did you mean --seed?"));
  EXPECT_THAT(result.err, HasSubstr("standard input:3:8: width 33"));
}

TEST_F(BinaryStream, WhatIsWholeFromTheStartIsCheckedAsAWhole) {
  const ProcessResult result = piped("echo a cat --seed 1; echo a dog --sede 2", "");
  expect_one_line_error(result, 2, "standard input:2:7: unknown flag --sede");
}

TEST_F(BinaryStream, EndsWithThePictureInWorkWhereNobodyReadsTheResults) {
  const ProcessResult result =
      piped("for i in $(seq 600); do echo a cat --seed $i; [ -e 4.png ] && sleep 1; sleep 0.1; done",
            "-o '{seed}.png'", " | head -1");
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_EQ(result.out, "1.png\n");
  EXPECT_THAT(result.err, HasSubstr("standard output is closed"));
  EXPECT_LT(files().size(), 600u);
}

TEST_F(BinaryStream, ASheetOfAllWaitsForTheLastLine) {
  const ProcessResult result = piped("echo a cat; sleep 1; echo a dog", "--grid all.png -o d/ --json");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_of(result.out).size(), 2u);
  EXPECT_THAT(files(), ElementsAre("all.png", "d"));
  EXPECT_THAT(result.err, HasSubstr("picture 2 of 2"));
}

TEST_F(BinaryStream, WithoutAnyPromptItFails) {
  expect_one_line_error(piped("sleep 0.6; echo '# nothing'; sleep 0.6", ""), 2,
                        "standard input holds no prompt");
}

// On the slowest step that the built-in model has: minutes of it are left when the signal comes.
TEST_F(Binary, AnInterruptionInTheFirstStepOfALargePictureIsObeyedWithinIt) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin;
  ProcessOptions options;
  options.interrupt_when = [&](const ProcessResult& so_far) {
    begin = Clock::now();
    return so_far.err.find("load unet") != std::string::npos;
  };
  const ProcessResult result =
      sd_gen({"-p", "a cat", "--width", "2048", "--height", "2048", "--verbose"}, options);
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - begin).count(), 30.0) << "seldom more than a second";
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_THAT(result.err, HasSubstr("sd-gen: stopping; Ctrl-C again stops at once\n"));
  EXPECT_THAT(result.err, HasSubstr("interrupted: 0 of 1 pictures done"));
  EXPECT_THAT(files(), ElementsAre());
}

TEST_F(Binary, WhatHasNoEffectIsToldOnce) {
  const ProcessResult negative = draw({"-p", "x", "-n", "blur", "--guidance-scale", "1", "--count", "2"});
  EXPECT_EQ(negative.exit_code, 0) << negative.err;
  EXPECT_THAT(negative.err, HasSubstr("warning: the negative prompt has no effect at guidance-scale 1"));
  EXPECT_EQ(negative.err.find("no effect"), negative.err.rfind("no effect"));
  EXPECT_THAT(draw({"-p", "x", "-n", "blur"}).err, Not(HasSubstr("no effect")));
  EXPECT_THAT(draw({"-p", " "}).err, HasSubstr("warning: the prompt is empty"));
}

TEST_F(Binary, SignsThatTheBuiltInModelWasNotTaughtChangeNothing) {
  const auto pixels = [&](const std::string& prompt) {
    const ProcessResult result =
        sd_gen({"-p", prompt, "--seed", "1", "--steps", "2", "--overwrite", "-o", "x.png"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return read_png(folder() / "x.png").rgb;
  };
  const std::vector<unsigned char> plain = pixels("a cat");
  ASSERT_FALSE(plain.empty());
  for (const char* const prompt : {"a cat!", "a cat?", "\u00aba cat\u00bb", "(a cat)"})
    EXPECT_EQ(pixels(prompt), plain) << prompt;
  EXPECT_NE(pixels("a dog"), plain);
}

TEST_F(Binary, APreviewsFileIsToldAndItsFolderMustBeThere) {
  const ProcessResult result = draw({"-p", "x", "-o", "x.png", "--preview", "1"});
  EXPECT_THAT(result.err, HasSubstr("the preview is in x-preview.png\n"));
  EXPECT_EQ(result.err.find("the preview is in"), result.err.rfind("the preview is in"));
  const ProcessResult refused =
      draw({"-p", "x", "-o", "y.png", "--preview", "1", "--preview-file", "no/p.png"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("output folder no does not exist"));
}

TEST_F(Binary, TheBestIsNamedAfterTheSeedThatDrawsItAgain) {
  const ProcessResult best = sd_gen({"-p", "a red circle", "--seed", "1", "--count", "2", "--best-of", "3",
                                     "--steps", "3", "--attention-maps", "maps", "--json"});
  ASSERT_EQ(best.exit_code, 0) << best.err;
  std::vector<std::string> names;
  for (const std::string& line : lines_of(best.out)) {
    const Json json = Json::parse(line);
    names.push_back("sd-gen-" + json.at("seed").dump() + ".png");
    EXPECT_EQ(json.at("path"), names.back());
    EXPECT_TRUE(fs::exists(folder() / "maps" / fs::path(names.back()).stem() / "words.json"));
  }
  ASSERT_EQ(names.size(), 2u);
  const Pixels kept = read_png(folder() / names[1]);
  const std::string seed = names[1].substr(7, names[1].size() - 11);
  ASSERT_EQ(sd_gen({"-p", "a red circle", "--seed", seed, "--steps", "3", "-o", "again.png"}).exit_code, 0);
  const Pixels again = read_png(folder() / "again.png");
  ASSERT_EQ(again.rgb.size(), kept.rgb.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < kept.rgb.size(); ++i) sum += std::abs(kept.rgb[i] - again.rgb[i]);
  EXPECT_LT(sum / static_cast<double>(kept.rgb.size()), 1.0) << "attention is written out, or is not";
}

}  // namespace
}  // namespace sdgen::cli
