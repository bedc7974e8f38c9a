// Numbers and lists of the command line that are slips of the finger.
#include <sstream>

#include "cli/cli_errors.h"
#include "cli/options/config_file.h"
#include "cli/options/options.h"
#include "cli/options/prompt_file.h"

namespace sdgen::cli {
namespace {

struct Case {
  std::vector<std::string> arguments;
  std::string message;
};

// A test's name is its flag.
void PrintTo(const Case& limit, std::ostream* out) {
  *out << limit.arguments.front() << " " << limit.arguments.size();
}

std::vector<std::string> times(int count, const std::string& flag, const std::string& value) {
  std::vector<std::string> arguments;
  for (int i = 0; i < count; ++i) arguments.insert(arguments.end(), {flag, value});
  return arguments;
}

std::string joined(int count, const std::string& entry) {
  std::string text;
  for (int i = 0; i < count; ++i) text += entry;
  return text;
}

class CommandLineLimits : public ::testing::TestWithParam<Case> {};

TEST_P(CommandLineLimits, AreSaidWhereTheyArePassed) {
  std::vector<std::string> arguments = {"bench"};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  EXPECT_EQ(error_of(ErrorKind::kRequest, [&] { parse_options(arguments); }), GetParam().message);
}

std::string expected(const std::string& name, const std::string& range, const std::string& got) {
  return name + ": expected a whole number from " + range + ", got '" + got + "'";
}

const std::string kLarge = "2147483647";
INSTANTIATE_TEST_SUITE_P(
    Each, CommandLineLimits,
    ::testing::Values(
        Case{{"--batch-size", kLarge}, expected("--batch-size", "1 to 4096", kLarge)},
        Case{{"--batch-size", "0"}, expected("--batch-size", "1 to 4096", "0")},
        Case{{"--threads", "1025"}, expected("--threads", "0 to 1024", "1025")},
        Case{{"--preview", kLarge}, expected("--preview", "0 to 10000", kLarge)},
        Case{{"--device", "cuda:300"}, expected("--device", "0 to 127", "300")},
        Case{{"--repetitions", kLarge}, expected("--repetitions", "1 to 100000", kLarge)},
        Case{{"--warmup", kLarge}, expected("--warmup", "0 to 100000", kLarge)},
        Case{times(101, "--lora", "x"), "--lora: given more than 100 times (the limit)"},
        Case{times(101, "--embedding", "x"), "--embedding: given more than 100 times (the limit)"},
        Case{times(101, "--attend", "a:1"), "--attend: expected at most 100 entries, got more"},
        Case{{"--focus", joined(101, "a=0,0,1,1;")}, "--focus: expected at most 100 entries, got more"},
        Case{{"--control-scale", joined(101, "1;")},
             "--control-scale: expected at most 100 entries, got more"},
        Case{{"--sweep", "steps=1" + joined(9999, ",1"), "--sweep", "seed=1,2"},
             "--sweep: more than 10000 combinations of all values; sweep fewer at a time"}));

TEST(CommandLineLimits, AsMuchAsTheySayIsTaken) {
  EXPECT_EQ(parse_options({"bench", "--batch-size", "4096"}).batch_size, 4096);
  std::vector<std::string> loras = times(100, "--lora", "x");
  loras.insert(loras.begin(), "bench");
  EXPECT_EQ(parse_options(loras).loras.size(), 100u);
}

TEST(ConfigLimits, MoreKeysThanThereAreFlagsAreRefused) {
  std::stringstream input;
  for (int i = 0; i < 2000; ++i) input << "k" << i << " = 1\n";
  EXPECT_EQ(error_of(ErrorKind::kRequest, [&] { parse_config("c.toml", input); }),
            "c.toml:1001: more than 1000 keys (the limit)");
}

TEST(PromptFileLimits, MoreLinesThanARunCanHoldAreRefused) {
  const auto lines = [](int count, const std::string& line) {
    return parse_prompt_text("p.txt", joined(count, line), {}).lines.size();
  };
  EXPECT_EQ(lines(100'000, "a\n"), 100'000u);
  EXPECT_EQ(lines(200'000, "# a\n"), 0u);
  for (const char* line : {"a\n", "a --steps x\n"})
    EXPECT_EQ(error_of(ErrorKind::kRequest, [&] { lines(100'001, line); }),
              "p.txt:100001: more than 100000 prompts (the limit); split the file");
}

}  // namespace
}  // namespace sdgen::cli
