#include "cli/commands/requests.h"

#include <gtest/gtest.h>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

// Stands in for Generator::complete().
Request complete(const Request& request) {
  Request result = request;
  if (request.steps.value_or(1) < 1) throw Error(ErrorKind::kRequest, "steps must be at least 1");
  if (request.sampler.value_or("ddim") != "ddim") throw Error(ErrorKind::kRequest, "unknown sampler");
  if (!result.seed) result.seed = 42;
  return result;
}

TEST(CompleteRequests, WrongFieldsNameTheirColumn) {
  PromptFile file = parse_prompt_text("p.txt", "a\nb --seed 3 --sampler dim\nc --sede 1\n", {});
  try {
    complete_requests(complete, {}, file);
    FAIL() << "no error";
  } catch (const PromptFileError& error) {
    ASSERT_EQ(error.messages().size(), 2u);
    EXPECT_EQ(error.messages()[0], "p.txt:2:12: unknown sampler");
    EXPECT_EQ(error.messages()[1], "p.txt:3:3: unknown flag --sede; did you mean --seed?");
  }
}

TEST(CompleteRequests, CommandLinesOwnMistakeIsReportedOnce) {
  Options options;
  options.job.steps = 0;
  PromptFile file = parse_prompt_text("p.txt", "a\nb\n", options.job);
  EXPECT_EQ(error_of(ErrorKind::kRequest, [&] { complete_requests(complete, options, file); }),
            "steps must be at least 1");
}

TEST(CompleteRequests, LinesMayNameTheSamplerThatTheModelLacks) {
  // A folder whose scheduler we do not have: only a named sampler helps.
  const auto needs_sampler = [](const Request& request) {
    if (!request.sampler)
      throw Error(ErrorKind::kInput, "scheduler X is not supported; name one with --sampler");
    return complete(request);
  };
  PromptFile named = parse_prompt_text("p.txt", "a --sampler ddim\n", {});
  EXPECT_NO_THROW(complete_requests(needs_sampler, {}, named));
  PromptFile silent = parse_prompt_text("p.txt", "a\n", {});
  EXPECT_EQ(error_of(ErrorKind::kInput, [&] { complete_requests(needs_sampler, {}, silent); }),
            "scheduler X is not supported; name one with --sampler");
}

TEST(CompleteRequests, FillsInPlace) {
  PromptFile file = parse_prompt_text("p.txt", "a\nb --seed 3\n", {});
  complete_requests(complete, {}, file);
  EXPECT_EQ(file.lines[0].job.seed, 42u);
  EXPECT_EQ(file.lines[1].job.seed, 3u);
  EXPECT_EQ(file.lines[1].job.prompt, "b");
}

TEST(ReadRequests, CommandLineIsOneRequest) {
  Options options;
  options.job.prompt = "a --seed 3";
  const PromptFile file = read_requests(options);
  ASSERT_EQ(file.lines.size(), 1u);
  EXPECT_EQ(file.lines[0].job.prompt, "a --seed 3");
  EXPECT_EQ(file.lines[0].line, 0u);
}

}  // namespace
}  // namespace sdgen::cli
