#include "cli/options/request_fields.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

Job with_text(const std::string& name, const std::string& text) {
  Job job;
  set_field(job, *find_field(name), "--" + name, text);
  return job;
}

Job with_json(const std::string& name, const nlohmann::json& json) {
  Job job;
  set_field(job, *find_field(name), name, json);
  return job;
}

std::string text_error(const std::string& name, const std::string& text) {
  return error_of(ErrorKind::kRequest, [&] { with_text(name, text); });
}

std::string json_error(const std::string& name, const nlohmann::json& json) {
  return error_of(ErrorKind::kRequest, [&] { with_json(name, json); });
}

TEST(FindField, TakesAliasesAndUnderscores) {
  EXPECT_EQ(find_field("cfg-scale"), find_field("guidance-scale"));
  EXPECT_EQ(find_field("negative_prompt")->name, "negative-prompt");
  EXPECT_EQ(find_field("sede"), nullptr);
  EXPECT_EQ(find_field(""), nullptr);
}

TEST(SetField, FillsEveryKindOfMember) {
  EXPECT_EQ(with_text("prompt", "a cat").prompt, "a cat");
  EXPECT_EQ(with_text("steps", "20").steps, 20);
  EXPECT_EQ(with_text("count", "3").count, 3);
  EXPECT_EQ(with_text("cfg-scale", "7.5").guidance_scale, 7.5);
  EXPECT_EQ(with_text("eta", "1").eta, 1.0);
  EXPECT_EQ(with_text("sampler", "euler").sampler, "euler");
  EXPECT_EQ(with_text("schedule", "karras").schedule, "karras");
  EXPECT_EQ(with_text("prediction_type", "v_prediction").prediction_type, "v_prediction");
  EXPECT_EQ(with_text("timestep-spacing", "trailing").timestep_spacing, "trailing");
  EXPECT_EQ(with_text("zero-snr", "true").zero_snr, true);
  EXPECT_EQ(with_text("output", "x.png").output, "x.png");
}

TEST(SetField, SeedKeepsAll64Bits) {
  EXPECT_EQ(with_text("seed", "18446744073709551615").seed, 18446744073709551615u);
  EXPECT_EQ(with_text("seed", "9007199254740993").seed, 9007199254740993u);
  EXPECT_EQ(with_json("seed", nlohmann::json::parse("18446744073709551615")).seed, 18446744073709551615u);
  EXPECT_EQ(with_json("seed", nlohmann::json::parse("9007199254740993")).seed, 9007199254740993u);
}

TEST(SetField, RefusesTextThatIsNoNumber) {
  EXPECT_EQ(text_error("steps", "20x"), "--steps: expected a whole number up to 2147483647, got '20x'");
  EXPECT_EQ(text_error("seed", "-2"),
            "--seed: expected a whole number from 0 to 18446744073709551615, got '-2'");
  EXPECT_TRUE(contains(text_error("seed", "18446744073709551616"), "18446744073709551616"));
  text_error("steps", "");
  text_error("steps", "2.5");
  text_error("steps", " 2");
  text_error("width", "2147483648");
  text_error("eta", "nan");
  EXPECT_EQ(text_error("zero-snr", "yes"), "--zero-snr: expected true or false, got 'yes'");
  text_error("guidance-scale", "inf");
  text_error("prompt", "\xff");
}

TEST(SetField, JsonTypesMustMatch) {
  EXPECT_EQ(json_error("steps", "20"), "steps: expected a whole number up to 2147483647, got \"20\"");
  json_error("steps", 2.0);
  json_error("steps", true);
  json_error("steps", nullptr);
  json_error("steps", 2147483648);
  json_error("zero-snr", "true");
  EXPECT_EQ(with_json("zero-snr", false).zero_snr, false);
  json_error("seed", -1);
  json_error("seed", 1e19);
  json_error("guidance-scale", "7");
  json_error("prompt", 7);
  json_error("prompt", std::string("a\0b", 3));
  EXPECT_EQ(with_json("guidance-scale", 7).guidance_scale, 7.0);
  EXPECT_EQ(with_json("steps", -3).steps, -3);  // for the library to refuse
}

TEST(SetField, ListsAreTextsWithSemicolonsOrJsonArrays) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(with_text("control-image", "a.png; b c.png").control_image, (Texts{"a.png", "b c.png"}));
  EXPECT_EQ(with_json("control_image", nlohmann::json::array({"a;b.png"})).control_image, Texts{"a;b.png"});
  EXPECT_EQ(with_json("control_image", "a.png").control_image, Texts{"a.png"});
  EXPECT_EQ(with_json("control_scale", nlohmann::json::array({1, 0.5})).control_scale,
            (std::vector<double>{1, 0.5}));
  EXPECT_EQ(with_json("control_scale", 0.5).control_scale, std::vector<double>{0.5});
  json_error("control_scale", nlohmann::json::array({"1"}));
}

TEST(CopyField, CopiesOnlyThatField) {
  Job from;
  from.steps = 5;
  from.seed = 7;
  Job to;
  copy_field(from, to, *find_field("steps"));
  EXPECT_EQ(to.steps, 5);
  EXPECT_FALSE(to.seed);
}

}  // namespace
}  // namespace sdgen::cli
