// Whole runs from given states of the text encoder, against diffusers' ZImagePipeline: network, guidance,
// sampler and noise together.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "diffusion/guidance.h"
#include "diffusion/networks/z_image.h"
#include "support/filled_weights.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

class ZImageRuns : public ::testing::TestWithParam<std::string> {
 protected:
  const Json golden_ = testing::golden_json("z_image_transformer/pipeline.json");
  const testing::GoldenTensors tensors_{"z_image_transformer/pipeline.safetensors"};

  const Json& golden_case() const {
    const Json& cases = golden_["cases"];
    return *std::find_if(cases.begin(), cases.end(),
                         [](const Json& one) { return one["name"] == GetParam(); });
  }
  Tensor tensor(const std::string& what) const { return tensors_.at(GetParam() + "." + what); }

  std::unique_ptr<const Network> network() const {
    const Json models = testing::golden_json("z_image_transformer/network.json")["models"];
    const Json& model = models[golden_["model"].get<std::string>()];
    return ZImageModel(ZImageConfig::read({"transformer/config.json", model["config"]}))
        .build(testing::filled_weights(model["shapes"]), Residency());
  }
};

TEST_P(ZImageRuns, LatentsEqualThePipelines) {
  const Json& run = golden_case();
  SchedulerConfig scheduler = SchedulerConfig::read({"scheduler_config.json", run["scheduler"]});
  scheduler.flow.given_sigmas = true;
  const std::int64_t height = run["height"], width = run["width"], count = run["count"];
  const SamplingPlan plan = find_sampler_of(scheduler)->plan(
      scheduler, {.steps = run["steps"], .image_seq_len = height / 2 * (width / 2)});
  const auto of_all = [&](const char* what) { return tensor(what).expand({count, -1, -1}); };
  Conditioning conditioning{.conditional = of_all("words"), .unconditional = {}};
  // The pipeline counts guidance from the words on, pos + g (pos - neg), and asks without them where g > 0.
  if (const double guidance = run["guidance_scale"]; guidance > 0.0) {
    conditioning.unconditional = of_all("without");
    conditioning.guidance_scale = 1.0 + guidance;
  }
  const std::unique_ptr<const Network> net = network();
  const Denoiser denoiser = guided_denoiser(*net, scheduler.prediction_type, conditioning, Compute{});
  std::vector<std::uint64_t> seeds(static_cast<std::size_t>(count));
  std::iota(seeds.begin(), seeds.end(), run["seed"].get<std::uint64_t>());
  NoiseSource noise(seeds);
  const Tensor start = noise.draw({16, height, width});
  const Tensor latents = plan.sample(denoiser, start, noise, [](const Step&, Tensor&) {});
  const Tensor expected = tensor("latents");
  EXPECT_TRUE(testing::is_close(latents, expected, 5e-5 * testing::rms(expected)));
}

INSTANTIATE_TEST_SUITE_P(Golden, ZImageRuns, ::testing::Values("turbo", "guided", "dynamic"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace sdgen
