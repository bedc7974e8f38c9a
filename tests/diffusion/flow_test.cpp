// Flow matching against diffusers' FlowMatchEulerDiscreteScheduler: sigmas, timesteps and whole loops.
#include "diffusion/flow.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/samplers/sampler.h"
#include "support/golden.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

SchedulerConfig read(const Json& config, bool given_sigmas = false) {
  SchedulerConfig scheduler = SchedulerConfig::read({"scheduler_config.json", config});
  scheduler.flow.given_sigmas = given_sigmas;
  return scheduler;
}

SchedulerConfig flow(Json config = Json::object()) {
  config["_class_name"] = "FlowMatchEulerDiscreteScheduler";
  return read(config);
}

class FlowMatching : public ::testing::Test {
 protected:
  const Json golden_ = testing::golden_json("flow_matching.json");

  static SamplingPlan plan(const Json& expected, std::size_t first = 0) {
    const SchedulerConfig config = read(expected["config"], expected["given"]);
    const Sampler* const sampler = find_sampler_of(config);
    EXPECT_NE(sampler, nullptr);
    EXPECT_EQ(sampler->name, "euler");
    return sampler->plan(
        config, {.steps = expected["steps"], .range = {first}, .image_seq_len = expected["image_seq_len"]});
  }
};

TEST_F(FlowMatching, SigmasAndTimestepsEqualTheReferences) {
  ASSERT_GT(golden_["cases"].size(), 100U);
  for (const Json& expected : golden_["cases"]) {
    SCOPED_TRACE(concat(expected["name"].get<std::string>(), ", ", expected["steps"].get<int>(), " steps"));
    const SamplingPlan laid = plan(expected);
    const std::size_t steps = expected["steps"];
    ASSERT_EQ(laid.steps.size(), steps);
    for (std::size_t i = 0; i < steps; ++i) {
      const Step& step = laid.steps[i];
      EXPECT_NEAR(step.from.sigma, expected["sigmas"][i].get<double>(), 1e-6);
      EXPECT_NEAR(step.to.sigma, expected["sigmas"][i + 1].get<double>(), 1e-6);
      EXPECT_NEAR(step.timestep / 1000, expected["timesteps"][i].get<double>() / 1000, 1e-6);
      EXPECT_EQ(step.from.alpha, 1.0 - step.from.sigma);
      EXPECT_EQ(laid.entries[i].timestep, step.timestep);
    }
    EXPECT_EQ(laid.initial_noise_scale, 1.0);
  }
}

// The denoiser of scripts/make_goldens/samplers.py; flow models see x as it is.
Tensor analytic_output(const Tensor& x, const Step& step) {
  return 0.3 * x + (0.2 * std::cos(step.timestep / 1000)) * at::roll(x, {1}, {-1}) +
         0.1 * std::sin(0.01 * step.timestep);
}

// From noise, or late from a picture that is 0.5 everywhere.
Tensor drawn(const SamplingPlan& laid, const Json& golden) {
  NoiseSource noise(golden["seeds"].get<std::vector<std::uint64_t>>());
  const auto shape = golden["shape"].get<std::vector<std::int64_t>>();
  const Tensor start = noise.draw(at::IntArrayRef(shape).slice(1));
  const Level& level = laid.entries[laid.first].level;
  const Tensor x = laid.first > 0 ? level.alpha * at::full_like(start, 0.5) + level.sigma * start : start;
  return laid.sample({analytic_output, PredictionType::kFlow}, x, noise, [](const Step&, Tensor&) {});
}

TEST_F(FlowMatching, OtherMethodsEqualTheReference) {
  const testing::GoldenTensors tensors("flow_matching.safetensors");
  ASSERT_GT(golden_["methods"].size(), 30U);
  for (const Json& expected : golden_["methods"]) {
    SCOPED_TRACE(expected["key"].get<std::string>());
    const SchedulerConfig config = SchedulerConfig::read({"scheduler_config.json", expected["config"]});
    const SamplingPlan laid =
        find_sampler(expected["sampler"])
            .plan(config, {.steps = expected["steps"], .range = {expected["first"].get<std::size_t>()}});
    const Tensor reference = tensors.at(expected["key"]);
    // Heun's class divides the difference of two float32 by sigma, down to 0.001.
    const double roundings = std::ldexp(reference.abs().max().item<double>(), -24);
    const double lost = expected["sampler"] == "heun" ? roundings / laid.steps.back().from.sigma : 0.0;
    EXPECT_TRUE(testing::is_close(drawn(laid, golden_), reference, 3e-6 + lost));
  }
}

TEST_F(FlowMatching, WholeLoopsEqualTheReference) {
  const testing::GoldenTensors tensors("flow_matching.safetensors");
  int loops = 0;
  for (const Json& expected : golden_["cases"]) {
    for (const Json& loop : expected.value("loops", Json::array())) {
      SCOPED_TRACE(loop["key"].get<std::string>());
      const SamplingPlan laid = plan(expected, loop["first"]);
      EXPECT_TRUE(testing::is_close(drawn(laid, golden_), tensors.at(loop["key"]), 3e-6));
      ++loops;
    }
  }
  EXPECT_GT(loops, 50);
}

TEST(FlowSchedule, VelocityTellsPictureAndNoise) {
  const Tensor x0 = testing::numbers({2, 3}, 1), eps = testing::numbers({2, 3}, 2);
  for (const double sigma : {1.0, 0.3, 0.0}) {
    const Estimate estimate = estimate_from_output(PredictionType::kFlow, eps - x0,
                                                   (1 - sigma) * x0 + sigma * eps, {1 - sigma, sigma});
    EXPECT_TRUE(testing::is_close(estimate.x0, x0, 1e-6));
    EXPECT_TRUE(testing::is_close(estimate.eps, eps, 1e-6));
  }
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(FlowSchedule, WhatIsOutOfRangeOrNotSupportedIsNamed) {
  for (const auto& [config, message] : std::vector<std::pair<Json, std::string>>{
           {{{"invert_sigmas", true}}, "key 'invert_sigmas' is true, which is not supported"},
           {{{"stochastic_sampling", true}}, "key 'stochastic_sampling' is true"},
           {{{"shift", 0.0}}, "key 'shift' is 0; expected 0.001 to 1000"},
           {{{"shift_terminal", 1.0}}, "key 'shift_terminal' is 1"},
           {{{"max_shift", 1e300}}, "key 'max_shift'"},
           {{{"base_image_seq_len", 4096}}, "base_image_seq_len and max_image_seq_len are equal"},
           {{{"time_shift_type", "square"}}, "unknown time_shift_type 'square'"}}) {
    const std::string text = refusal([&config = config] { flow(config); });
    EXPECT_EQ(text.find("scheduler_config.json: " + message), 0U) << text;
  }
}

TEST(FlowSchedule, OneStepWithATerminalMakesNoSigma) {
  const SchedulerConfig config = flow({{"shift_terminal", 0.1}});
  EXPECT_EQ(refusal([&] { find_sampler("euler").plan(config, {1}); }),
            "steps 1: the scheduler's shift and shift_terminal make no number of a sigma; use more steps");
}

TEST(FlowSchedule, OtherSamplersNameThoseThatKnowFlows) {
  for (const char* name : {"ddim", "euler-a", "lcm"})
    EXPECT_EQ(refusal([&] { find_sampler(name).plan(flow(), {4}); }),
              concat("sampler ", name,
                     " takes no flow models; these do: euler, heun, dpm++2m, dpm++2m-sde, res-multistep"));
}

TEST(FlowSchedule, ARequestMayChangeTheSpreadAlone) {
  EXPECT_EQ(overridden(flow(), {.schedule = "karras"}).sigma_schedule, SigmaSchedule::kKarras);
  EXPECT_THROW(overridden(flow(), {.prediction_type = "epsilon"}), Error);
  EXPECT_THROW(overridden(flow(), {.timestep_spacing = "leading"}), Error);
  EXPECT_THROW(overridden(flow(), {.zero_snr = true}), Error);
}

}  // namespace
}  // namespace sdgen
