// What the built binary writes beside its pictures: attention maps, reports, previews, sheets, sweeps, edits.
#include <gmock/gmock.h>

#include "cli/binary.h"

namespace sdgen::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(Binary, WritesAMapAWordAPanelAndTheNumbers) {
  const ProcessResult result =
      draw({"-p", "a red, Red cat", "-o", "cat.png", "--attention-maps", "maps/of/cat", "--seed", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "cat.png\n");
  EXPECT_THAT(
      names_in(folder() / "maps/of/cat"),
      ElementsAre("00-a.png", "01-red.png", "02-punctuation.png", "03-Red.png", "04-cat.png", "05-end.png",
                  "06-padding.png", "attention.safetensors", "panel.png", "words.json"));
  const Json words = Json::parse(read_text(folder() / "maps/of/cat/words.json"));
  EXPECT_EQ(words["prompt"], "a red, Red cat");
  EXPECT_EQ(words["words"][3]["text"], "Red");
  EXPECT_EQ(words["words"][3]["kind"], "word");
  EXPECT_EQ(words["words"][3]["begin"], 7);
  EXPECT_EQ(words["words"][3]["file"], "03-Red.png");
  double share = 0;
  for (const Json& word : words["words"]) share += word["share"].get<double>();
  EXPECT_NEAR(share, 1.0, 1e-5);
  const Pixels overlay = read_png(folder() / "maps/of/cat/01-red.png");
  EXPECT_EQ(overlay.width, 32);
  EXPECT_GT(read_png(folder() / "maps/of/cat/panel.png").width, 256);
}

TEST_F(Binary, DetailAddsStepsAFilmAndAnAnimation) {
  const ProcessResult result =
      draw({"-p", "a cat", "-o", "cat.png", "--attention-maps", "maps", "--attention-detail", "--seed", "1",
            "--width", "64", "--sampler", "ddim"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(names_in(folder() / "maps"), IsSupersetOf({"film.png", "panel.png", "steps.png"}));
  EXPECT_THAT(read_text(folder() / "maps/steps.png"), HasSubstr("acTL"));
  const std::string file = read_text(folder() / "maps/attention.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  const Json header = Json::parse(file.substr(8, length));
  EXPECT_EQ(header["token_maps"]["shape"], Json({32, 8, 16}));
  EXPECT_EQ(header["maps_4x8"]["shape"], Json({2, 32, 4, 8}));
  EXPECT_EQ(header["__metadata__"]["prompt"], "a cat");
}

TEST_F(Binary, OverwritingMapsRemovesOnlyTheirOwnFiles) {
  const fs::path maps = folder() / "maps";
  fs::create_directories(maps / "04-folder.png");
  for (const char* name : {"thesis.tex", "01-old.png", "02-my cat.png", "photo.png", "1-x.png"})
    std::ofstream(maps / name) << "x";
  fs::create_symlink("photo.png", maps / "05-link.png");
  std::string deep(100'000, '[');
  deep += std::string(100'000, ']');
  std::ofstream(maps / "words.json")
      << R"({"words":[{"file":"thesis.tex"},{"file":"01-old.png"},{"file":"02-my cat.png"},{"file":"photo.png"},)"
      << R"({"file":"1-x.png"},{"file":"../maps/photo.png"},{"file":"04-folder.png"},{"file":"05-link.png"},)"
      << R"({"file":)" << deep << "}]}";
  const ProcessResult result =
      draw({"-p", "a cat", "--attention-maps", "maps", "-o", "x.png", "--overwrite"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name :
       {"thesis.tex", "02-my cat.png", "photo.png", "1-x.png", "04-folder.png", "05-link.png"})
    EXPECT_TRUE(fs::exists(maps / name)) << name;
  EXPECT_FALSE(fs::exists(maps / "01-old.png")) << "left by an earlier run with other words";
}

TEST_F(Binary, SeveralPicturesHaveAFolderEachAndNothingIsOverwritten) {
  const std::vector<std::string> arguments = {"-p", "a cat", "--count",          "2",   "--seed", "5",
                                              "-o", "out/",  "--attention-maps", "maps"};
  ASSERT_EQ(draw(arguments).exit_code, 0);
  EXPECT_THAT(names_in(folder() / "maps"), ElementsAre("1-5", "2-6"));
  fs::remove_all(folder() / "out");
  const ProcessResult again = draw(arguments);
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("attention.safetensors exists already; use --overwrite"));
  std::vector<std::string> over = arguments;
  over.push_back("--overwrite");
  EXPECT_EQ(draw(over).exit_code, 0);
}

TEST_F(Binary, WithoutTheFlagsThereIsOnlyThePicture) {
  ASSERT_EQ(draw({"-p", "a cat", "-o", "cat.png"}).exit_code, 0);
  EXPECT_THAT(files(), ElementsAre("cat.png"));
}

TEST_F(Binary, ReportIsOnePageThatHoldsEverything) {
  const std::string prompt = "a </script> cat & \"dog\"";
  const ProcessResult result =
      draw({"-p", prompt, "-n", "rain", "-o", "cat.png", "--report", "page", "--seed", "7", "--count", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(names_in(folder() / "page"), ElementsAre("report.html"));
  const std::string page = read_text(folder() / "page/report.html");
  EXPECT_EQ(page.find("__RUN_DATA__"), std::string::npos);
  const std::string open = "<script id=\"run\" type=\"application/json\">";
  const std::size_t begin = page.find(open) + open.size();
  const Json run = Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  ASSERT_EQ(run["pictures"].size(), 2u);
  const Json& picture = run["pictures"][1];
  EXPECT_EQ(picture["prompt"], prompt);
  EXPECT_EQ(picture["negative_prompt"], "rain");
  std::string joined;
  for (const Json& segment : picture["segments"]) joined += segment["text"];
  EXPECT_EQ(joined, prompt);
  EXPECT_THAT(picture["command"].get<std::string>(), HasSubstr("--seed 8"));
  EXPECT_FALSE(picture["words"].empty());
  EXPECT_FALSE(run["stages"].empty());
}

TEST_F(Binary, TheReportsCommandDrawsThePictureAgain) {
  ASSERT_EQ(draw({"-p", "-a cat's \"hat\"", "-o", "cat.png", "--report", "page", "--seed", "7", "--attend",
                  "cat's:1.5", "--sampler", "euler"})
                .exit_code,
            0);
  const std::string page = read_text(folder() / "page/report.html");
  const std::string open = "<script id=\"run\" type=\"application/json\">";
  const std::size_t begin = page.find(open) + open.size();
  const Json run = Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  const std::string command = run["pictures"][0]["command"];
  ASSERT_TRUE(command.starts_with("sd-gen "));
  const ProcessResult again =
      testing::run_process({"/bin/sh", "-c", std::string(SDGEN_BINARY) + command.substr(6) + " -o again.png"},
                           {.folder = folder().string()});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(read_png(folder() / "again.png").rgb, read_png(folder() / "cat.png").rgb);
}

TEST_F(Binary, PreviewsGoToAFileThatGoesWithThePictureOrStays) {
  ASSERT_EQ(draw({"-p", "a cat", "-o", "cat.png", "--preview", "1"}).exit_code, 0);
  EXPECT_THAT(files(), ElementsAre("cat.png"));  // the picture is there: its preview is gone
  ASSERT_EQ(
      draw({"-p", "a cat", "-o", "dog.png", "--preview", "1", "--preview-file", "so-far.png"}).exit_code, 0);
  EXPECT_THAT(files(), ElementsAre("cat.png", "dog.png", "so-far.png"));
  EXPECT_EQ(read_png(folder() / "so-far.png").width, 32);
}

TEST_F(Binary, GridPutsAllPicturesOnOneSheet) {
  const ProcessResult result =
      draw({"-p", "a cat", "--count", "4", "--seed", "1", "-o", "out/", "--grid", "sheet.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_of(result.out).size(), 4u);
  const Pixels sheet = read_png(folder() / "sheet.png");
  EXPECT_GT(sheet.width, 256);
  EXPECT_GT(sheet.height, 256);
  const ProcessResult again = draw({"-p", "a cat", "-o", "b.png", "--grid", "sheet.png"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("sheet.png exists already"));
}

TEST_F(Binary, SweepsDrawEveryCombinationWithOneSeed) {
  const ProcessResult result = draw({"-p", "a cat", "--sweep", "steps=1,2,3", "--sweep",
                                     "guidance-scale=1,7.5", "-o", "out/", "--json", "--grid", "sheet.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::vector<std::string> drawn;
  std::set<std::uint64_t> seeds;
  for (const std::string& line : lines_of(result.out)) {
    const Json json = Json::parse(line);
    drawn.push_back(json["steps"].dump() + " " + json["guidance_scale"].dump());
    seeds.insert(json["seed"].get<std::uint64_t>());
  }
  EXPECT_THAT(drawn, ElementsAre("1 1.0", "1 7.5", "2 1.0", "2 7.5", "3 1.0", "3 7.5"));
  EXPECT_EQ(seeds.size(), 1u);
  EXPECT_THAT(files(), ElementsAre("out", "sheet.png"));
}

TEST_F(Binary, SweepsThatARunCannotDrawAreRefused) {
  expect_one_line_error(draw({"-p", "a cat", "--sweep", "dtype=float32,bfloat16"}), 2,
                        "only sd-gen bench sweeps dtype");
  expect_one_line_error(draw({"-p", "a cat", "--sweep", "steps=1,x"}), 2, "--sweep steps");
  expect_one_line_error(draw({"-p", "a cat", "--sweep", "prompt=a,b"}), 2, "cannot sweep 'prompt'");
  expect_one_line_error(draw({"-p", "a cat", "--sweep", "sampler=ddim,dim"}), 2, "unknown sampler 'dim'");
}

TEST_F(Binary, EditsAPictureOfItsOwn) {
  ASSERT_EQ(draw({"-p", "a red cat", "-n", "rain, dark", "-o", "red.png", "--seed", "9", "--steps", "3",
                  "--guidance-scale", "4", "--sampler", "euler"})
                .exit_code,
            0);
  const ProcessResult result =
      sd_gen({"--model", kModel, "-p", "a green cat", "--edit-from", "red.png", "-o", "green.png", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["seed"], 9);
  EXPECT_EQ(json["steps"], 3);
  EXPECT_EQ(json["sampler"], "euler");
  EXPECT_EQ(json["guidance_scale"], 4.0);
  EXPECT_EQ(json["negative_prompt"], "rain, dark");
  EXPECT_EQ(json["width"], 32);
  EXPECT_THAT(read_text(folder() / "green.png"), HasSubstr("Edit from: a red cat"));
}

// Prompts with words dropped, added, replaced and in another order, on the models that come with the program.
class EditedPrompts : public Binary,
                      public ::testing::WithParamInterface<std::tuple<std::string, std::string>> {};

TEST_P(EditedPrompts, AreDrawn) {
  const auto& [model, prompt] = GetParam();
  const std::vector<std::string> common = {"--model", model, "--steps", "4", "--quiet", "--overwrite"};
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), common.begin(), common.end());
    return sd_gen(arguments);
  };
  ASSERT_EQ(
      run({"-p", "a blue tulip to the left of an orange truck", "--seed", "1", "-o", "a.png"}).exit_code, 0);
  const ProcessResult edited = run({"-p", prompt, "--edit-from", "a.png", "-o", "b.png"});
  EXPECT_EQ(edited.exit_code, 0) << edited.err;
  EXPECT_TRUE(fs::exists(folder() / "b.png"));
}

INSTANTIATE_TEST_SUITE_P(BuiltIn, EditedPrompts,
                         ::testing::Combine(::testing::Values<std::string>("pictograms", "pictograms-fast"),
                                            ::testing::Values<std::string>(
                                                "a blue tulip", "two blue tulips",
                                                "a tulip to the left of a truck",
                                                "an orange truck to the left of a blue tulip",
                                                "a blue tulip to the left of an orange house",
                                                "a red tulip to the left of an orange truck above a cat")));

TEST_F(Binary, AnEditsOwnFlagsWinEmptyOnesToo) {
  ASSERT_EQ(
      draw({"-p", "a red cat", "-n", "rain", "-o", "red.png", "--sampler", "ddim", "--eta", "0.5"}).exit_code,
      0);
  const auto edited = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {"--model", kModel, "-p",      "a cat",       "--edit-from",
                                          "red.png", "-o",   "cat.png", "--overwrite", "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return Json::parse(sd_gen(arguments).out);
  };
  EXPECT_EQ(edited({})["negative_prompt"], "rain");
  EXPECT_THAT(read_text(folder() / "cat.png"), HasSubstr("Eta: 0.5"));
  EXPECT_EQ(edited({"-n", "", "--eta", "0", "--steps", "3"})["negative_prompt"], "");
  EXPECT_THAT(read_text(folder() / "cat.png"), ::testing::Not(HasSubstr("Eta:")));
  EXPECT_EQ(edited({"--steps", "3"})["steps"], 3);
}

TEST_F(Binary, WhatCannotBeEditedIsRefused) {
  expect_one_line_error(draw({"-p", "a cat", "--edit-from", "none.png"}), 3, "none.png");
  fs::create_directory(folder() / "_plain");
  // A PNG that tells nothing of its prompt.
  ASSERT_EQ(draw({"-p", "a cat", "-o", "_plain/cat.png", "--attention-maps", "_plain/maps"}).exit_code, 0);
  expect_one_line_error(draw({"-p", "a cat", "--edit-from", "_plain/maps/panel.png"}), 3,
                        "tells no prompt and seed");
}

TEST_F(Binary, WordsThatThePromptLacksAreRefused) {
  expect_one_line_error(draw({"-p", "a cat", "--attend", "dog:2"}), 2,
                        "the prompt has no 'dog'; its words: a, cat");
  expect_one_line_error(draw({"-p", "a cat", "--attend", "cat"}), 2, "WORD:WEIGHT");
  expect_one_line_error(draw({"-p", "a cat", "--focus", "cat=0,0,1"}), 2, "WORD=x0,y0,x1,y1");
  expect_one_line_error(draw({"-p", "a cat", "--attention-detail"}), 2, "--attention-maps DIR");
}

TEST_F(Binary, PromptFileLinesSteerTheirOwnWords) {
  std::ofstream(folder() / "_prompts.txt") << "a cat --attend cat:2 --focus \"cat=0,0,0.5,1\" --seed 1\n";
  ASSERT_EQ(draw({"--prompt-file", "_prompts.txt", "-o", "text.png"}).exit_code, 0);
  std::ofstream(folder() / "_prompts.jsonl")
      << R"({"prompt": "a cat", "attend": ["cat:2"], "focus": "cat=0,0,0.5,1", "seed": 1})" << '\n';
  const ProcessResult result = draw({"--prompt-file", "_prompts.jsonl", "-o", "json.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_png(folder() / "text.png").rgb, read_png(folder() / "json.png").rgb);
  EXPECT_THAT(read_text(folder() / "text.png"), HasSubstr("Attend: \"cat:2\""));
}

TEST_F(Binary, MapsThatCannotBeWrittenFailTheRunAfterThePicture) {
  const ProcessResult result =
      draw({"-p", "a cat", "-o", "cat.png", "--attention-maps", "/proc/nothing/maps"});
  expect_one_line_error(result, 2, "/proc");
}

TEST_F(Binary, StepsAreAnimatedAtSizesWhosePreviewsAreSmaller) {
  ASSERT_EQ(draw({"-p", "a cat", "-o", "cat.png", "--attention-maps", "maps", "--attention-detail", "--width",
                  "320", "--height", "160"})
                .exit_code,
            0);
  EXPECT_THAT(names_in(folder() / "maps"), IsSupersetOf({"steps.png"}));
}

TEST_F(Binary, PreviewsAreNoReasonToLoseAFile) {
  std::ofstream(folder() / "cat-preview.png") << "mine";
  std::ofstream(folder() / "mine.png") << "mine";
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--preview", "1"}, {"--preview", "1", "--preview-file", "mine.png"}}) {
    std::vector<std::string> arguments = {"-p", "a cat", "-o", "cat.png"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const ProcessResult result = draw(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("exists already"));
  }
  EXPECT_EQ(read_text(folder() / "cat-preview.png"), "mine");
  EXPECT_THAT(files(), ElementsAre("cat-preview.png", "mine.png"));
  EXPECT_THAT(draw({"-p", "a cat", "-o", "a.png", "--preview", "1", "--preview-file", "a.png"}).err,
              HasSubstr("one of the pictures has that name"));
  EXPECT_THAT(draw({"-p", "a cat", "-o", "a.png", "--preview-file", "b.png"}).err,
              HasSubstr("goes with --preview N"));
}

TEST_F(Binary, ASheetMayNotReplaceAPictureAndMakesItsFolder) {
  expect_one_line_error(draw({"-p", "a cat", "-o", "a.png", "--grid", "./a.png", "--overwrite"}), 2,
                        "one of the pictures has that name");
  ASSERT_EQ(draw({"-p", "a cat", "-o", "a.png", "--grid", "new/sheets/a.png"}).exit_code, 0);
  EXPECT_GT(read_png(folder() / "new/sheets/a.png").width, 64);
  EXPECT_THAT(draw({"-p", "a cat", "-o", "b/", "--count", "100000", "--grid", "s.png"}).err,
              HasSubstr("million"));
  EXPECT_THAT(files(), ElementsAre("a.png", "new"));
}

TEST_F(Binary, ASweptEditKeepsTheSeedOfItsPicture) {
  ASSERT_EQ(draw({"-p", "a red cat", "-o", "red.png", "--seed", "9"}).exit_code, 0);
  const ProcessResult result = sd_gen({"--model", kModel, "-p", "a green cat", "--edit-from", "red.png",
                                       "--sweep", "guidance-scale=1,3", "-o", "out/", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const std::string& line : lines_of(result.out)) EXPECT_EQ(Json::parse(line)["seed"], 9);
  EXPECT_THAT(names_in(folder() / "out"), IsSupersetOf({"sd-gen-sheet-9.png"}));
}

TEST_F(Binary, NewMapsReplaceTheOldOnesWhole) {
  const std::vector<std::string> maps = {"--attention-maps", "maps", "--overwrite", "-o", "a.png"};
  std::vector<std::string> first = {"-p", "a very red cat", "--attention-detail"}, second = {"-p", "a cat"};
  first.insert(first.end(), maps.begin(), maps.end());
  second.insert(second.end(), maps.begin(), maps.end());
  ASSERT_EQ(draw(first).exit_code, 0);
  ASSERT_EQ(draw(second).exit_code, 0);
  EXPECT_THAT(names_in(folder() / "maps"),
              ElementsAre("00-a.png", "01-cat.png", "02-end.png", "03-padding.png", "attention.safetensors",
                          "panel.png", "words.json"));
}

TEST_F(Binary, MapsThatFailLateLeaveThePictureAndFailTheRun) {
  fs::create_directories(folder() / "maps/00-a.png");
  const ProcessResult result = draw({"-p", "a cat", "-o", "cat.png", "--attention-maps", "maps"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "cat.png\n");
  EXPECT_THAT(result.err, HasSubstr("00-a.png"));
}

TEST_F(Binary, APromptFilesLineNamesThePictureItCannotEdit) {
  std::ofstream(folder() / "_p.txt") << "a cat\na dog --edit-from none.png\n";
  const ProcessResult result = draw({"--prompt-file", "_p.txt", "-o", "out/"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("_p.txt:2:"));
  EXPECT_THAT(result.err, HasSubstr("none.png"));
  EXPECT_THAT(files(), ElementsAre());
}

}  // namespace
}  // namespace sdgen::cli
