#include <gtest/gtest.h>

#include "sdgen/generator.h"

namespace sdgen {
namespace {

ModelInfo model() {
  ModelInfo info;
  info.name = "my, model";
  info.dtype = "bfloat16";
  info.quantize = "int8";
  return info;
}

TEST(ReadParameters, GivesBackWhatParametersTextWrote) {
  Request request{.prompt = "a cat\nin two lines: \"x\", Steps: 3",
                  .negative_prompt = "rain, Seed: 4",
                  .steps = 12,
                  .guidance_scale = 3.25,
                  .sampler = "euler-a",
                  .width = 96,
                  .height = 64};
  const auto read = read_parameters(parameters_text(request, 18446744073709551615U, model()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->request.prompt, request.prompt);
  EXPECT_EQ(read->request.negative_prompt, request.negative_prompt);
  EXPECT_EQ(read->request.steps, 12);
  EXPECT_EQ(read->request.guidance_scale, 3.25);
  EXPECT_EQ(read->request.sampler, "euler-a");
  EXPECT_EQ(read->request.width, 96);
  EXPECT_EQ(read->request.height, 64);
  EXPECT_EQ(read->request.seed, 18446744073709551615U);
  EXPECT_EQ(read->model, "my, model");
  EXPECT_EQ(read->dtype, "bfloat16");
  EXPECT_EQ(read->quantize, "int8");
  EXPECT_FALSE(read->steered);
  EXPECT_FALSE(read->request.schedule);
  request.attend = {{"cat", 2.0}};
  EXPECT_TRUE(read_parameters(parameters_text(request, 1, model()))->steered);
}

TEST(ReadParameters, GivesBackEverySamplerAndSchedule) {
  Request request{.prompt = "a cat", .steps = 5, .guidance_scale = 7.5, .width = 64, .height = 64};
  for (const std::string& sampler : sampler_names()) {
    for (const std::string& schedule : schedule_names()) {
      request.sampler = sampler;
      request.schedule = schedule;
      const auto read = read_parameters(parameters_text(request, 1, model()));
      EXPECT_EQ(read->request.sampler, sampler);
      EXPECT_EQ(read->request.schedule, schedule);
    }
  }
  request.prediction_type = "v_prediction";
  request.timestep_spacing = "trailing";
  request.zero_snr = true;
  const auto read = read_parameters(parameters_text(request, 1, model()));
  EXPECT_EQ(read->request.prediction_type, "v_prediction");
  EXPECT_EQ(read->request.timestep_spacing, "trailing");
  EXPECT_EQ(read->request.zero_snr, true);
}

TEST(ReadParameters, GivesBackWhatSteeredThePicture) {
  ModelInfo steered = model();
  steered.controlnets = {"edges", "depth, small"};
  const Request request{.prompt = "a cat",
                        .steps = 5,
                        .guidance_scale = 7.5,
                        .sampler = "ddim",
                        .width = 64,
                        .height = 64,
                        .control_image = {"a, b.png", "c.png"},
                        .control_scale = {0.5, 1},
                        .control_start = {0, 0.25},
                        .control_end = {1, 0.75}};
  const auto read = read_parameters(parameters_text(request, 1, steered));
  EXPECT_EQ(read->request.control_image, request.control_image);
  EXPECT_EQ(read->request.control_scale, request.control_scale);
  EXPECT_EQ(read->request.control_start, request.control_start);
  EXPECT_EQ(read->request.control_end, request.control_end);
  EXPECT_TRUE(read_parameters(parameters_text(request, 1, model()))->request.control_image.empty());
}

TEST(ReadParameters, KnowsOtherProgramsNamesOfSamplers) {
  const auto read = [](const std::string& sampler) {
    return read_parameters("a cat\nSteps: 20, Sampler: " + sampler + ", CFG scale: 7, Seed: 5")->request;
  };
  EXPECT_EQ(read("DPM++ 2M, Schedule type: Karras").sampler, "dpm++2m");
  EXPECT_EQ(read("DPM++ 2M, Schedule type: Karras").schedule, "karras");
  EXPECT_EQ(read("DPM++ 2M SDE Karras").sampler, "dpm++2m-sde");
  EXPECT_EQ(read("DPM++ 2M SDE Karras").schedule, "karras");
  EXPECT_EQ(read("DPM++ 2S a").sampler, "dpm++2s-a");
  EXPECT_EQ(read("Euler, Schedule type: Automatic").schedule, std::nullopt);
  EXPECT_EQ(read("Euler, Schedule type: Automatic").sampler, "euler");
}

TEST(ReadParameters, LeavesOpenWhatIsNotToldOrNotKnown) {
  const auto read =
      read_parameters("a cat\nSteps: 20, Sampler: Restart, CFG scale: 7, Seed: 5, Size: 512x768, Model: x");
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->request.sampler);
  EXPECT_EQ(read->request.guidance_scale, 7.0);
  EXPECT_EQ(read->request.width, 512);
  EXPECT_EQ(read->request.height, 768);
  EXPECT_EQ(read->dtype, "float32");
}

TEST(ReadParameters, OtherTextsAreNothing) {
  for (const char* text : {"", "a cat", "a cat\nno parameters", "a cat\nSteps: x, Seed: 5",
                           "\n: , : ", "x\nSteps: 1, Seed: \"", "x\nSteps: 1, Seed: 2, Model: \"open"})
    EXPECT_EQ(read_parameters(text).has_value(), std::string(text).ends_with("open")) << text;
}

}  // namespace
}  // namespace sdgen
