#include "diffusion/samplers/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "plain/errors.h"
#include "sdgen/request.h"
#include "support/golden.h"

namespace sdgen {
namespace {

// The denoiser that scripts/make_goldens gave to diffusers' schedulers.
Tensor analytic_output(const Tensor& x, const Step& step) {
  const double timestep = step.timestep;
  const Tensor input = x / std::hypot(step.from.alpha, step.from.sigma);
  return 0.3 * input + (0.2 * std::cos(timestep / 1000)) * at::roll(input, {1}, {-1}) +
         0.1 * std::sin(0.01 * timestep);
}

Tensor run(const Sampler& sampler, const SchedulerConfig& config, int steps, double eta, NoiseSource& noise,
           at::IntArrayRef shape, const StepRange& range = {}) {
  const SamplingPlan plan = sampler.plan(config, {steps, range, eta});
  const Denoiser denoiser{analytic_output, config.prediction_type};
  int calls = 0;
  const Tensor start = noise.draw(shape);
  const Level& level = plan.entries[plan.first].level;
  // A run that begins late begins with a picture, as from an image.
  const Tensor x = plan.first > 0 ? level.alpha * at::full_like(start, 0.5) + level.sigma * start
                                  : start * plan.initial_noise_scale;
  const Tensor latents = plan.sample(denoiser, x, noise, [&](const Step& step, Tensor&) {
    EXPECT_EQ(plan.number_of(step), ++calls);
    EXPECT_EQ(step.timestep, plan.entries[step.index].timestep);
  });
  EXPECT_EQ(static_cast<std::size_t>(calls), plan.steps.size());
  return latents;
}

// The sampler of a golden's scheduler class; diffusers has none for DPM++ 2S a.
const Sampler* sampler_of(const Json& expected, const SchedulerConfig& config) {
  if (expected["class"] == "Ancestral2S") return &find_sampler("dpm++2s-a");
  if (expected["class"] == "ResMultistep") return &find_sampler("res-multistep");
  return find_sampler_of(config);
}

TEST(Samplers, NamesForHelpAreTheTables) {
  std::vector<std::string> names;
  for (const Sampler& sampler : samplers()) names.push_back(sampler.name);
  EXPECT_EQ(sampler_names(), names);
}

TEST(Samplers, WholeLoopsEqualTheReference) {
  const Json golden = testing::golden_json("samplers.json");
  const testing::GoldenTensors tensors("samplers.safetensors");
  const auto seeds = golden["seeds"].get<std::vector<std::uint64_t>>();
  const auto shape = golden["shape"].get<std::vector<std::int64_t>>();
  ASSERT_GT(golden["cases"].size(), 200u);
  std::map<std::string, double> worst;  // of each sampler, as a part of the scale
  for (const Json& expected : golden["cases"]) {
    SCOPED_TRACE(expected["name"].get<std::string>());
    const SchedulerConfig scheduler = SchedulerConfig::read({"scheduler_config.json", expected["config"]});
    const Sampler* const sampler = sampler_of(expected, scheduler);
    ASSERT_NE(sampler, nullptr);
    StepRange range;
    if (expected.contains("first")) range.first = expected["first"].get<std::size_t>();
    if (expected.contains("end") && !expected["end"].is_null())
      range.end = expected["end"].get<std::size_t>();
    NoiseSource noise(seeds);
    const Tensor latents = run(*sampler, scheduler, expected["steps"], expected["eta"], noise,
                               at::IntArrayRef(shape).slice(1), range);
    const Tensor reference = tensors.at(expected["key"]);
    // A few roundings of float32, at the scale of the latents and of the noise they come from (4096 with zero
    // SNR).
    const double scale = std::max(1.0, reference.abs().max().item<double>());
    const double noise_scale = sampler->plan(scheduler, {expected["steps"].get<int>()}).initial_noise_scale;
    EXPECT_TRUE(testing::is_close(latents, reference, 2e-5 * scale + 6e-8 * noise_scale));
    double& of_sampler = worst[sampler->name];
    of_sampler = std::max(of_sampler, (latents - reference).abs().max().item<double>() / scale);
  }
  EXPECT_EQ(worst.size(), samplers().size());
  for (const auto& [name, error] : worst) RecordProperty(name, concat(error));
}

TEST(Samplers, DdimWithEtaOneEqualsDdpm) {
  SchedulerConfig config;
  config.clip_sample = false;
  config.timestep_spacing = TimestepSpacing::kLeading;
  NoiseSource noise_a({3}), noise_b({3});
  // With 10 steps of 1000 both step to the same previous timestep.
  const Tensor ddim = run(find_sampler("ddim"), config, 10, 1.0, noise_a, {4, 6, 5});
  const Tensor ddpm = run(find_sampler("ddpm"), config, 10, 0.0, noise_b, {4, 6, 5});
  EXPECT_TRUE(testing::is_close(ddim, ddpm, 1e-4));
}

TEST(Samplers, UnknownNameSuggestsTheNearest) {
  try {
    find_sampler("dim");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kRequest);
    EXPECT_EQ(std::string(error.what()).find("unknown sampler 'dim'; did you mean ddim? known: ddim, ddpm, "),
              0u)
        << error.what();
  }
}

TEST(Samplers, StepsOutOfRangeAreRefused) {
  const SchedulerConfig config;
  for (const Sampler& sampler : samplers()) {
    EXPECT_THROW(sampler.plan(config, {0}), Error) << sampler.name;
    EXPECT_THROW(sampler.plan(config, {1001}), Error) << sampler.name;
    // LCM and TCD know only the timesteps that they were distilled on.
    const bool is_distilled = sampler.name == "lcm" || sampler.name == "tcd";
    EXPECT_NO_THROW(sampler.plan(config, {is_distilled ? 50 : 1000})) << sampler.name;
  }
}

TEST(Samplers, RangesOutsideOfTheListOrWithinAStepAreRefused) {
  const SchedulerConfig config;
  for (const Sampler& sampler : samplers()) {
    SCOPED_TRACE(sampler.name);
    const std::size_t entries = sampler.plan(config, {5}).entries.size();
    EXPECT_THROW(sampler.plan(config, {5, {entries}}), Error);
    EXPECT_THROW(sampler.plan(config, {5, {2, 2}}), Error);
    EXPECT_THROW(sampler.plan(config, {5, {0, entries + 1}}), Error);
    const SamplingPlan part = sampler.plan(config, {5, {2, 4}});
    EXPECT_EQ(part.steps.size(), 2u);
    EXPECT_EQ(part.entries.size(), entries);
    EXPECT_EQ(part.steps[0].timestep, part.entries[2].timestep);
    if (part.entries_per_step == 2) {
      EXPECT_THROW(sampler.plan(config, {5, {1}}), Error);
    }
  }
}

TEST(Samplers, ACallbackMayReplaceTheLatents) {
  const SchedulerConfig config;
  const Tensor known = at::full({1, 4, 6, 5}, 0.25);
  for (const Sampler& sampler : samplers()) {
    SCOPED_TRACE(sampler.name);
    const SamplingPlan plan = sampler.plan(config, {4});
    std::vector<Tensor> seen;
    const Denoiser denoiser{[&](const Tensor& x, const Step& step) {
                              seen.push_back(x);
                              return analytic_output(x, step);
                            },
                            config.prediction_type};
    NoiseSource noise({3});
    const Tensor latents =
        plan.sample(denoiser, noise.draw({4, 6, 5}), noise, [&](const Step&, Tensor& x) { x = known; });
    for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_TRUE(at::equal(seen[i], known));
    EXPECT_TRUE(at::equal(latents, known));
  }
}

TEST(Samplers, WhatASamplerMakesNoUseOfIsRefusedWithThoseThatDo) {
  const auto refusal = [](const char* sampler, const ScheduleOverrides& request) -> std::string {
    try {
      require_used(find_sampler(sampler), request);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kRequest);
      return error.what();
    }
  };
  for (const char* name : {"ddim", "ddpm", "pndm", "lcm", "tcd", "euler-a"})
    EXPECT_EQ(refusal(name, {.schedule = "karras"})
                  .find(concat("sampler ", name,
                               " takes no schedule karras; "
                               "these do: euler, heun")),
              0u);
  EXPECT_EQ(refusal("ddim", {.schedule = "normal"}), "");
  EXPECT_EQ(refusal("dpm++2m", {.schedule = "lu"}), "");
  EXPECT_NE(refusal("euler", {.schedule = "lu"}).find("these do: dpm++2m, dpm++2m-sde"), std::string::npos);
  EXPECT_NE(refusal("lms", {.zero_snr = true}).find("zero-snr"), std::string::npos);
  EXPECT_NE(refusal("dpm++2s", {.timestep_spacing = "leading"}).find("timestep-spacing"), std::string::npos);
  EXPECT_NE(refusal("euler", {.eta = 0.5}).find("these do: ddim, tcd"), std::string::npos);
}

TEST(NoiseSource, DrawsTorchsNoiseForEachPictureAlone) {
  // torch.randn((2, 3), generator=torch.Generator().manual_seed(42)) takes the path of small sizes; a picture
  // does not.
  const Tensor small = NoiseSource({42}).draw({2, 3})[0];
  const Tensor expected = at::tensor({0.3367, 0.1288, 0.2345, 0.2303, -1.1229, -0.1863}).view({2, 3});
  EXPECT_TRUE(testing::is_close(small, expected, 1e-4));
  NoiseSource alone({8}), together({7, 8, 9});
  for (int draw = 0; draw < 2; ++draw)
    EXPECT_TRUE(at::equal(alone.draw({4, 6, 5})[0], together.draw({4, 6, 5})[1]));
}

}  // namespace
}  // namespace sdgen
