#include "cli/options/output_names.h"

#include <gtest/gtest.h>

#include "cli/cli_errors.h"
#include "cli/options/output_pattern.h"

namespace sdgen::cli {
namespace {

using Names = std::vector<std::string>;

Job job(const std::string& output, int count = 1, std::uint64_t seed = 7) {
  Job job;
  job.prompt = "a red/blue Circle";
  job.seed = seed;
  job.steps = 30;
  job.width = 64;
  job.height = 72;
  job.sampler = "dpm++2m";
  job.guidance_scale = 7.5;
  job.count = count;
  job.output = output;
  return job;
}

Job own(Job job) {
  job.own_output = true;
  return job;
}

Names names_of(const std::vector<Job>& jobs) {
  Names names;
  for (const auto& of_job : output_names(jobs, "pictograms"))
    for (const auto& path : of_job) names.push_back(path.string());
  return names;
}

std::string refusal(const std::vector<Job>& jobs) {
  return error_of(ErrorKind::kRequest, [&] { output_names(jobs, "pictograms"); });
}

TEST(OutputNames, DefaultIsTheSeed) {
  EXPECT_EQ(names_of({job("", 2)}), (Names{"sd-gen-7.png", "sd-gen-8.png"}));
}

TEST(OutputNames, DefaultAddsTheIndexWhereSeedsRepeat) {
  EXPECT_EQ(names_of({job(""), job("")}), (Names{"sd-gen-1-7.png", "sd-gen-2-7.png"}));
}

TEST(OutputNames, SeedsWrapAt64Bits) {
  EXPECT_EQ(names_of({job("", 2, 18446744073709551615u)}),
            (Names{"sd-gen-18446744073709551615.png", "sd-gen-0.png"}));
}

TEST(OutputNames, PatternTakesEveryField) {
  EXPECT_EQ(names_of({job(
                "{index}_{seed}_{prompt}_{width}x{height}_{steps}_{sampler}_{guidance-scale}_{model}.png")}),
            Names{"1_7_a-red-blue-Circle_64x72_30_dpm++2m_7.5_pictograms.png"});
  EXPECT_EQ(names_of({job("{guidance_scale}{{x}}.PNG")}), Names{"7.5{x}.PNG"});
}

TEST(OutputNames, IndexIsPaddedOverTheRun) {
  const Names names = names_of({job("{index}.png", 3), job("{index}.png", 9)});
  ASSERT_EQ(names.size(), 12u);
  EXPECT_EQ(names[0], "01.png");
  EXPECT_EQ(names[11], "12.png");
}

TEST(OutputNames, PlainNameIsNumberedForSeveralPictures) {
  EXPECT_EQ(names_of({job("x.png")}), Names{"x.png"});
  EXPECT_EQ(names_of({job("x.png", 2), job("x.png")}), (Names{"x-1.png", "x-2.png", "x-3.png"}));
  EXPECT_EQ(names_of({job("x.png", 10)}).front(), "x-01.png");
}

TEST(OutputNames, ALinesOwnNameIsNumberedOnItsOwn) {
  EXPECT_EQ(names_of({own(job("a.png", 2)), job("x.png"), own(job("b.png"))}),
            (Names{"a-1.png", "a-2.png", "x.png", "b.png"}));
}

TEST(OutputNames, ClashesWithinTheRunAreRefused) {
  EXPECT_TRUE(contains(refusal({job("{prompt}.png", 2)}), "use {index} or {seed}"));
  EXPECT_TRUE(contains(refusal({own(job("a.png")), own(job("./a.png"))}), "a.png"));
}

TEST(OutputNames, FoldersGetIndexAndSeed) {
  const ScratchFolder folder;
  std::filesystem::create_directory("o{ld");
  EXPECT_EQ(names_of({job("new/", 2)}), (Names{"new/1-7.png", "new/2-8.png"}));
  EXPECT_EQ(names_of({job("o{ld")}), Names{"o{ld/1-7.png"});
  EXPECT_EQ(names_of({job("{model}/")}), Names{"pictograms/1-7.png"});
}

TEST(OutputNames, EndlessRunsAreRefused) {
  EXPECT_TRUE(contains(refusal({job("", 2000000000)}), "2000000000"));
}

TEST(CheckOutput, UnknownFieldOffersTheNearest) {
  EXPECT_TRUE(contains(error_of(ErrorKind::kRequest, [] { check_output("{sede}.png"); }),
                       "unknown field {sede}; did you mean seed?"));
  for (const char* wrong : {"{seed.png", "a}.png", "x.gif", "x.jpg2", "x", ".png", ".webp", "out/.png",
                            "out/.jpg", "--", "{}.png", "{seed}"})
    error_of(ErrorKind::kRequest, [&] { check_output(wrong); });
  for (const char* right : {"", "x.png", "x.PNG", "new/", "a/b/{seed}.png", "{{}}.png"}) check_output(right);
}

TEST(PrepareOutputs, ExistingFilesNeedOverwrite) {
  const ScratchFolder folder;
  folder.write("x.png", "kept");
  EXPECT_TRUE(
      contains(error_of(ErrorKind::kRequest, [] { prepare_outputs({job("x.png")}, {{"x.png"}}, false); }),
               "--overwrite"));
  prepare_outputs({job("x.png")}, {{"x.png"}}, true);
  std::filesystem::create_symlink("nowhere", "link.png");
  error_of(ErrorKind::kRequest, [] { prepare_outputs({job("link.png")}, {{"link.png"}}, false); });
}

TEST(PrepareOutputs, FoldersAreMadeOnlyWithASlash) {
  const ScratchFolder folder;
  prepare_outputs({job("a/b/")}, {{"a/b/1.png"}}, false);
  EXPECT_TRUE(std::filesystem::is_directory("a/b"));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::kRequest, [] { prepare_outputs({job("c/x.png")}, {{"c/x.png"}}, false); }),
               "does not exist"));
}

TEST(PrepareOutputs, NothingIsMadeWhenOnePictureIsRefused) {
  const ScratchFolder folder;
  folder.write("x.png", "");
  error_of(ErrorKind::kRequest, [] {
    prepare_outputs({job("new/"), job("x.png")}, {{"new/1.png"}, {"x.png"}}, false);
  });
  EXPECT_FALSE(std::filesystem::exists("new"));
}

TEST(PrepareOutputs, FilesAreNoFolders) {
  const ScratchFolder folder;
  folder.write("file", "");
  EXPECT_TRUE(contains(
      error_of(ErrorKind::kRequest, [] { prepare_outputs({job("file/")}, {{"file/1.png"}}, false); }),
      "not a folder"));
  error_of(ErrorKind::kRequest, [] { prepare_outputs({job("file/new/")}, {{"file/new/1.png"}}, false); });
  std::filesystem::create_directory("dir.png");
  error_of(ErrorKind::kRequest, [] { prepare_outputs({job("{seed}.png")}, {{"dir.png"}}, true); });
}

TEST(FileNamePart, IsSafeAnywhere) {
  EXPECT_EQ(file_name_part("../../etc/passwd"), "etc-passwd");
  EXPECT_EQ(file_name_part("a  red\tcircle\n"), "a-red-circle");
  EXPECT_EQ(file_name_part("...hidden."), "hidden");
  EXPECT_EQ(file_name_part("-rf *"), "rf");
  EXPECT_EQ(file_name_part("a\x01\u0085z"), "a-z");
  EXPECT_EQ(file_name_part("\u732b \U0001F431"), "\u732b-\U0001F431");
  EXPECT_EQ(file_name_part("a -- b"), "a-b");
  EXPECT_EQ(file_name_part(""), "untitled");
  EXPECT_EQ(file_name_part("//"), "untitled");
}

TEST(FileNamePart, IsCutOnACharactersBorder) {
  std::string cats;
  for (int i = 0; i < 50; ++i) cats += "\u732b";
  EXPECT_EQ(file_name_part(cats).size(), 99u);
  EXPECT_EQ(file_name_part(std::string(300, 'a')).size(), 100u);
}

TEST(OutputNames, OtherFormatsAreNumberedBeforeTheirEnding) {
  EXPECT_EQ(names_of({job("x.webp", 2)}), (Names{"x-1.webp", "x-2.webp"}));
  EXPECT_EQ(names_of({job("x.JPEG", 2)}), (Names{"x-1.JPEG", "x-2.JPEG"}));
  EXPECT_EQ(names_of({job("{seed}.jpg", 2)}), (Names{"7.jpg", "8.jpg"}));
}

TEST(OutputNames, StandardOutputTakesOnePicture) {
  EXPECT_EQ(names_of({job("-")}), Names{"-"});
  EXPECT_NE(refusal({job("-", 2)}).find("takes one picture, this run has 2"), std::string::npos);
  EXPECT_NE(refusal({own(job("-")), own(job("x.png"))}).find("takes one picture"), std::string::npos);
}

TEST(OutputNames, OfTheBestOfSeveralTheSeedThatDrawsItAgainIsTold) {
  Job best = job("", 2, 10);
  best.best_of = 4;
  const auto namings = job_namings({best});
  EXPECT_EQ(name_of(namings[0], best, 0, 12, "m"), "sd-gen-12.png");
  EXPECT_EQ(name_of(namings[0], best, 1, 17, "m"), "sd-gen-17.png");
  Job near = job("", 1, 13);  // which the first may come to
  EXPECT_EQ(names_of({best, near}), (Names{"sd-gen-1-10.png", "sd-gen-2-14.png", "sd-gen-3-13.png"}));
  best.output = near.output = "{seed}.png";
  EXPECT_TRUE(contains(refusal({best, near}), "might be written to 13.png; use {index}"));
}

TEST(OutputNames, NoFileThatTheBestMayBeWrittenToIsThere) {
  const ScratchFolder folder;
  Job best = job("", 1, 10);
  best.best_of = 4;
  EXPECT_NO_THROW(require_candidates_free({best}, job_namings({best}), "m"));
  folder.write("sd-gen-13.png", "mine");
  EXPECT_TRUE(contains(
      error_of(ErrorKind::kRequest, [&] { require_candidates_free({best}, job_namings({best}), "m"); }),
      "sd-gen-13.png exists already"));
}

TEST(OutputNames, ATildeThatTheShellLeftIsTold) {
  const ScratchFolder folder;
  EXPECT_TRUE(contains(refusal({job("~/a.png")}), "~ is no folder here"));
  EXPECT_TRUE(contains(refusal({job("~/a.png")}), "write $HOME/a.png"));
  std::filesystem::create_directory(folder.path() / "~");
  EXPECT_EQ(names_of({job("~/a.png")}), Names{"~/a.png"});
}

}  // namespace
}  // namespace sdgen::cli
