// What must fail well: one line, the documented exit code, no partial file.
#include <sys/mount.h>
#include <sys/stat.h>

#include "cli/binary.h"

namespace sdgen::cli {
namespace {

class BinaryErrors : public Binary {};

TEST_F(BinaryErrors, OneBadLineAmongAThousandIsFoundBeforeTheFirstStep) {
  std::string prompts;
  for (int i = 1; i <= 1000; ++i) prompts += i == 617 ? "a cat --stepz 3\n" : "a cat\n";
  testing::write_bytes(folder() / "_p.txt", prompts);
  expect_one_line_error(draw({"--prompt-file", "_p.txt", "-o", "out/"}), 2, "_p.txt:617:7: ");
}

TEST_F(BinaryErrors, WrongRequestsExitWithTwo) {
  expect_one_line_error(sd_gen({"-p", "x", "-m", kModel, "--width", "100"}), 2, "width 100");
  expect_one_line_error(sd_gen({"-p", "x", "-m", kModel, "--steps", "0"}), 2, "steps");
  expect_one_line_error(draw({"-p", "x", "--sampler", "dim"}), 2, "did you mean ddim?");
  expect_one_line_error(draw({"-p", "x", "--stepps", "3"}), 2, "--steps");
  expect_one_line_error(draw({}), 2, "--prompt");
  expect_one_line_error(draw({"-p", "x", "-o", "none/x.png"}), 2, "none");
  expect_one_line_error(draw({"-p", "x", "-o", "{sed}.png"}), 2, "did you mean seed?");
  expect_one_line_error(draw({"-p", "x", "--quantize", "int4"}), 2, "known: none, int8");
}

TEST_F(BinaryErrors, MissingOrDamagedInputExitsWithThree) {
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

TEST_F(BinaryErrors, CudaWithoutSuchAGpuExitsWithOne) {
  expect_one_line_error(draw({"-p", "x", "--device", "cuda:99"}), 1, "--device cuda");
}

TEST_F(BinaryErrors, AnOutputFolderThatCannotBeWrittenIsFoundBeforeTheFirstStep) {
  // /proc takes no files from anybody, root included.
  const ProcessResult result = draw({"-p", "x", "-o", "/proc/x.png", "--verbose"});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_NE(result.err.find("/proc"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("denoise_step"), std::string::npos)
      << "refused before the first step: " << result.err;
}

TEST_F(BinaryErrors, AFullDiskFailsWithoutAPartialFile) {
  fs::create_directory(folder() / "_disk");
  const std::string disk = (folder() / "_disk").string();
  const bool mounted = ::mount("sd-gen-test", disk.c_str(), "tmpfs", 0, "size=4k") == 0;
  ProcessResult result;
  std::vector<std::string> left;
  if (mounted) {
    result = draw({"-p", "x", "-o", disk + "/x.png", "--width", "64", "--height", "64"});
    for (const auto& entry : fs::directory_iterator(disk)) left.push_back(entry.path().filename().string());
    ::umount(disk.c_str());
  } else {  // without the right to mount: a limit on file size fails the same write
    result = testing::run_process({"bash", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh", SDGEN_BINARY,
                                   "-p", "x", "-m", kModel, "--width", "64", "--height", "64", "--steps", "2",
                                   "-o", disk + "/x.png"});
  }
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_NE(result.err.find("x.png"), std::string::npos) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(left, std::vector<std::string>{}) << "no partial file while the disk was there";
  EXPECT_TRUE(fs::is_empty(disk));
}

TEST_F(BinaryErrors, AWriteCutShortLeavesNothingBehind) {
  fs::create_directory(folder() / "_disk");
  const ProcessResult result = testing::run_process(
      {"bash", "-c", "ulimit -f 1; exec \"$@\"", "sh", SDGEN_BINARY, "-p", "x", "-m", kModel, "--width", "64",
       "--height", "64", "--steps", "2", "-o", (folder() / "_disk/x.png").string()});
  expect_one_line_error(result, 1, "ulimit -f");
  EXPECT_TRUE(fs::is_empty(folder() / "_disk"));
}

TEST_F(BinaryErrors, ResultsThatCannotBePrintedAreAnError) {
  for (const char* const flag : {"--help", "--version"}) {
    SCOPED_TRACE(flag);
    expect_one_line_error(
        testing::run_process({"bash", "-c", "exec \"$@\" >/dev/full", "sh", SDGEN_BINARY, flag}), 1,
        "standard output cannot be written");
  }
}

// Sends a signal once the first of many pictures is there: SIGHUP as a terminal does that is closed.
ProcessResult hung_up(const std::string& before, const fs::path& out, const std::string& signal = "HUP") {
  const std::string script = before + R"sh("$@" & p=$!
while ! ls "$OUT"/*.png >/dev/null 2>&1 && kill -0 $p; do sleep 0.05; done
kill -$SIGNAL $p; wait $p)sh";
  return testing::run_process(
      {"bash", "-c", script, "sh", SDGEN_BINARY, "-p", "x", "-m", kModel, "--width", "32", "--height", "32",
       "--steps", "4", "--count", "60", "-o", out.string() + "/"},
      {.environment = {"OUT=" + out.string(), "SIGNAL=" + signal}});
}

TEST_F(BinaryErrors, AClosedTerminalEndsTheRunAfterItsStep) {
  const ProcessResult result = hung_up("", folder() / "_hung");
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_NE(result.err.find("interrupted: "), std::string::npos) << result.err;
}

struct IgnoredSignal : Binary, ::testing::WithParamInterface<std::string> {};

TEST_P(IgnoredSignal, StaysIgnored) {
  const ProcessResult result = hung_up("trap '' " + GetParam() + "; ", folder() / "_on", GetParam());
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

INSTANTIATE_TEST_SUITE_P(BinaryErrors, IgnoredSignal, ::testing::Values("HUP", "INT", "TERM"));

TEST_F(BinaryErrors, AWorkingFolderThatWasRemovedIsToldInOneLine) {
  const ProcessResult result = testing::run_process(
      {"bash", "-c", "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"", "sh", SDGEN_BINARY, "-p", "x"},
      {.folder = folder().string()});
  expect_one_line_error(result, 1,
                        "the working folder: No such file or directory; change to a folder that is there");
}

TEST_F(BinaryErrors, ALatentThatTurnsNonFiniteNamesStageAndStep) {
  edit_json(copied_model() / "scheduler/scheduler_config.json", {{"_class_name", "DDIMScheduler"},
                                                                 {"beta_schedule", "linear"},
                                                                 {"beta_end", 1.0},
                                                                 {"timestep_spacing", "trailing"}});
  const ProcessResult result =
      draw({"-p", "x", "--seed", "5", "-m", (folder() / "_model").string(), "--quiet"});
  expect_one_line_error(result, 1, "not finite after step 1 of 2 (unet");
}

TEST_F(BinaryErrors, APictureThatTurnsNonFiniteNamesTheDecoder) {
  edit_json(copied_model() / "vae/config.json", {{"scaling_factor", 1e-37}});
  const ProcessResult result =
      draw({"-p", "x", "--seed", "5", "-m", (folder() / "_model").string(), "--quiet"});
  expect_one_line_error(result, 1, "not finite after decoding (vae");
}

TEST_F(BinaryErrors, ABatchWithSomeFailuresKeepsTheRestAndExitsWithFour) {
  std::vector<double> betas(1000, 0.001);
  betas.back() = 1.0;  // only timestep 999 has no signal at all
  edit_json(copied_model() / "scheduler/scheduler_config.json",
            {{"_class_name", "DDIMScheduler"}, {"trained_betas", betas}, {"timestep_spacing", "leading"}});
  testing::write_bytes(folder() / "_p.txt", "good --seed 1\nbad --seed 2 --steps 999\ngood --seed 3\n");
  const ProcessResult result =
      draw({"--prompt-file", "_p.txt", "-m", (folder() / "_model").string(), "-o", "{seed}.png"});
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_EQ(files(), (std::vector<std::string>{"1.png", "3.png"}));
  EXPECT_NE(result.err.find("not finite after step 1 of 999"), std::string::npos) << result.err;
}

TEST_F(BinaryErrors, WhatIsNoFileIsNotWaitedFor) {
  fs::create_directory(folder() / "_f");
  ASSERT_EQ(::mkfifo((folder() / "_f/pipe").c_str(), 0600), 0);
  expect_one_line_error(sd_gen({"inspect", "_f/pipe"}), 3, "_f/pipe: is not a file");
  expect_one_line_error(sd_gen({"convert", "_f/pipe", "x.safetensors"}), 3, "_f/pipe: is not a file");
  expect_one_line_error(draw({"-p", "x", "--init-image", "_f/pipe"}), 3, "_f/pipe: is not a file");
  expect_one_line_error(draw({"-p", "x", "--edit-from", "_f/pipe"}), 3, "_f/pipe: is not a file");
  expect_one_line_error(draw({"-p", "x", "--lora", "_f/pipe"}), 3, "_f/pipe: is not a file");
  expect_one_line_error(draw({"-p", "x", "--config", "/dev/zero"}), 3,
                        "/dev/zero has more than 1048576 bytes");
}

TEST_F(BinaryErrors, AFolderAsStandardInputIsNoEmptyPromptFile) {
  ProcessResult result =
      testing::run_process({"bash", "-c", "\"$0\" -p - < /", SDGEN_BINARY}, {.folder = folder().string()});
  expect_one_line_error(result, 3, "standard input is a folder");
}

TEST_F(BinaryErrors, RequestsOfManyGigabytesAreRefused) {
  expect_one_line_error(draw({"-p", "x", "--steps", "10001"}), 2, "steps 10001: expected 1 to 10000");
  testing::write_bytes(folder() / "_p.txt", std::string(100'001, 'x'));
  expect_one_line_error(draw({"--prompt-file", "_p.txt", "-o", "out/"}), 2,
                        "prompt: 100001 bytes; expected at most 100000");
}

}  // namespace
}  // namespace sdgen::cli
