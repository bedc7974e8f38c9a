#include "diffusion/samplers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sdgen/request.h"
#include "support/golden.h"

namespace sdgen {
namespace {

// The denoiser that scripts/make_goldens gave to diffusers' schedulers.
Tensor analytic_output(const Tensor& x, const Level& level, double timestep) {
  const Tensor input = x / std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
  return 0.3 * input + (0.2 * std::cos(timestep / 1000)) * at::roll(input, {1}, {-1}) +
         0.1 * std::sin(0.01 * timestep);
}

Tensor run(const Sampler& sampler, const SchedulerConfig& config, int steps, double eta, NoiseSource& noise,
           at::IntArrayRef shape) {
  SamplingPlan plan = sampler.plan(config, steps);
  plan.options.eta = eta;
  const Denoiser denoiser{analytic_output, config.prediction_type};
  int calls = 0;
  const Tensor latents =
      sampler.sample(denoiser, noise.draw(shape) * plan.initial_noise_scale, plan.steps, plan.options, noise,
                     [&](int step, const Tensor&) { EXPECT_EQ(step, ++calls); });
  EXPECT_EQ(static_cast<std::size_t>(calls), plan.steps.size());
  return latents;
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
  for (const Json& expected : golden["cases"]) {
    SCOPED_TRACE(expected["name"].get<std::string>());
    const Sampler* const sampler = find_sampler_of_class(expected["class"]);
    ASSERT_NE(sampler, nullptr);
    const Config config{"scheduler_config.json", expected["config"]};
    if (config.value("use_karras_sigmas",
                     false)) {  // not offered yet: refused, never drawn with other sigmas
      EXPECT_THROW(sampler->plan(SchedulerConfig::read(config), expected["steps"]), Error);
      continue;
    }
    const SchedulerConfig scheduler = SchedulerConfig::read(config);
    NoiseSource noise(seeds);
    const Tensor latents =
        run(*sampler, scheduler, expected["steps"], expected["eta"], noise, at::IntArrayRef(shape).slice(1));
    const Tensor reference = tensors.at(expected["key"]);
    // A few roundings of float32, at the scale of the latents and of the noise they come from (4096 with zero
    // SNR).
    const double scale = std::max(1.0, reference.abs().max().item<double>());
    const double noise_scale = sampler->plan(scheduler, expected["steps"]).initial_noise_scale;
    EXPECT_TRUE(testing::is_close(latents, reference, 2e-5 * scale + 6e-8 * noise_scale));
  }
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
    EXPECT_STREQ(error.what(),
                 "unknown sampler 'dim'; did you mean ddim? known: ddim, ddpm, pndm, euler, euler-a");
  }
}

TEST(Samplers, StepsOutOfRangeAreRefused) {
  const SchedulerConfig config;
  for (const Sampler& sampler : samplers()) {
    EXPECT_THROW(sampler.plan(config, 0), Error) << sampler.name;
    EXPECT_THROW(sampler.plan(config, 1001), Error) << sampler.name;
    EXPECT_NO_THROW(sampler.plan(config, 1000)) << sampler.name;
  }
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
