// The built binary as users meet it: what it draws, prints, writes and returns.
#include "cli/binary.h"

#include <array>
#include <cmath>

namespace sdgen::cli {
namespace {

TEST_F(Binary, DrawsDiffusersPictures) {
  const Json cases = Json::parse(read_text(kGolden / "pictures/pictures.json")).at("cases");
  for (const std::string name :
       {"sd15-batch3", "sd15-unguided", "sd2-exclaim", "variant-default", "variant-emoji", "sd15-ddim"}) {
    SCOPED_TRACE(name);
    const Json expected =
        *std::find_if(cases.begin(), cases.end(), [&](const Json& one) { return one["name"] == name; });
    std::vector<std::string> arguments = {
        "--prompt", expected["prompt"],
        "--model",  (kGolden / "pipelines" / expected["pipeline"].get<std::string>()).string(),
        "--output", name + "/",
        "--dtype",  "float32"};
    for (const char* key : {"steps", "guidance_scale", "seed", "width", "height", "eta", "count"}) {
      std::string flag = std::string("--") + key;
      std::replace(flag.begin(), flag.end(), '_', '-');
      arguments.insert(arguments.end(), {flag, expected[key].dump()});
    }
    if (!expected["negative_prompt"].is_null())
      arguments.insert(arguments.end(), {"--negative-prompt", expected["negative_prompt"]});
    if (!expected["sampler"].is_null()) arguments.insert(arguments.end(), {"--sampler", expected["sampler"]});
    const ProcessResult result = sd_gen(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const std::string reference = golden_bytes(kGolden / "pictures/pictures.safetensors", name);
    std::size_t at = 0, sum = 0;
    for (const std::string& path : lines_of(result.out)) {
      const Pixels pixels = read_png(folder() / path);
      ASSERT_EQ(pixels.width, expected["width"].get<int>()) << path;
      ASSERT_EQ(pixels.height, expected["height"].get<int>());
      for (const unsigned char value : pixels.rgb) {
        const int difference = std::abs(int{value} - int{static_cast<unsigned char>(reference.at(at++))});
        ASSERT_LE(difference, 1) << "at byte " << at;
        sum += static_cast<std::size_t>(difference);
      }
    }
    EXPECT_EQ(at, reference.size());
    EXPECT_LT(static_cast<double>(sum) / static_cast<double>(at), 0.01);
  }
}

// How many of the pixels in columns [begin, end) are near a colour.
int pixels_near(const Pixels& pixels, std::array<int, 3> colour, int begin_column, int end_column) {
  int near = 0;
  for (int y = 0; y < pixels.height; ++y)
    for (int x = begin_column; x < end_column; ++x) {
      int distance = 0;
      for (int c = 0; c < 3; ++c)
        distance = std::max(distance, std::abs(pixels.rgb.at(3 * (y * pixels.width + x) + c) - colour[c]));
      near += distance < 70;
    }
  return near;
}

TEST_F(Binary, EightBitIntegersDrawNearlyTheSamePicture) {
  const std::vector<std::string> same = {
      "-p", "a blue tulip to the left of an orange truck", "--seed", "1", "--dtype", "float32", "-o"};
  const auto drawn = [&](const std::string& name, const std::vector<std::string>& further) {
    std::vector<std::string> arguments = same;
    arguments.push_back(name);
    arguments.insert(arguments.end(), further.begin(), further.end());
    return sd_gen(arguments);
  };
  const ProcessResult int8 = drawn("int8.png", {"--quantize", "int8"});
  const char* const level = std::getenv("SDGEN_CPU_LEVEL");
  const bool is_lowered = level && std::string(level) != "avx512-bf16";
  if (is_lowered || !__builtin_cpu_supports("avx512vnni") || !__builtin_cpu_supports("avx512bf16")) {
    expect_one_line_error(int8, 1, "AVX-512");
    return;
  }
  ASSERT_EQ(int8.exit_code, 0) << int8.err;
  ASSERT_EQ(drawn("full.png", {}).exit_code, 0);
  const Pixels approximate = read_png(folder() / "int8.png"), full = read_png(folder() / "full.png");
  ASSERT_EQ(approximate.rgb.size(), full.rgb.size());
  double squares = 0;
  for (std::size_t i = 0; i < full.rgb.size(); ++i)
    squares += std::pow(static_cast<double>(approximate.rgb[i]) - full.rgb[i], 2);
  const double mean_square = squares / static_cast<double>(full.rgb.size());
  EXPECT_GT(mean_square, 0.0) << "nothing was quantized";
  EXPECT_LT(mean_square, 255.0 * 255.0 / 1e4) << "under 40 dB";
  const PngText text = read_png_text(folder() / "int8.png");
  EXPECT_NE(text[0].second.find("Quantize: int8"), std::string::npos);
}

TEST_F(Binary, AnUnknownLevelOfTheProcessorIsRefused) {
  expect_one_line_error(draw({"-p", "a cat"}, {.environment = {"SDGEN_CPU_LEVEL=avx3"}}), 2,
                        "SDGEN_CPU_LEVEL: unknown level 'avx3'; did you mean avx2?");
}

TEST_F(Binary, LittleMemoryDrawsTheSamePictureAndTellsItsPlan) {
  const auto drawn = [&](const std::string& name, const std::vector<std::string>& further) {
    std::vector<std::string> arguments = {"-p", "a red circle", "--seed", "1", "--steps", "3", "-o", name};
    arguments.insert(arguments.end(), further.begin(), further.end());
    return sd_gen(arguments);
  };
  expect_one_line_error(drawn("none.png", {"--memory-limit", "0"}), 2, "memory-limit: must be positive");
  const ProcessResult streamed =
      drawn("streamed.png", {"--low-memory", "--memory-limit", "0.01", "--verbose"});
  ASSERT_EQ(streamed.exit_code, 0) << streamed.err;
  EXPECT_NE(streamed.err.find("more read at every step"), std::string::npos) << streamed.err;
  const ProcessResult whole = drawn("whole.png", {"--verbose"});
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_NE(whole.err.find("plan unet: weights "), std::string::npos) << whole.err;
  EXPECT_EQ(whole.err.find("read at every step"), std::string::npos);
  EXPECT_EQ(read_png(folder() / "streamed.png").rgb, read_png(folder() / "whole.png").rgb);
}

TEST_F(Binary, TheBestOfSeveralIsOneOfThem) {
  expect_one_line_error(sd_gen({"-p", "x", "--best-of", "2", "-o", "none.png", "--model",
                                (kGolden / "pipelines/sd15-tiny").string()}),
                        2, "has no ranker");
  const ProcessResult result =
      sd_gen({"-p", "a red circle", "--seed", "1", "--steps", "2", "--best-of", "3", "--ranker",
              (kGolden / "ranker/clip").string(), "--json", "-o", "best.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_TRUE(json.contains("score"));
  const std::string seed = std::to_string(json["seed"].get<int>());
  ASSERT_EQ(sd_gen({"-p", "a red circle", "--seed", seed, "--steps", "2", "-o", "again.png"}).exit_code, 0);
  EXPECT_EQ(read_png(folder() / "best.png").rgb, read_png(folder() / "again.png").rgb);
}

TEST_F(Binary, TheBuiltInModelDrawsWhatOneAsks) {
  const ProcessResult result =
      sd_gen({"-p", "a red square to the left of a blue circle on a yellow background", "--seed", "1", "-o",
              "x.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Pixels pixels = read_png(folder() / "x.png");
  ASSERT_EQ(pixels.width, 128);
  ASSERT_EQ(pixels.height, 128);
  const std::array<int, 3> red = {222, 30, 36}, blue = {35, 80, 220}, yellow = {250, 220, 40};
  EXPECT_GT(pixels_near(pixels, red, 0, 64), 240);
  EXPECT_LT(pixels_near(pixels, red, 64, 128), 120);
  EXPECT_GT(pixels_near(pixels, blue, 64, 128), 240);
  EXPECT_LT(pixels_near(pixels, blue, 0, 64), 120);
  EXPECT_GT(pixels_near(pixels, yellow, 0, 128), 6000);
}

TEST_F(Binary, TheBuiltInModelTellsWhatItWasNotTaught) {
  const auto draw = [&](const std::string& prompt) {
    return sd_gen({"-p", prompt, "--seed", "1", "--steps", "1", "--overwrite", "-o", "x.png"});
  };
  const ProcessResult strange = draw("two purple lions on a Hill, a lions");
  ASSERT_EQ(strange.exit_code, 0) << strange.err;
  EXPECT_NE(strange.err.find("'two purple lions on a Hill, a lions': pictograms was not taught: lions"),
            std::string::npos)
      << strange.err;
  const ProcessResult known = draw("Two purple CATS to the left of a t-shirt");
  ASSERT_EQ(known.exit_code, 0) << known.err;
  EXPECT_EQ(known.err.find("was not taught"), std::string::npos) << known.err;
}

TEST_F(Binary, WritesTheParametersIntoThePicture) {
  const std::string prompt = "a caf\u00e9, 猫: \"🐱\"";
  const ProcessResult result = draw({"-p", prompt, "-n", "blur", "--seed", "18446744073709551615"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "sd-gen-18446744073709551615.png\n");
  const PngText text = read_png_text(folder() / "sd-gen-18446744073709551615.png");
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(text[0].first, "parameters");
  EXPECT_EQ(text[0].second.find(prompt + "\nNegative prompt: blur\nSteps: 2, Sampler: "), 0u)
      << text[0].second;
  EXPECT_NE(text[0].second.find("Seed: 18446744073709551615, Size: 32x32"), std::string::npos);
}

TEST_F(Binary, JsonHasOneObjectAPictureAndStdoutNothingElse) {
  const ProcessResult result = draw({"-p", "a cat", "--seed", "7", "--count", "2", "--json", "--verbose"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const Json picture = Json::parse(lines[i]);
    std::vector<std::string> keys;
    for (const auto& [key, value] : picture.items()) keys.push_back(key);
    EXPECT_EQ(keys, (std::vector<std::string>{"guidance_scale", "height", "model", "negative_prompt", "path",
                                              "prompt", "sampler", "seconds", "seed", "steps", "width"}));
    EXPECT_EQ(picture["seed"], 7 + i);
    EXPECT_EQ(picture["sampler"], "euler");
    EXPECT_TRUE(fs::exists(folder() / picture["path"].get<std::string>()));
  }
}

TEST_F(Binary, TheSameSeedGivesTheSameFileTwice) {
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", "a.png"}).exit_code, 0);
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", "b.png"}).exit_code, 0);
  EXPECT_EQ(read_text(folder() / "a.png"), read_text(folder() / "b.png"));
}

TEST_F(Binary, ARandomSeedIsPrintedAndRepeatable) {
  const ProcessResult first = draw({"-p", "a cat", "--json"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const Json picture = Json::parse(first.out);
  ASSERT_EQ(draw({"-p", "a cat", "--seed", picture["seed"].dump(), "-o", "again.png"}).exit_code, 0);
  EXPECT_EQ(read_png(folder() / "again.png").rgb,
            read_png(folder() / picture["path"].get<std::string>()).rgb);
}

TEST_F(Binary, NeverOverwritesSilently) {
  testing::write_bytes(folder() / "x.png", "precious");
  const ProcessResult refused = draw({"-p", "a cat", "-o", "x.png"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("--overwrite"), std::string::npos) << refused.err;
  EXPECT_EQ(read_text(folder() / "x.png"), "precious");
  EXPECT_EQ(draw({"-p", "a cat", "-o", "x.png", "--overwrite"}).exit_code, 0);
  EXPECT_EQ(read_png(folder() / "x.png").width, 32);
}

TEST_F(Binary, PromptsFromStandardInputAndFiles) {
  ASSERT_EQ(
      draw({"-p", "-", "--seed", "1", "-o", "in/"}, {.input = "a cat\n\n# no\na dog --seed 9\n"}).exit_code,
      0);
  testing::write_bytes(
      folder() / "_prompts.jsonl",
      "{\"prompt\": \"a cat\", \"seed\": 12345678901234567890}\n{\"prompt\": \"b\", \"width\": 64}\n");
  const ProcessResult result = draw({"--prompt-file", "_prompts.jsonl", "--json", "-o", "out/"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(Json::parse(lines[0])["seed"], 12345678901234567890u);
  EXPECT_EQ(Json::parse(lines[1])["width"], 64);
}

TEST_F(Binary, ABatchPictureEqualsTheOneDrawnAlone) {
  testing::write_bytes(folder() / "_p.txt", "a dog --seed 3\na cat --seed 7\na bird --seed 4\n");
  ASSERT_EQ(draw({"--prompt-file", "_p.txt", "--batch-size", "3", "-o", "batch-{seed}.png", "--threads", "2"})
                .exit_code,
            0);
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", "alone.png", "--threads", "1"}).exit_code, 0);
  const Pixels batch = read_png(folder() / "batch-7.png"), alone = read_png(folder() / "alone.png");
  ASSERT_EQ(batch.rgb.size(), alone.rgb.size());
  for (std::size_t i = 0; i < alone.rgb.size(); ++i)
    ASSERT_LE(std::abs(int{batch.rgb[i]} - int{alone.rgb[i]}), 1);
}

TEST_F(Binary, CtrlCKeepsWhatIsFinished) {
  ProcessOptions options;
  options.interrupt_when = [](const ProcessResult& so_far) { return !so_far.out.empty(); };
  const ProcessResult result =
      draw({"-p", "x", "--seed", "1", "--count", "100000", "-o", "{index}.png"}, options);
  EXPECT_EQ(result.exit_code, 130) << result.err;
  const auto printed = lines_of(result.out);
  EXPECT_GE(printed.size(), 1u);
  EXPECT_EQ(files(), printed) << "every printed picture is there, and nothing else";
  for (const std::string& name : files()) EXPECT_EQ(read_png(folder() / name).width, 32) << name;
}

TEST_F(Binary, QuietPrintsErrorsOnlyAndProgressNeverReachesStdout) {
  const ProcessResult quiet = draw({"-p", "x", "--quiet", "--seed", "1"});
  EXPECT_EQ(quiet.err, "");
  EXPECT_EQ(quiet.out, "sd-gen-1.png\n");
  const ProcessResult normal = draw({"-p", "x", "--seed", "2"});
  EXPECT_NE(normal.err.find('2'), std::string::npos);
  EXPECT_EQ(normal.out, "sd-gen-2.png\n");
}

TEST_F(Binary, WordsThatDoNotFitAreSaid) {
  std::string prompt;
  for (int i = 0; i < 200; ++i) prompt += "word ";
  const ProcessResult result = draw({"-p", prompt + "zebra", "--seed", "1"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("zebra"), std::string::npos) << result.err;
}

TEST_F(Binary, AConfigFileIsReadAndFlagsWin) {
  testing::write_bytes(folder() / "_c.toml", "prompt = \"from a file\"\nseed = 11\ncount = 2\n");
  const ProcessResult result = draw({"--config", "_c.toml", "--count", "1", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  ASSERT_EQ(lines_of(result.out).size(), 1u);
  EXPECT_EQ(Json::parse(result.out)["prompt"], "from a file");
  EXPECT_EQ(Json::parse(result.out)["seed"], 11);
}

TEST_F(Binary, BenchReportsEveryStage) {
  const ProcessResult result = sd_gen({"bench", "-m", kModel, "--width", "32", "--height", "32", "--steps",
                                       "3", "--repetitions", "2", "--warmup", "1", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json bench = Json::parse(result.out);
  for (const char* key : {"model", "device", "dtype", "threads", "width", "height", "batch_size", "stages",
                          "pictures_per_minute", "peak_memory_bytes", "versions"})
    EXPECT_TRUE(bench.contains(key)) << key;
  EXPECT_EQ(bench["stages"]["denoise_step"]["n"], 6);
  ASSERT_EQ(bench["runs"].size(), 2u);
  EXPECT_EQ(bench["runs"][0]["denoise_steps_s"].size(), 3u);
  for (const char* stage : {"load", "text_encode", "denoise_step", "decode", "total"}) {
    const Json& figures = bench["stages"].at(stage);
    EXPECT_GT(figures["min_s"].get<double>(), 0) << stage;
    EXPECT_LE(figures["min_s"], figures["median_s"]);
    EXPECT_LE(figures["median_s"], figures["max_s"]);
  }
  EXPECT_EQ(files(), std::vector<std::string>{});
}

TEST_F(Binary, TheVersionSaysTheLevelOfTheProcessorThatIsUsed) {
  const ProcessResult lowered =
      sd_gen({"--version"}, {.environment = {"SDGEN_CPU_LEVEL=baseline", "ATEN_CPU_CAPABILITY=default"}});
  EXPECT_NE(lowered.out.find("kernels baseline\n"), std::string::npos) << lowered.out;
  EXPECT_NE(lowered.out.find("cpu DEFAULT\n"), std::string::npos) << lowered.out;
}

TEST_F(Binary, VersionAndHelpPrintToStdout) {
  EXPECT_NE(sd_gen({"--version"}).out.find("libtorch"), std::string::npos);
  const ProcessResult help = sd_gen({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* flag : {"--prompt", "--sampler", "--steps", "--guidance-scale", "--json"})
    EXPECT_NE(help.out.find(flag), std::string::npos);
  EXPECT_EQ(help.err, "");
}

}  // namespace
}  // namespace sdgen::cli
