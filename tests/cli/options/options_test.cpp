#include "cli/options/options.h"

#include <gtest/gtest.h>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

using Words = std::vector<std::string>;

std::string refusal(const Words& words) {
  return error_of(ErrorKind::kRequest, [&] { parse_options(words); });
}

TEST(ParseOptions, ReadsARequest) {
  const Options options = parse_options({"-p",
                                         "a cat",
                                         "-n",
                                         "dark",
                                         "--steps",
                                         "20",
                                         "--cfg-scale=3.5",
                                         "--sampler",
                                         "ddim",
                                         "--eta",
                                         "0.5",
                                         "--seed",
                                         "18446744073709551615",
                                         "--width",
                                         "64",
                                         "--height",
                                         "72",
                                         "-c",
                                         "3",
                                         "-o",
                                         "x.png"});
  EXPECT_EQ(options.command, Command::kGenerate);
  EXPECT_TRUE(options.has_prompt);
  EXPECT_EQ(options.job.prompt, "a cat");
  EXPECT_EQ(options.job.negative_prompt, "dark");
  EXPECT_EQ(options.job.steps, 20);
  EXPECT_EQ(options.job.guidance_scale, 3.5);
  EXPECT_EQ(options.job.sampler, "ddim");
  EXPECT_EQ(options.job.eta, 0.5);
  EXPECT_EQ(options.job.seed, 18446744073709551615u);
  EXPECT_EQ(options.job.width, 64);
  EXPECT_EQ(options.job.height, 72);
  EXPECT_EQ(options.job.count, 3);
  EXPECT_EQ(options.job.output, "x.png");
}

TEST(ParseOptions, RepeatedControlFlagsAddUp) {
  const Options options =
      parse_options({"-p", "x", "--controlnet", "edges", "--controlnet", "my pose", "--control-image",
                     "a.png", "--control-image", "b.jpg", "--control-scale", "0.5", "--control-scale=1;2"});
  EXPECT_EQ(options.controlnets, (Words{"edges", "my pose"}));
  EXPECT_EQ(options.job.control_image, (Words{"a.png", "b.jpg"}));
  EXPECT_EQ(options.job.control_scale, (std::vector<double>{0.5, 1, 2}));
  EXPECT_TRUE(options.job.control_start.empty());
  EXPECT_TRUE(contains(refusal({"-p", "x", "--control-end", "late"}), "--control-end: expected a number"));
}

TEST(ParseOptions, LeavesTheRestToTheModel) {
  const Options options = parse_options({"generate", "--prompt", "x"});
  EXPECT_FALSE(options.job.steps);
  EXPECT_FALSE(options.job.seed);
  EXPECT_EQ(options.job.count, 1);
  EXPECT_EQ(options.batch_size, 1);
  EXPECT_EQ(options.compute.device, Device::kAuto);
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
}

TEST(ParseOptions, ReadsMachineAndMessages) {
  const Options options = parse_options({"-p",
                                         "x",
                                         "-m",
                                         "dir",
                                         "--device",
                                         "cuda:1",
                                         "--dtype",
                                         "bfloat16",
                                         "--threads",
                                         "3",
                                         "--vae-tiling",
                                         "off",
                                         "--batch-size",
                                         "4",
                                         "--overwrite",
                                         "--json",
                                         "--log-level",
                                         "trace",
                                         "--low-memory",
                                         "--memory-limit",
                                         "2.5",
                                         "--ranker",
                                         "clip",
                                         "--best-of",
                                         "3"});
  EXPECT_EQ(options.model, "dir");
  EXPECT_EQ(options.compute.device, Device::kCuda);
  EXPECT_EQ(options.compute.device_index, 1);
  EXPECT_EQ(options.compute.dtype, DType::kBFloat16);
  EXPECT_EQ(options.compute.threads, 3);
  EXPECT_EQ(options.compute.vae_tiling, VaeTiling::kOff);
  EXPECT_TRUE(options.compute.low_memory);
  EXPECT_EQ(options.compute.memory_limit, 2.5);
  EXPECT_EQ(options.ranker, "clip");
  EXPECT_EQ(options.job.best_of, 3);
  EXPECT_EQ(options.batch_size, 4);
  EXPECT_TRUE(options.overwrite);
  EXPECT_TRUE(options.json);
  EXPECT_EQ(options.log_level, LogLevel::kTrace);
  EXPECT_EQ(parse_options({"-p", "x", "--quiet"}).log_level, LogLevel::kError);
  EXPECT_EQ(parse_options({"-p", "x", "--verbose"}).log_level, LogLevel::kDebug);
  EXPECT_EQ(parse_options({"-p", "x", "--log-level", "off"}).log_level, LogLevel::kOff);
}

TEST(ParseOptions, PromptsAreTakenAsTheyAre) {
  for (const std::string prompt : {"[a, b]", "a,b", "--steps", "'q'", "", "a = b", "x;y", "#1"})
    EXPECT_EQ(parse_options({"--prompt", prompt}).job.prompt, prompt);
  EXPECT_EQ(parse_options({"--prompt", "x", "--negative-prompt=", "--seed", "3"}).job.negative_prompt, "");
}

TEST(ParseOptions, DashReadsStandardInput) {
  const Options options = parse_options({"-p", "-"});
  EXPECT_EQ(options.prompt_file, "-");
  EXPECT_FALSE(options.has_prompt);
}

TEST(ParseOptions, BenchTakesGeneratesFlags) {
  const Options options =
      parse_options({"bench", "--steps", "4", "--repetitions", "7", "--warmup", "0", "--json"});
  EXPECT_EQ(options.command, Command::kBench);
  EXPECT_EQ(options.job.steps, 4);
  EXPECT_EQ(options.repetitions, 7);
  EXPECT_EQ(options.warmup, 0);
  EXPECT_FALSE(options.has_prompt);
  EXPECT_TRUE(contains(refusal({"-p", "x", "--repetitions", "3"}), "unknown flag --repetitions"));
}

TEST(ParseOptions, UnknownFlagOffersTheNearest) {
  EXPECT_EQ(refusal({"-p", "x", "--stepz", "3"}), "unknown flag --stepz; did you mean --steps?");
  EXPECT_EQ(refusal({"--negative_prompt=x"}),
            "unknown flag --negative_prompt; did you mean --negative-prompt?");
  EXPECT_TRUE(contains(refusal({"--zzzzzz"}), "see sd-gen --help"));
  refusal({"-p", "x", "-z"});
}

TEST(ParseOptions, LeftoverWordsSuggestQuotes) {
  EXPECT_TRUE(contains(refusal({"a", "red", "cat"}), "unexpected word 'a'"));
  EXPECT_TRUE(contains(refusal({"--prompt", "a", "red", "cat"}), "quotes"));
  EXPECT_TRUE(contains(refusal({"--steps", "3", "bench"}), "the command comes first"));
}

TEST(ParseOptions, NothingToDrawSaysWhatToType) {
  EXPECT_TRUE(contains(refusal({}), "--prompt \""));
  refusal({"--seed", "3"});
}

TEST(ParseOptions, WrongValuesNameTheirFlag) {
  EXPECT_TRUE(contains(refusal({"-p", "x", "--steps", "abc"}), "--steps: expected a whole number"));
  EXPECT_TRUE(contains(refusal({"-p", "x", "--steps"}), "--steps needs a value"));
  EXPECT_TRUE(
      contains(refusal({"-p", "x", "--device", "cdua"}), "--device: unknown 'cdua'; did you mean cuda?"));
  EXPECT_TRUE(contains(refusal({"-p", "x", "--dtype", "fp8"}), "known: auto, float32, bfloat16, float16"));
  EXPECT_TRUE(contains(refusal({"-p", "x", "--vae-tiling", "yes"}), "known: auto, on, off"));
  refusal({"-p", "x", "--device", "cuda:x"});
  refusal({"-p", "x", "--device", "cuda:-1"});
  refusal({"-p", "x", "--device", "cpu:1"});
  refusal({"-p", "x", "--threads", "-1"});
  refusal({"-p", "x", "--batch-size", "0"});
  refusal({"-p", "x", "--log-level", "loud"});
  refusal({"-p", "x", "--json=maybe"});
  refusal({"-p", "x", "-o", "{sede}.png"});
  refusal({"bench", "--repetitions", "0"});
}

TEST(ParseOptions, ContradictionsAreRefused) {
  EXPECT_TRUE(contains(refusal({"-p", "x", "--prompt-file", "f"}), "exclude each other"));
  EXPECT_TRUE(contains(refusal({"-p", "x", "--quiet", "--verbose"}), "exclude each other"));
  EXPECT_TRUE(contains(refusal({"-p", "x", "-p", "y"}), "--prompt is given 2 times"));
}

TEST(ParseOptions, LastOfARepeatedFlagCounts) {
  EXPECT_EQ(parse_options({"-p", "x", "--steps", "3", "--steps", "4"}).job.steps, 4);
}

TEST(ParseOptions, FlagsWinOverTheConfigFile) {
  const ScratchFolder folder;
  folder.write(
      "c.toml",
      "steps = 5\nseed = 18446744073709551615\nprompt = \"a #1 cat\"\njson = true\ndevice = 'cpu'\n");
  const Options options = parse_options({"--config", "c.toml", "--steps", "9"});
  EXPECT_EQ(options.job.steps, 9);
  EXPECT_EQ(options.job.seed, 18446744073709551615u);
  EXPECT_EQ(options.job.prompt, "a #1 cat");
  EXPECT_TRUE(options.json);
  EXPECT_EQ(options.compute.device, Device::kCpu);
  EXPECT_FALSE(parse_options({"--config", "c.toml", "--json=false"}).json);
}

TEST(ParseOptions, PromptFileFlagWinsOverTheConfigsPrompt) {
  const ScratchFolder folder;
  folder.write("c.toml", "prompt = \"a\"\n");
  const Options options = parse_options({"--config", "c.toml", "--prompt-file", "f.txt"});
  EXPECT_FALSE(options.has_prompt);
  EXPECT_EQ(options.prompt_file, "f.txt");
  folder.write("d.toml", "prompt-file = \"f.txt\"\n");
  EXPECT_EQ(parse_options({"--config", "d.toml", "-p", "x"}).prompt_file, "");
}

TEST(ParseOptions, ConfigMistakesNameFileAndLine) {
  const ScratchFolder folder;
  folder.write("c.toml", "\nstepz = 5\n");
  EXPECT_EQ(refusal({"-p", "x", "--config", "c.toml"}), "c.toml:2: unknown key stepz; did you mean steps?");
  folder.write("d.toml", "steps = \"many\"\n");
  EXPECT_TRUE(
      contains(refusal({"-p", "x", "--config", "d.toml"}), "d.toml:1: steps: expected a whole number"));
  EXPECT_TRUE(contains(error_of(ErrorKind::kInput,
                                [] {
                                  parse_options({"-p", "x", "--config", "none.toml"});
                                }),
                       "none.toml"));
}

TEST(ParseOptions, HelpNamesEveryFlagOnce) {
  const std::string help = parse_options({"--help"}).message;
  for (const RequestField& field : request_fields())
    EXPECT_TRUE(contains(help, "--" + std::string(field.name)));
  for (const char* flag :
       {"--model", "--device", "--prompt-file", "--batch-size", "--config", "--version", "{index}"})
    EXPECT_TRUE(contains(help, flag)) << flag;
  EXPECT_FALSE(contains(help, "--repetitions"));
  EXPECT_TRUE(contains(parse_options({"bench", "--help"}).message, "--repetitions"));
}

TEST(ParseOptions, HelpFitsATerminal) {
  const std::string help = parse_options({"--help"}).message;
  std::size_t begin = 0;
  for (std::size_t end; (end = help.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 120u) << help.substr(begin, end - begin);
}

TEST(ParseOptions, VersionIsACommand) {
  EXPECT_EQ(parse_options({"--version"}).command, Command::kVersion);
}

}  // namespace
}  // namespace sdgen::cli
