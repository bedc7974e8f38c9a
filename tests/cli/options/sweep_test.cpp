#include "cli/options/sweep.h"

#include <nlohmann/json.hpp>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

Options swept(const std::vector<std::string>& axes) {
  std::vector<std::string> arguments = {"bench"};
  for (const std::string& axis : axes) arguments.insert(arguments.end(), {"--sweep", axis});
  return parse_options(arguments);
}

std::string refusal(const std::vector<std::string>& axes) {
  return error_of(ErrorKind::kRequest, [&] { swept(axes); });
}

TEST(Sweep, IsEveryCombinationTheLastAxisFastest) {
  const auto all = combinations(swept({"steps=10,20", "dtype=float32,bfloat16"}));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1].options.job.steps, 10);
  EXPECT_EQ(all[1].options.compute.dtype, DType::kBFloat16);
  EXPECT_EQ(all[2].options.job.steps, 20);
  EXPECT_EQ(all[2].options.compute.dtype, DType::kFloat32);
  EXPECT_EQ(swept_text(all[2].swept), "steps 20, dtype float32");
}

TEST(Sweep, WithoutOneThereIsOneCombination) {
  const auto all = combinations(parse_options({"bench", "--steps", "7"}));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].options.job.steps, 7);
  EXPECT_TRUE(all[0].swept.empty());
}

TEST(Sweep, TakesAnyFlagThatChangesWhatIsMeasured) {
  const auto all = combinations(
      swept({"size=64,96x128", "threads=1", "batch-size=2", "sampler=euler", "cfg-scale=1.5", "device=cpu"}));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].options.job.width, 64);
  EXPECT_EQ(all[0].options.job.height, 64);
  EXPECT_EQ(all[1].options.job.width, 96);
  EXPECT_EQ(all[1].options.job.height, 128);
  EXPECT_EQ(all[1].options.compute.threads, 1);
  EXPECT_EQ(all[1].options.batch_size, 2);
  EXPECT_EQ(all[1].options.job.guidance_scale, 1.5);
  EXPECT_EQ(
      swept_json(all[1].swept).dump(),
      R"({"size":"96x128","threads":1,"batch-size":2,"sampler":"euler","guidance-scale":1.5,"device":"cpu"})");
}

TEST(Sweep, UnknownNamesAndWrongValuesAreRefused) {
  EXPECT_TRUE(contains(refusal({"stepz=1,2"}), "--sweep: cannot sweep 'stepz'; did you mean steps?"));
  EXPECT_TRUE(contains(refusal({"output=a,b"}), "cannot sweep 'output'"));
  EXPECT_TRUE(contains(refusal({"steps"}), "expected NAME=VALUE"));
  EXPECT_TRUE(contains(refusal({"steps=1,,2"}), "is empty"));
  EXPECT_TRUE(contains(refusal({"steps="}), "is empty"));
  EXPECT_TRUE(contains(refusal({"steps=1,x"}), "--sweep steps: expected a whole number"));
  EXPECT_TRUE(contains(refusal({"dtype=fp8"}), "known: auto, float32"));
  EXPECT_TRUE(contains(refusal({"size=1x2x3"}), "expected N or WxH"));
  EXPECT_TRUE(contains(refusal({"steps=1", "steps=2"}), "steps is swept twice"));
  EXPECT_TRUE(contains(refusal({"size=64", "width=8"}), "width is swept twice"));
  // A million combinations would be gigabytes of options.
  const std::string many =
      "=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30";
  EXPECT_TRUE(contains(refusal({"steps" + many, "guidance-scale" + many, "seed" + many}),
                       "more than 10000 combinations"));
  // generate sweeps too.
  EXPECT_EQ(combinations(parse_options({"-p", "x", "--sweep", "steps=1,2"})).size(), 2u);
}

TEST(Sweep, FlagsReplaceTheConfigFiles) {
  const ScratchFolder folder;
  folder.write("c.toml", "sweep = \"steps=1,2,3\"\n");
  EXPECT_EQ(combinations(parse_options({"bench", "--config", "c.toml"})).size(), 3u);
  EXPECT_EQ(combinations(parse_options({"bench", "--config", "c.toml", "--sweep", "threads=1"})).size(), 1u);
}

}  // namespace
}  // namespace sdgen::cli
