#include "cli/options/prompt_file.h"

#include <gtest/gtest.h>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

PromptFile text(const std::string& content, const Job& defaults = {}) {
  return parse_prompt_text("p.txt", content, defaults);
}

PromptFile jsonl(const std::string& content, const Job& defaults = {}) {
  return parse_prompt_jsonl("p.jsonl", content, defaults);
}

// The one job of one line.
Job job_of(const PromptFile& file) {
  EXPECT_TRUE(file.errors.empty()) << file.errors.front().message;
  EXPECT_EQ(file.lines.size(), 1u);
  return file.lines.empty() ? Job() : file.lines.front().job;
}

// "LINE:COLUMN: MESSAGE" of the one error.
std::string error_in(const PromptFile& file) {
  EXPECT_EQ(file.errors.size(), 1u);
  if (file.errors.empty()) return {};
  const LineError& error = file.errors.front();
  return std::to_string(error.line) + ":" + std::to_string(error.column) + ": " + error.message;
}

bool begins(const std::string& text, const std::string& beginning) {
  return text.rfind(beginning, 0) == 0;
}

TEST(PromptFile, OnePromptALine) {
  const PromptFile file = text("a cat\na dog\n");
  ASSERT_EQ(file.lines.size(), 2u);
  EXPECT_EQ(file.lines[0].job.prompt, "a cat");
  EXPECT_EQ(file.lines[1].job.prompt, "a dog");
  EXPECT_EQ(file.lines[1].line, 2u);
}

TEST(PromptFile, SkipsCommentsBlankLinesByteOrderMarkAndCarriageReturns) {
  const PromptFile file = text("\xef\xbb\xbf# one\r\n\r\n  # two\r\n \t \r\n  a #1 cat  \r\nlast");
  ASSERT_EQ(file.lines.size(), 2u);
  EXPECT_EQ(file.lines[0].job.prompt, "a #1 cat");
  EXPECT_EQ(file.lines[0].line, 5u);
  EXPECT_EQ(file.lines[1].job.prompt, "last");
}

TEST(PromptFile, LineFlagsAreTyped) {
  const Job job =
      job_of(text("a cat --seed 18446744073709551615 --steps=20 --cfg-scale 3.5 --negative_prompt dark "
                  "--sampler ddpm --eta 1 --width 64 --height 72 --count 2"));
  EXPECT_EQ(job.prompt, "a cat");
  EXPECT_EQ(job.seed, 18446744073709551615u);
  EXPECT_EQ(job.steps, 20);
  EXPECT_EQ(job.guidance_scale, 3.5);
  EXPECT_EQ(job.negative_prompt, "dark");
  EXPECT_EQ(job.sampler, "ddpm");
  EXPECT_EQ(job.eta, 1.0);
  EXPECT_EQ(job.width, 64);
  EXPECT_EQ(job.height, 72);
  EXPECT_EQ(job.count, 2);
  EXPECT_FALSE(job.own_output);
}

TEST(PromptFile, LineFlagsWinOverDefaults) {
  Job defaults;
  defaults.steps = 5;
  defaults.seed = 1;
  const PromptFile file = text("a --steps 9\nb\n", defaults);
  ASSERT_EQ(file.lines.size(), 2u);
  EXPECT_EQ(file.lines[0].job.steps, 9);
  EXPECT_EQ(file.lines[0].job.seed, 1u);
  EXPECT_EQ(file.lines[1].job.steps, 5);
}

TEST(PromptFile, PromptsAreNotShellParsed) {
  for (const std::string prompt :
       {"a cat -- asleep", "it's late", "a \"sign\" \\ here", "well-known two-steps", "x --5 legs", "a--b",
        "the 'quoted'", "-- dashes first", "a -b c", "$HOME `x` *", "old\u2014fashioned \u2014 style",
        "(a:1.2) [b]", "a - b"})
    EXPECT_EQ(job_of(text(prompt + " --seed 7")).prompt, prompt);
}

TEST(PromptFile, QuotesAroundAWholePromptAreNoPartOfIt) {
  EXPECT_EQ(job_of(text("\"an owl\" --seed 8")).prompt, "an owl");
  EXPECT_EQ(job_of(text("'an owl'")).prompt, "an owl");
  EXPECT_EQ(job_of(text("\"a\" and \"b\"")).prompt, "\"a\" and \"b\"");
  EXPECT_EQ(job_of(text("\"an owl")).prompt, "\"an owl");
}

TEST(PromptFile, ALineMayBeginLikeACommandLine) {
  const Job job = job_of(text("  -p \"an owl\" --seed 8"));
  EXPECT_EQ(job.prompt, "an owl");
  EXPECT_EQ(job.seed, 8u);
  EXPECT_EQ(job_of(text("-p owl")).prompt, "owl");
  EXPECT_TRUE(begins(error_in(text("-p an owl --seed 8")), "1:7: 'owl' after the value of -p; put quotes"));
  EXPECT_TRUE(begins(error_in(text("-p --seed 8")), "1:1: -p needs a value"));
  EXPECT_TRUE(begins(error_in(text("-p a --prompt b")), "1:6: --prompt is given twice"));
  EXPECT_EQ(job_of(text("-pale owl")).prompt, "-pale owl");
}

TEST(PromptFile, LinesOfALaterPartKeepTheirNumbers) {
  EXPECT_EQ(parse_prompt_text("p", "a\n\nb --sede 1\n", {}, 7).errors.at(0).line, 9u);
}

TEST(PromptFile, ValuesAreQuotedAsInAShell) {
  const auto negative = [](const std::string& value) {
    return job_of(text("x --negative-prompt " + value + " --seed 1")).negative_prompt;
  };
  EXPECT_EQ(negative("\"a, b\""), "a, b");
  EXPECT_EQ(negative("'a \"b\" \\'"), "a \"b\" \\");
  EXPECT_EQ(negative("\"a \\\"b\\\" \\\\ \\n\""), "a \"b\" \\ \\n");
  EXPECT_EQ(negative("a\\ b"), "a b");
  EXPECT_EQ(negative("\"\""), "");
  EXPECT_EQ(negative("a'b c'd"), "ab cd");
  EXPECT_EQ(negative("\"--seed 3\""), "--seed 3");
  EXPECT_EQ(job_of(text("x --negative-prompt=\"a b\"")).negative_prompt, "a b");
}

TEST(PromptFile, PromptFlagTakesWordsThatLookLikeFlags) {
  EXPECT_EQ(job_of(text("--prompt \"a --seed 3\" --steps 4")).prompt, "a --seed 3");
  EXPECT_EQ(job_of(text("--prompt \"\"")).prompt, "");
  EXPECT_TRUE(begins(error_in(text("a cat --prompt b")), "1:7: --prompt is given twice"));
}

TEST(PromptFile, TypoInFlagNamesLineAndColumn) {
  EXPECT_EQ(error_in(text("ok\na cat --sede 7\n")), "2:7: unknown flag --sede; did you mean --seed?");
  EXPECT_TRUE(begins(error_in(text("a cat --Seed 7")), "1:7: unknown flag --Seed; did you mean --seed?"));
  EXPECT_TRUE(
      begins(error_in(text("a cat --masterpiece")), "1:7: unknown flag --masterpiece; a line takes prompt,"));
}

TEST(PromptFile, ColumnsCountCharacters) {
  EXPECT_TRUE(begins(error_in(text("caf\u00e9 \U0001F600 --sede 7")), "1:8: "));
  EXPECT_TRUE(begins(error_in(text("\t  x --sede 7")), "1:6: "));
}

TEST(PromptFile, FlagsWithWrongDashesAreNoPrompt) {
  EXPECT_TRUE(
      begins(error_in(text("a cat -seed 7")), "1:7: '-seed' is not a flag; write a space and --seed"));
  EXPECT_TRUE(begins(error_in(text("a cat \u2014seed 7")), "1:7: '\u2014seed'"));
  EXPECT_TRUE(begins(error_in(text("a cat \u2013steps=7")), "1:7: "));
  EXPECT_TRUE(begins(error_in(text("a cat ---seed 7")), "1:7: "));
  EXPECT_TRUE(begins(error_in(text("a cat--seed 7")), "1:6: '--seed' is not a flag"));
  EXPECT_TRUE(begins(error_in(text("a cat\u00a0--seed 7")), "1:7: "));  // no-break space
}

TEST(PromptFile, WrongValuesNameTheirFlag) {
  EXPECT_EQ(error_in(text("x --steps many")),
            "1:3: --steps: expected a whole number up to 2147483647, got 'many'");
  EXPECT_TRUE(begins(error_in(text("x --seed")), "1:3: --seed needs a value"));
  EXPECT_TRUE(begins(error_in(text("x --seed --steps 3")), "1:3: --seed needs a value"));
  EXPECT_TRUE(begins(error_in(text("x --seed -2")), "1:3: --seed: expected"));
  EXPECT_TRUE(
      begins(error_in(text("x --negative-prompt a, b --seed 1")), "1:24: 'b' after the value of --negative"));
  EXPECT_TRUE(begins(error_in(text("x --negative-prompt \"a")), "1:21: no closing \""));
  EXPECT_TRUE(begins(error_in(text("x --negative-prompt don't")), "1:24: no closing '"));
  EXPECT_TRUE(
      begins(error_in(text("x --cfg-scale 1 --guidance-scale 2")), "1:17: --guidance-scale is given twice"));
  EXPECT_TRUE(begins(error_in(text("x --output a{sede}.png")),
                     "1:3: output 'a{sede}.png': unknown field {sede}; did"));
  EXPECT_TRUE(begins(error_in(text("--seed 3")), "1:1: no prompt"));
}

TEST(PromptFile, EveryWrongLineIsFound) {
  const PromptFile file = text("ok\nx --sede 1\nok\nx --steps y\n");
  EXPECT_EQ(file.lines.size(), 2u);
  ASSERT_EQ(file.errors.size(), 2u);
  EXPECT_EQ(file.errors[0].line, 2u);
  EXPECT_EQ(file.errors[1].line, 4u);
}

TEST(PromptFile, OtherEncodingsAndBinariesAreRefused) {
  EXPECT_TRUE(begins(error_in(text("ab\xff")), "1:3: not UTF-8"));
  EXPECT_TRUE(begins(error_in(text(std::string("a\0b", 3))), "1:2: control character"));
}

TEST(PromptFileError, TellsTheFirstTenInOrderAndHowManyMore) {
  std::vector<LineError> errors;
  for (std::size_t line = 13; line > 0; --line) errors.push_back({line, 2, "bad"});
  const PromptFileError error("p.txt", errors);
  ASSERT_EQ(error.messages().size(), 11u);
  EXPECT_EQ(error.messages()[0], "p.txt:1:2: bad");
  EXPECT_EQ(error.messages()[9], "p.txt:10:2: bad");
  EXPECT_EQ(error.messages()[10], "p.txt: 3 more wrong lines");
  EXPECT_EQ(error.kind(), ErrorKind::kRequest);
}

TEST(PromptFileJson, KeysAreFlagNamesWithDashesOrUnderscores) {
  const Job job =
      job_of(jsonl("{\"prompt\": \"a \\\"cat\\\" --seed 3\", \"negative_prompt\": \"x\", \"cfg-scale\": 3, "
                   "\"seed\": 18446744073709551615, \"output\": \"a.png\"}\n\n"));
  EXPECT_EQ(job.prompt, "a \"cat\" --seed 3");
  EXPECT_EQ(job.negative_prompt, "x");
  EXPECT_EQ(job.guidance_scale, 3.0);
  EXPECT_EQ(job.seed, 18446744073709551615u);
  EXPECT_EQ(job.output, "a.png");
  EXPECT_TRUE(job.own_output);
}

TEST(PromptFileJson, ErrorsNameLineAndColumn) {
  EXPECT_TRUE(begins(error_in(jsonl("{\"prompt\":\"\u00e9\",\"sede\":1}")),
                     "1:15: unknown key \"sede\"; did you mean seed?"));
  EXPECT_TRUE(
      begins(error_in(jsonl("{\"prompt\":\"a\",\"steps\":\"3\"}")), "1:15: steps: expected a whole number"));
  EXPECT_TRUE(
      begins(error_in(jsonl("{\"prompt\":\"a\",\"seed\":1,\"seed\":2}")), "1:24: seed is given twice"));
  EXPECT_TRUE(begins(error_in(jsonl("{\"a\\\"b\":{\"prompt\":[1]}}")), "1:2: unknown key \"a\"b\""));
  EXPECT_TRUE(begins(error_in(jsonl("{\"prompt\" \"a\"}")), "1:13: not JSON: "));
  EXPECT_TRUE(begins(error_in(jsonl("\n{\"prompt\": \"a\"")), "2:"));
  EXPECT_TRUE(begins(error_in(jsonl("{\"prompt\":\"a\",\"eta\":1e999}")), "1:"));
  EXPECT_TRUE(begins(error_in(jsonl("[\"a\"]")), "1:1: expected one object a line"));
  EXPECT_TRUE(begins(error_in(jsonl("{\"seed\":1}")), "1:1: no \"prompt\""));
  EXPECT_TRUE(begins(error_in(jsonl("{\"prompt\":null}")), "1:2: prompt: expected a string, got null"));
}

TEST(PromptFileJson, NestedTextIsNoKey) {
  EXPECT_EQ(error_in(jsonl("{\"prompt\":\"{\\\"seed\\\":1,\\\"x\\\":2}\",\"steps\":3,\"q\":1}")).substr(0, 5),
            "1:44:");
}

TEST(ReadPromptFile, ChoosesByEnding) {
  const ScratchFolder folder;
  folder.write("p.JSONL", "{\"prompt\":\"a\"}");
  folder.write("p.txt", "{\"prompt\":\"a\"}");
  EXPECT_EQ(job_of(read_prompt_file("p.JSONL", {})).prompt, "a");
  EXPECT_EQ(job_of(read_prompt_file("p.txt", {})).prompt, "{\"prompt\":\"a\"}");
}

TEST(ReadPromptFile, MissingFileIsAnInputError) {
  const ScratchFolder folder;
  EXPECT_TRUE(contains(error_of(ErrorKind::kInput, [] { read_prompt_file("none.txt", {}); }), "none.txt"));
  EXPECT_TRUE(contains(error_of(ErrorKind::kInput, [] { read_prompt_file(".", {}); }), "folder"));
}

TEST(ReadPromptFile, FileWithoutPromptIsARequestError) {
  const ScratchFolder folder;
  folder.write("empty.txt", "");
  folder.write("comments.txt", "# nothing\n\n");
  EXPECT_EQ(error_of(ErrorKind::kRequest, [] { read_prompt_file("empty.txt", {}); }),
            "empty.txt holds no prompt");
  error_of(ErrorKind::kRequest, [] { read_prompt_file("comments.txt", {}); });
}

}  // namespace
}  // namespace sdgen::cli
