#include "diffusion/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "diffusion/samplers/sampler.h"
#include "diffusion/sigmas.h"
#include "sdgen/request.h"
#include "support/conditioning.h"
#include "support/golden.h"

namespace sdgen {
namespace {

SchedulerConfig config_from(const Json& json, const std::string& class_name) {
  Json full = json;
  full["_class_name"] = class_name;
  return SchedulerConfig::read({"scheduler_config.json", full});
}

// The way in log sigma from the training timestep at or below `timestep` to the next.
double log_step_at(const SchedulerConfig& config, double timestep) {
  const SigmaTable table(alphas_cumprod(config, false));
  const std::size_t low = std::min(static_cast<std::size_t>(timestep), table.logs.size() - 2);
  return static_cast<double>(table.logs[low + 1]) - table.logs[low];
}

TEST(Schedule, BetaTablesEqualTheReference) {
  const Json cases = testing::golden_json("schedules.json").at("betas");
  ASSERT_GT(cases.size(), 5u);
  for (const Json& table : cases) {
    SCOPED_TRACE(table.dump().substr(0, 160));
    const SchedulerConfig config = config_from({{"beta_schedule", table["beta_schedule"]},
                                                {"beta_start", table["beta_start"]},
                                                {"beta_end", table["beta_end"]}},
                                               table["class"]);
    const std::vector<double> cumprod = alphas_cumprod(config, table["rescale_betas_zero_snr"].get<bool>());
    for (std::size_t i = 0; i < table["index"].size(); ++i) {
      const auto index = table["index"][i].get<std::size_t>();
      const double expected = table["alphas_cumprod"][i].get<double>();
      // Euler's classes lift the last value from 0 to 2^-24 afterwards.
      if (index + 1 == cumprod.size() && expected < 1e-6 && expected > 0) continue;
      EXPECT_NEAR(cumprod[index], expected, 1e-7 + 1e-6 * expected) << "timestep " << index;
    }
  }
}

TEST(Schedule, TimestepsSigmasAndInitialNoiseEqualTheReference) {
  const Json cases = testing::golden_json("schedules.json").at("cases");
  ASSERT_GT(cases.size(), 100u);
  for (const Json& expected : cases) {
    SCOPED_TRACE(expected["class"].get<std::string>() + " " + expected["config"].dump() + " steps " +
                 expected["steps"].dump());
    const SchedulerConfig config = config_from(expected["config"], expected["class"]);
    const Sampler* const sampler = find_sampler_of(config);
    ASSERT_NE(sampler, nullptr);
    const SamplingPlan plan = sampler->plan(config, {expected["steps"].get<int>()});
    EXPECT_NEAR(plan.initial_noise_scale, expected["init_noise_sigma"].get<double>(),
                1e-5 * plan.initial_noise_scale);
    ASSERT_EQ(plan.entries.size(), expected["timesteps"].size());
    ASSERT_EQ(plan.steps.size(), plan.entries.size());
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const double timestep = expected["timesteps"][i].get<double>();
      const double uncertain = testing::middle_uncertainty(*sampler, plan, i) / log_step_at(config, timestep);
      EXPECT_NEAR(plan.steps[i].timestep, timestep, 1e-4 + 1e-6 * timestep + uncertain);
      EXPECT_EQ(plan.steps[i].timestep, plan.entries[i].timestep);
      if (!expected.contains("sigmas")) continue;
      const double sigma = expected["sigmas"][i].get<double>();
      const auto sigma_of = [](const Level& level) { return level.sigma / level.alpha; };
      EXPECT_NEAR(sigma_of(plan.entries[i].level), sigma, 1e-5 * sigma) << i;
      // DPM2's second evaluations are at a sigma between.
      const bool is_between = expected.contains("sigmas_interpol") && i % 2 == 1;
      if (!is_between) {
        EXPECT_NEAR(sigma_of(plan.steps[i].from), sigma, 1e-5 * sigma) << i;
      }
      if (!expected.contains("sigmas_interpol")) {
        EXPECT_NEAR(sigma_of(plan.steps[i].to), expected["sigmas"][i + 1].get<double>(), 1e-5 * sigma) << i;
      }
    }
  }
}

// So says the formula, and so it is on every processor and for every length of the steps: sqrt(from to^2 /
// from) = to.
TEST(Schedule, TheMiddleOfADpm2StepWithAncestralNoiseIsAtItsEnd) {
  for (const int steps : {2, 3, 5, 30}) {
    const SamplingPlan plan = find_sampler("dpm2-a").plan({}, {steps});
    ASSERT_EQ(plan.steps.size(), 2u * static_cast<std::size_t>(steps) - 1);
    for (std::size_t i = 1; i < plan.steps.size(); i += 2)
      EXPECT_NEAR(plan.steps[i].from.sigma, plan.steps[i].to.sigma, 1e-12 * plan.steps[i].to.sigma);
  }
  EXPECT_NEAR(find_sampler("dpm2-a").plan({}, {2}).steps[1].timestep, 0.0, 1e-5);
}

TEST(Schedule, SigmasAreRoundedAsIeeeSaysOnEveryProcessor) {
  const std::vector<double> cumprod = alphas_cumprod({}, false);
  const SigmaTable table(cumprod);
  ASSERT_EQ(table.sigmas.size(), cumprod.size());
  for (std::size_t i = 0; i < cumprod.size(); ++i) {
    const float ratio = (1.0F - static_cast<float>(cumprod[i])) / static_cast<float>(cumprod[i]);
    const double exact = std::sqrt(static_cast<double>(ratio));
    EXPECT_EQ(table.sigmas[i], static_cast<float>(exact)) << i;
  }
}

TEST(Schedule, StableDiffusionSigmasAreThePublishedOnes) {
  SchedulerConfig config;
  config.beta_schedule = "scaled_linear";
  config.beta_start = 0.00085;
  config.beta_end = 0.012;
  const std::vector<double> cumprod = alphas_cumprod(config, false);
  const auto sigma = [&](int t) { return std::sqrt((1 - cumprod[t]) / cumprod[t]); };
  EXPECT_NEAR(sigma(0), 0.0291672, 1e-6);
  EXPECT_NEAR(sigma(1), 0.0413144, 1e-6);
  EXPECT_NEAR(sigma(999), 14.614641, 1e-4);
}

TEST(Schedule, AClassIsTheSamplersThatItsConfigTells) {
  const auto name = [](const char* class_name, const char* algorithm) -> std::string {
    const Sampler* const sampler = find_sampler_of(config_from({{"algorithm_type", algorithm}}, class_name));
    return sampler ? sampler->name : "";
  };
  EXPECT_EQ(name("DPMSolverMultistepScheduler", "dpmsolver++"), "dpm++2m");
  EXPECT_EQ(name("DPMSolverMultistepScheduler", "sde-dpmsolver++"), "dpm++2m-sde");
  EXPECT_EQ(name("DPMSolverMultistepScheduler", "dpmsolver"), "");
  EXPECT_EQ(name("DPMSolverSinglestepScheduler", "dpmsolver++"), "dpm++2s");
  EXPECT_EQ(name("UnknownScheduler", ""), "");
  EXPECT_EQ(name("", ""), "");
  for (const Sampler& sampler : samplers())
    if (!sampler.scheduler_class.empty() && sampler.name != "dpm++2m-sde") {
      EXPECT_EQ(find_sampler_of(config_from(Json::object(), sampler.scheduler_class)), &sampler);
    }
}

TEST(Schedule, BetaQuantilesAreScipys) {  // scipy.stats.beta.ppf(p, 0.6, 0.6)
  for (const auto& [p, expected] : std::vector<std::pair<double, double>>{{0.001, 1.855873851745199e-05},
                                                                          {0.1, 0.039584405588780847},
                                                                          {0.25, 0.17568037865269498},
                                                                          {0.5, 0.5},
                                                                          {0.7, 0.76598299612476428},
                                                                          {0.999, 0.99998144126148258}})
    EXPECT_NEAR(beta_quantile(p, 0.6, 0.6), expected, 1e-12);
  EXPECT_NEAR(beta_quantile(0.3, 2.0, 5.0), 0.18180347131894917, 1e-12);
}

TEST(Schedule, ARequestOverridesTheModelsMarkers) {
  const SchedulerConfig model = config_from({{"use_karras_sigmas", true}}, "EulerDiscreteScheduler");
  EXPECT_EQ(overridden(model, {}).sigma_schedule, SigmaSchedule::kKarras);
  EXPECT_EQ(overridden(model, {.schedule = "normal"}).sigma_schedule, SigmaSchedule::kTimesteps);
  const SchedulerConfig changed = overridden(model, {.schedule = "beta",
                                                     .prediction_type = "v_prediction",
                                                     .timestep_spacing = "trailing",
                                                     .zero_snr = true});
  EXPECT_EQ(changed.sigma_schedule, SigmaSchedule::kBeta);
  EXPECT_EQ(changed.prediction_type, PredictionType::kVPrediction);
  EXPECT_EQ(changed.timestep_spacing, TimestepSpacing::kTrailing);
  EXPECT_TRUE(changed.rescale_betas_zero_snr);
  try {
    overridden(model, {.schedule = "karas"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean karras?"), std::string::npos);
  }
  EXPECT_THROW(overridden(model, {.prediction_type = "v"}), Error);
  EXPECT_THROW(overridden(model, {.timestep_spacing = "even"}), Error);
}

TEST(Schedule, EpsilonVAndSampleSayTheSame) {
  const Level level{0.6, 0.8};
  const Tensor x0 = at::full({1, 1, 2, 2}, 0.5), eps = at::full({1, 1, 2, 2}, -1.5);
  const Tensor x = level.alpha * x0 + level.sigma * eps;
  const Tensor v = level.alpha * eps - level.sigma * x0;
  for (const auto& [type, output] : {std::pair{PredictionType::kEpsilon, eps},
                                     {PredictionType::kSample, x0},
                                     {PredictionType::kVPrediction, v}}) {
    const Estimate estimate = estimate_from_output(type, output, x, level);
    EXPECT_TRUE(testing::is_close(estimate.x0, x0, 1e-6));
    EXPECT_TRUE(testing::is_close(estimate.eps, eps, 1e-6));
  }
}

TEST(Schedule, KeysASamplerCannotHonourAreNamedAndLeaveTheOthersFree) {
  const auto refusal = [](const char* key, const char* sampler) -> std::string {
    try {
      find_sampler(sampler).plan(config_from({{key, true}}, "DPMSolverMultistepScheduler"), {5});
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      return error.what();
    }
  };
  EXPECT_NE(refusal("thresholding", "ddim").find("thresholding"), std::string::npos);
  EXPECT_NE(refusal("thresholding", "dpm++2m").find("thresholding"), std::string::npos);
  EXPECT_NE(refusal("use_flow_sigmas", "unipc").find("use_flow_sigmas"), std::string::npos);
  EXPECT_EQ(refusal("thresholding", "euler"), "");
  for (const char* sampler : {"ddim", "euler", "euler-a", "dpm++2m"})
    EXPECT_EQ(refusal("use_karras_sigmas", sampler), "") << "honoured or, as the reference does, left aside";
  EXPECT_THROW(config_from({{"use_karras_sigmas", true}, {"use_beta_sigmas", true}}, "LMSDiscreteScheduler"),
               Error);
  EXPECT_THROW(config_from({{"solver_type", "midpint"}}, "DPMSolverMultistepScheduler"), Error);
  EXPECT_THROW(config_from({{"solver_order", 4}}, "DPMSolverMultistepScheduler"), Error);
  EXPECT_THROW(config_from({{"beta_start", -1}}, "DDIMScheduler"), Error);
  EXPECT_THROW(config_from({{"beta_start", 1e300}}, "DDIMScheduler"), Error);
  EXPECT_THROW(config_from({{"num_train_timesteps", 4294968296}}, "DDIMScheduler"), Error);
  EXPECT_THROW(config_from({{"num_train_timesteps", 100.5}}, "DDIMScheduler"), Error);
  EXPECT_THROW(config_from({{"beta_schedule", "cosine"}}, "DDIMScheduler"), Error);
  EXPECT_THROW(config_from({{"prediction_type", "flow"}}, "DDIMScheduler"), Error);
  EXPECT_THROW(config_from({{"timestep_spacing", "even"}}, "DDIMScheduler"), Error);
}

}  // namespace
}  // namespace sdgen
