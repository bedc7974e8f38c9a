// The built binary as users meet it: what it draws, prints, writes and returns.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sdgen/image.h"
#include "support/process.h"
#include "support/safetensors_file.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::ProcessOptions;
using testing::ProcessResult;

const fs::path kGolden = SDGEN_GOLDEN_DIR;
const std::string kModel = (kGolden / "pipelines/variant-tiny").string();

std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

struct Pixels {
  int width = 0, height = 0;
  std::vector<unsigned char> rgb;
};

Pixels read_png(const fs::path& path) {
  Pixels pixels;
  int channels = 0;
  unsigned char* const data = stbi_load(path.c_str(), &pixels.width, &pixels.height, &channels, 3);
  if (!data) return pixels;
  EXPECT_EQ(channels, 3);
  pixels.rgb.assign(data, data + 3 * pixels.width * pixels.height);
  stbi_image_free(data);
  return pixels;
}

// One uint8 tensor of a safetensors file, by its own few lines: no code of the library under test.
std::string golden_bytes(const fs::path& path, const std::string& key) {
  const std::string file = read_text(path);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  const Json offsets = Json::parse(file.substr(8, length)).at(key).at("data_offsets");
  return file.substr(8 + length + offsets[0].get<std::size_t>(), offsets[1].get<std::size_t>() - offsets[0].get<std::size_t>());
}

class Binary : public ::testing::Test {
 protected:
  fs::path folder() const { return temporary_.path(); }

  ProcessResult sd_gen(const std::vector<std::string>& arguments, ProcessOptions options = {}) const {
    std::vector<std::string> command = {SDGEN_BINARY};
    command.insert(command.end(), arguments.begin(), arguments.end());
    options.folder = folder().string();
    return testing::run_process(command, options);
  }

  // A small, quick picture; `further` arguments win over the small ones.
  ProcessResult draw(const std::vector<std::string>& further, const ProcessOptions& options = {}) const {
    std::vector<std::string> arguments = {"--model", kModel, "--width", "32", "--height", "32", "--steps", "2"};
    arguments.insert(arguments.end(), further.begin(), further.end());
    return sd_gen(arguments, options);
  }

  // Exactly one line on stderr, naming `part`; nothing on stdout; no file left.
  void expect_one_line_error(const ProcessResult& result, int exit_code, const std::string& part) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(lines_of(result.err).size(), 1u) << result.err;
    EXPECT_NE(result.err.find("sd-gen: error: "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(files(), std::vector<std::string>{});
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder()))
      if (entry.path().filename().string()[0] != '_') names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  // A copy of the small model to spoil; its name is hidden from files().
  fs::path copied_model() const {
    const fs::path copy = folder() / "_model";
    fs::copy(kModel, copy, fs::copy_options::recursive);
    return copy;
  }

  static void edit_json(const fs::path& path, const Json& changes) {
    Json json = Json::parse(read_text(path));
    json.update(changes);
    std::ofstream(path) << json;
  }

  testing::TemporaryFolder temporary_;
};

TEST_F(Binary, DrawsDiffusersPictures) {
  const Json cases = Json::parse(read_text(kGolden / "pictures/pictures.json")).at("cases");
  for (const std::string name : {"sd15-batch3", "sd15-unguided", "sd2-exclaim", "variant-default", "variant-emoji", "sd15-ddim"}) {
    SCOPED_TRACE(name);
    const Json expected = *std::find_if(cases.begin(), cases.end(), [&](const Json& one) { return one["name"] == name; });
    std::vector<std::string> arguments = {"--prompt", expected["prompt"], "--model", (kGolden / "pipelines" / expected["pipeline"].get<std::string>()).string(),
                                          "--output", name + "/"};
    for (const char* key : {"steps", "guidance_scale", "seed", "width", "height", "eta", "count"}) {
      std::string flag = std::string("--") + key;
      std::replace(flag.begin(), flag.end(), '_', '-');
      arguments.insert(arguments.end(), {flag, expected[key].dump()});
    }
    if (!expected["negative_prompt"].is_null()) arguments.insert(arguments.end(), {"--negative-prompt", expected["negative_prompt"]});
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
      for (int c = 0; c < 3; ++c) distance = std::max(distance, std::abs(pixels.rgb.at(3 * (y * pixels.width + x) + c) - colour[c]));
      near += distance < 70;
    }
  return near;
}

TEST_F(Binary, TheBuiltInModelDrawsWhatOneAsks) {
  const ProcessResult result = sd_gen({"-p", "a red square to the left of a blue circle on a yellow background", "--seed", "1", "-o", "x.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Pixels pixels = read_png(folder() / "x.png");
  ASSERT_EQ(pixels.width, 64);
  const std::array<int, 3> red = {222, 30, 36}, blue = {35, 80, 220}, yellow = {250, 220, 40};
  EXPECT_GT(pixels_near(pixels, red, 0, 32), 60);
  EXPECT_LT(pixels_near(pixels, red, 32, 64), 30);
  EXPECT_GT(pixels_near(pixels, blue, 32, 64), 60);
  EXPECT_LT(pixels_near(pixels, blue, 0, 32), 30);
  EXPECT_GT(pixels_near(pixels, yellow, 0, 64), 1500);
}

TEST_F(Binary, WritesTheParametersIntoThePicture) {
  const std::string prompt = "a caf\u00e9, 猫: \"🐱\"";
  const ProcessResult result = draw({"-p", prompt, "-n", "blur", "--seed", "18446744073709551615"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "sd-gen-18446744073709551615.png\n");
  const PngText text = read_png_text(folder() / "sd-gen-18446744073709551615.png");
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(text[0].first, "parameters");
  EXPECT_EQ(text[0].second.find(prompt + "\nNegative prompt: blur\nSteps: 2, Sampler: "), 0u) << text[0].second;
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
    EXPECT_EQ(keys, (std::vector<std::string>{"guidance_scale", "height", "model", "negative_prompt", "path", "prompt", "sampler", "seconds",
                                              "seed", "steps", "width"}));
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
  EXPECT_EQ(read_png(folder() / "again.png").rgb, read_png(folder() / picture["path"].get<std::string>()).rgb);
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
  ASSERT_EQ(draw({"-p", "-", "--seed", "1", "-o", "in/"}, {.input = "a cat\n\n# no\na dog --seed 9\n"}).exit_code, 0);
  testing::write_bytes(folder() / "_prompts.jsonl", "{\"prompt\": \"a cat\", \"seed\": 12345678901234567890}\n{\"prompt\": \"b\", \"width\": 64}\n");
  const ProcessResult result = draw({"--prompt-file", "_prompts.jsonl", "--json", "-o", "out/"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(Json::parse(lines[0])["seed"], 12345678901234567890u);
  EXPECT_EQ(Json::parse(lines[1])["width"], 64);
}

TEST_F(Binary, ABatchPictureEqualsTheOneDrawnAlone) {
  testing::write_bytes(folder() / "_p.txt", "a dog --seed 3\na cat --seed 7\na bird --seed 4\n");
  ASSERT_EQ(draw({"--prompt-file", "_p.txt", "--batch-size", "3", "-o", "batch-{seed}.png", "--threads", "2"}).exit_code, 0);
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", "alone.png", "--threads", "1"}).exit_code, 0);
  const Pixels batch = read_png(folder() / "batch-7.png"), alone = read_png(folder() / "alone.png");
  ASSERT_EQ(batch.rgb.size(), alone.rgb.size());
  for (std::size_t i = 0; i < alone.rgb.size(); ++i) ASSERT_LE(std::abs(int{batch.rgb[i]} - int{alone.rgb[i]}), 1);
}

TEST_F(Binary, OneBadLineAmongAThousandIsFoundBeforeTheFirstStep) {
  std::string prompts;
  for (int i = 1; i <= 1000; ++i) prompts += i == 617 ? "a cat --stepz 3\n" : "a cat\n";
  testing::write_bytes(folder() / "_p.txt", prompts);
  expect_one_line_error(draw({"--prompt-file", "_p.txt", "-o", "out/"}), 2, "_p.txt:617:7: ");
}

TEST_F(Binary, WrongRequestsExitWithTwo) {
  expect_one_line_error(sd_gen({"-p", "x", "-m", kModel, "--width", "100"}), 2, "width 100");
  expect_one_line_error(sd_gen({"-p", "x", "-m", kModel, "--steps", "0"}), 2, "steps");
  expect_one_line_error(draw({"-p", "x", "--sampler", "dim"}), 2, "did you mean ddim?");
  expect_one_line_error(draw({"-p", "x", "--stepps", "3"}), 2, "--steps");
  expect_one_line_error(draw({}), 2, "--prompt");
  expect_one_line_error(draw({"-p", "x", "-o", "none/x.png"}), 2, "none");
  expect_one_line_error(draw({"-p", "x", "-o", "{sed}.png"}), 2, "did you mean seed?");
}

TEST_F(Binary, MissingOrDamagedInputExitsWithThree) {
  expect_one_line_error(draw({"-p", "x", "-m", "nowhere"}), 3, "nowhere");
  expect_one_line_error(draw({"--prompt-file", "gone.txt"}), 3, "gone.txt");
  const fs::path weights = copied_model() / "unet/diffusion_pytorch_model.fp16.safetensors";
  const std::vector<std::string> arguments = {"-p", "x", "-m", (folder() / "_model").string()};
  fs::resize_file(weights, fs::file_size(weights) / 2);
  expect_one_line_error(sd_gen(arguments), 3, weights.filename().string());
  fs::remove(weights);
  expect_one_line_error(sd_gen(arguments), 3, "unet");
  fs::remove_all(folder() / "_model/unet");
  expect_one_line_error(sd_gen(arguments), 3, "unet");
}

TEST_F(Binary, CudaWithoutSuchAGpuExitsWithOne) {
  expect_one_line_error(draw({"-p", "x", "--device", "cuda:99"}), 1, "--device cuda");
}

TEST_F(Binary, AnOutputFolderThatCannotBeWrittenIsFoundBeforeTheFirstStep) {
  // /proc takes no files from anybody, root included.
  const ProcessResult result = draw({"-p", "x", "-o", "/proc/x.png", "--verbose"});
  EXPECT_TRUE(result.exit_code == 2 || result.exit_code == 1) << result.exit_code;
  EXPECT_NE(result.err.find("/proc"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("denoise_step"), std::string::npos) << "refused before the first step: " << result.err;
}

TEST_F(Binary, AFullDiskFailsWithoutAPartialFile) {
  fs::create_directory(folder() / "_disk");
  const std::string disk = (folder() / "_disk").string();
  const bool mounted = ::mount("sd-gen-test", disk.c_str(), "tmpfs", 0, "size=4k") == 0;
  ProcessResult result;
  if (mounted) {
    result = draw({"-p", "x", "-o", disk + "/x.png", "--width", "64", "--height", "64"});
    ::umount(disk.c_str());
  } else {  // without the right to mount: a limit on file size fails the same write
    result = testing::run_process({"bash", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh", SDGEN_BINARY, "-p", "x", "-m", kModel, "--width",
                                   "64", "--height", "64", "--steps", "2", "-o", disk + "/x.png"});
  }
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_NE(result.err.find("x.png"), std::string::npos) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(mounted || fs::is_empty(disk));
}

TEST_F(Binary, AFullDiskLeavesNothingBehind) {
  fs::create_directory(folder() / "_disk");
  const ProcessResult result =
      testing::run_process({"bash", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh", SDGEN_BINARY, "-p", "x", "-m", kModel, "--width", "64",
                            "--height", "64", "--steps", "2", "-o", (folder() / "_disk/x.png").string()});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_TRUE(fs::is_empty(folder() / "_disk"));
}

TEST_F(Binary, ALatentThatTurnsNonFiniteNamesStageAndStep) {
  edit_json(copied_model() / "scheduler/scheduler_config.json",
            {{"_class_name", "DDIMScheduler"}, {"beta_schedule", "linear"}, {"beta_end", 1.0}, {"timestep_spacing", "trailing"}});
  const ProcessResult result = draw({"-p", "x", "--seed", "5", "-m", (folder() / "_model").string(), "--quiet"});
  expect_one_line_error(result, 1, "not finite after step 1 of 2 (unet");
}

TEST_F(Binary, APictureThatTurnsNonFiniteNamesTheDecoder) {
  edit_json(copied_model() / "vae/config.json", {{"scaling_factor", 1e-37}});
  const ProcessResult result = draw({"-p", "x", "--seed", "5", "-m", (folder() / "_model").string(), "--quiet"});
  expect_one_line_error(result, 1, "not finite after decoding (vae");
}

TEST_F(Binary, ABatchWithSomeFailuresKeepsTheRestAndExitsWithFour) {
  std::vector<double> betas(1000, 0.001);
  betas.back() = 1.0;  // only timestep 999 has no signal at all
  edit_json(copied_model() / "scheduler/scheduler_config.json",
            {{"_class_name", "DDIMScheduler"}, {"trained_betas", betas}, {"timestep_spacing", "leading"}});
  testing::write_bytes(folder() / "_p.txt", "good --seed 1\nbad --seed 2 --steps 999\ngood --seed 3\n");
  const ProcessResult result = draw({"--prompt-file", "_p.txt", "-m", (folder() / "_model").string(), "-o", "{seed}.png"});
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_EQ(files(), (std::vector<std::string>{"1.png", "3.png"}));
  EXPECT_NE(result.err.find("not finite after step 1 of 999"), std::string::npos) << result.err;
}

TEST_F(Binary, CtrlCKeepsWhatIsFinished) {
  ProcessOptions options;
  options.interrupt_when = [](const ProcessResult& so_far) { return !so_far.out.empty(); };
  const ProcessResult result = draw({"-p", "x", "--seed", "1", "--count", "100000", "-o", "{index}.png"}, options);
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
  const ProcessResult result = sd_gen({"bench", "-m", kModel, "--width", "32", "--height", "32", "--steps", "3", "--repetitions", "2", "--warmup", "1", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json bench = Json::parse(result.out);
  for (const char* key : {"model", "device", "dtype", "threads", "width", "height", "batch_size", "stages", "pictures_per_minute",
                          "peak_memory_bytes", "versions"})
    EXPECT_TRUE(bench.contains(key)) << key;
  EXPECT_EQ(bench["stages"]["denoise_step"]["n"], 6);
  for (const char* stage : {"load", "text_encode", "denoise_step", "decode", "total"}) {
    const Json& figures = bench["stages"].at(stage);
    EXPECT_GT(figures["min_s"].get<double>(), 0) << stage;
    EXPECT_LE(figures["min_s"], figures["median_s"]);
    EXPECT_LE(figures["median_s"], figures["max_s"]);
  }
  EXPECT_EQ(files(), std::vector<std::string>{});
}

TEST_F(Binary, VersionAndHelpPrintToStdout) {
  EXPECT_NE(sd_gen({"--version"}).out.find("libtorch"), std::string::npos);
  const ProcessResult help = sd_gen({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* flag : {"--prompt", "--sampler", "--steps", "--guidance-scale", "--json"}) EXPECT_NE(help.out.find(flag), std::string::npos);
  EXPECT_EQ(help.err, "");
}

}  // namespace
}  // namespace sdgen::cli
