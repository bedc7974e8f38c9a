// What --help, -h, help, models and words print.
#include "cli/options/help.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/options/completion.h"
#include "cli/options/flag_rows.h"
#include "cli/options/model_list.h"
#include "cli/options/options.h"
#include "cli/options/other_names.h"
#include "sdgen/error.h"
#include "sdgen/request.h"
#include "support/safetensors_file.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    parse_options(arguments);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Help, FitsTheWidth) {
  for (const std::size_t width : {40U, 80U, 120U})
    for (const std::string& text :
         {full_help(Command::kGenerate, width), full_help(Command::kBench, width), short_help(width)})
      for (const std::string& line : lines_of(text)) {
        // A command or a flag of one piece may be longer than 40 columns, and nothing else.
        const bool is_piece = line.find("sd-gen ") != line.npos || line.find("  -") == 0;
        EXPECT_TRUE(line.size() <= width || (width == 40 && is_piece)) << width << ": " << line;
      }
}

TEST(Help, TheShortOneIsShortAndTheLongOneHasEveryFlag) {
  EXPECT_LE(lines_of(short_help(80)).size(), 25U);
  EXPECT_EQ(parse_options({"-h"}).message, parse_options({"help"}).message);
  const std::string full = parse_options({"--help"}).message;
  for (const FlagRow& row : flag_rows(Command::kGenerate)) EXPECT_THAT(full, HasSubstr(row.shown()));
}

TEST(Help, ATopicIsAGroupOfFlags) {
  for (const std::string& topic : help_topics())
    EXPECT_THAT(topic_help(topic, 80), HasSubstr("  -")) << topic;
  EXPECT_THAT(parse_options({"help", "start"}).message, HasSubstr("--init-image"));
  EXPECT_THAT(parse_options({"help", "convert"}).message, HasSubstr("--ema"));
  EXPECT_THAT(refusal({"help", "outptu"}), HasSubstr("did you mean output?"));
}

TEST(Help, WrappedBreaksBetweenWords) {
  EXPECT_EQ(wrapped("one two three four", 9, 2), "one two\n  three\n  four");
  EXPECT_EQ(wrapped("a\nb c", 80, 1), "a\n b c");
  EXPECT_EQ(wrapped("extraordinary word", 5), "extraordinary\nword");
}

TEST(Help, EveryChoiceShownIsTaken) {
  for (const FlagRow& row : flag_rows(Command::kGenerate))
    for (const std::string& choice : row.choices) {
      Options options;
      EXPECT_NO_THROW(set_option(options, row.name, "--" + row.name, choice)) << row.name << " " << choice;
    }
}

TEST(OtherNames, SamplersInAnySpelling) {
  const auto named = [](const std::string& name) {
    const auto found = sampler_of_name(name);
    return found ? found->sampler + " " + found->schedule : std::string("none");
  };
  EXPECT_EQ(named("Euler a"), "euler-a ");
  EXPECT_EQ(named("k_euler_ancestral"), "euler-a ");
  EXPECT_EQ(named("DPM++ 2M Karras"), "dpm++2m karras");
  EXPECT_EQ(named("dpmpp_2m_sde"), "dpm++2m-sde ");
  EXPECT_EQ(named("DPMSolverMultistepScheduler"), "dpm++2m ");
  EXPECT_EQ(named("EulerAncestralDiscreteScheduler"), "euler-a ");
  EXPECT_EQ(named("UniPC"), "unipc ");
  EXPECT_EQ(named("res_multistep"), "res-multistep ");
  EXPECT_EQ(named("karras"), "none");
  EXPECT_EQ(named("DPM++ 3M"), "none");
  for (const std::string& name : sampler_names()) EXPECT_EQ(named(name), name + " ");
}

TEST(OtherNames, AreTakenOnTheCommandLine) {
  const Options options = parse_options({"a cat", "--sampler", "DPM++ 2M Karras", "--dtype", "bf16",
                                         "--device", "gpu", "--size", "192x128", "--seed", "-1", "-t", "2"});
  EXPECT_EQ(options.job.prompt, "a cat");
  EXPECT_TRUE(options.has_prompt);
  EXPECT_EQ(options.job.sampler, "dpm++2m");
  EXPECT_EQ(options.job.schedule, "karras");
  EXPECT_EQ(options.compute.dtype, DType::kBFloat16);
  EXPECT_EQ(options.compute.device, Device::kCuda);
  EXPECT_EQ(options.job.width, 192);
  EXPECT_EQ(options.job.height, 128);
  EXPECT_FALSE(options.job.seed);
  EXPECT_EQ(options.compute.threads, 2);
  EXPECT_EQ(parse_options({"-p", "x", "--sampler", "Euler Karras", "--schedule", "beta"}).job.schedule,
            "beta");
  EXPECT_EQ(parse_options({"-p", "x", "--size", "64"}).job.height, 64);
}

TEST(OtherNames, SeveralSeedsAreASweep) {
  const Options options = parse_options({"-p", "x", "--seed", "1,5,9"});
  ASSERT_EQ(options.sweep.size(), 1U);
  EXPECT_EQ(options.sweep[0].name, "seed");
  EXPECT_EQ(options.sweep[0].values, (std::vector<std::string>{"1", "5", "9"}));
}

TEST(OtherNames, ARepeatedSeedIsASweepToo) {
  const Options options = parse_options({"-p", "x", "--seed", "1", "--seed", "5"});
  ASSERT_EQ(options.sweep.size(), 1U);
  EXPECT_EQ(options.sweep[0].values, (std::vector<std::string>{"1", "5"}));
}

TEST(OtherNames, ASizeOfAnotherFormIsExplained) {
  EXPECT_EQ(refusal({"-p", "x", "--size", "64,128"}),
            "--size: expected WxH or N, got '64,128'; several sizes: --sweep size=64,128x64");
  EXPECT_THAT(refusal({"-p", "x", "--size", "64y"}), HasSubstr("expected WxH or N"));
}

TEST(OtherNames, OfFlagsAreAnsweredWithOurs) {
  EXPECT_EQ(refusal({"-p", "x", "--vae-on-cpu"}), "unknown flag --vae-on-cpu; here it is --low-memory");
  EXPECT_EQ(refusal({"-p", "x", "--num-inference-steps", "3"}),
            "unknown flag --num-inference-steps; here it is --steps");
  EXPECT_EQ(refusal({"a cat", "-s", "3"}), "unknown flag -s; here it is --steps N or --seed S");
  EXPECT_EQ(refusal({"modles"}), "unexpected word 'modles'; did you mean sd-gen models?");
}

// `command` in a shell that is there; empty output where it succeeds.
int shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str());
}

TEST(Completion, BashOffersFlagsAndValues) {
  const testing::TemporaryFolder folder;
  const fs::path script = folder.path() / "sd-gen.bash";
  std::ofstream(script) << completion("bash");
  const auto offered = [&](const std::string& words, int at) {
    const std::string out = (folder.path() / "out").string(), ask = (folder.path() / "ask").string();
    std::ofstream(ask) << "source " << script.string() << "\nCOMP_WORDS=(" << words << ")\nCOMP_CWORD=" << at
                       << "\n_sd_gen\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    EXPECT_EQ(std::system(("bash " + ask + " > " + out).c_str()), 0);
    std::stringstream text;
    text << std::ifstream(out).rdbuf();
    return lines_of(text.str());
  };
  EXPECT_EQ(offered("sd-gen --sam", 1), (std::vector<std::string>{"--sampler"}));
  EXPECT_EQ(offered("sd-gen --sampler dpm++2m", 2), (std::vector<std::string>{"dpm++2m", "dpm++2m-sde"}));
  EXPECT_EQ(offered("sd-gen mod", 1), (std::vector<std::string>{"models"}));
}

TEST(Completion, OtherShellsCanReadTheirs) {
  const testing::TemporaryFolder folder;
  for (const std::string name : {"zsh", "fish"}) {
    const fs::path script = folder.path() / name;
    std::ofstream(script) << completion(name);
    EXPECT_THAT(completion(name), HasSubstr("negative-prompt"));
    if (shell("command -v " + name) == 0) {
      EXPECT_EQ(shell(name + " -n " + script.string()), 0) << name;
    }
  }
  EXPECT_THAT(refusal({"completion", "tcsh"}), HasSubstr("unknown shell 'tcsh'"));
}

TEST(Completion, TheManPageHasEveryFlag) {
  const std::string page = parse_options({"man"}).message;
  for (const FlagRow& row : flag_rows(Command::kGenerate)) {
    std::string name;
    for (const char c : row.name) name += c == '-' ? std::string("\\-") : std::string(1, c);
    EXPECT_THAT(page, HasSubstr("\\-\\-" + name));
  }
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with(".")) {
      EXPECT_TRUE(line.starts_with(".T") || line.starts_with(".S") || line.starts_with(".B") || line == ".br")
          << line;
    }
  }
}

class Listings : public ::testing::Test {
 protected:
  const testing::TemporaryFolder folder_;

  void SetUp() override {
    for (const char* name : {"big", "small"}) fs::create_directories(folder_.path() / name);
    std::ofstream(folder_.path() / "big/model_index.json") << R"({"_class_name": "ZImagePipeline"})";
    std::ofstream(folder_.path() / "small/model_index.json")
        << R"({"_class_name": "StableDiffusionPipeline"})";
    std::ofstream(folder_.path() / "small/sdgen.json")
        << R"({"words": ["dog", "a", "cat"], "things": {"dog": [], "cat": []}, "coloured": ["cat"]})";
    std::ofstream(folder_.path() / "x.safetensors") << "0123456789";
  }
};

TEST_F(Listings, ModelsAreThoseFoundByName) {
  ::setenv("SDGEN_MODEL", "small", 1);
  const std::vector<FoundModel> models = found_models({folder_.path()});
  ::unsetenv("SDGEN_MODEL");
  ASSERT_EQ(models.size(), 3U);
  EXPECT_EQ(models[0].family, "ZImagePipeline");
  EXPECT_TRUE(models[1].is_default);
  EXPECT_EQ(models[2].name, "x.safetensors");
  EXPECT_EQ(models[2].bytes, 10U);
  const std::string text = models_text(models, {folder_.path()}, false);
  EXPECT_THAT(text, HasSubstr("small"));
  EXPECT_THAT(text, HasSubstr("(the default)"));
  EXPECT_THAT(text, HasSubstr("looked in:\n  " + folder_.path().string()));
  EXPECT_EQ(lines_of(models_text(models, {}, true)).size(), 3U);
}

TEST_F(Listings, WordsAreSortedOrThingsInColumns) {
  EXPECT_EQ(words_text("small", folder_.path() / "small", 0), "a\ncat\ndog\n");
  const std::string shown = words_text("small", folder_.path() / "small", 80);
  EXPECT_THAT(shown, HasSubstr("2 things"));
  EXPECT_THAT(shown, HasSubstr("cat*"));
  EXPECT_THAT(words_text("big", folder_.path() / "big", 80), HasSubstr("does not tell"));
}

}  // namespace
}  // namespace sdgen::cli
