// What a run plans to hold, and that streaming what does not fit changes nothing but that.
#include "pipeline/memory_plan.h"

#include <gmock/gmock.h>

#include <map>

#include "sdgen/generator.h"
#include "support/golden.h"

namespace sdgen {
namespace {

struct Drawn {
  std::vector<Image> images;
  MemoryPlan plan;
};

Drawn drawn(const ModelFiles& files, const Request& request, ComputeOptions compute) {
  compute.device = Device::kCpu;
  Drawn result;
  int plans = 0;
  Generator(files, compute)
      .run({request}, {},
           {.on_picture = [&](const Picture& picture) { result.images.push_back(picture.image); },
            .on_plan =
                [&](const MemoryPlan& plan) {
                  result.plan = plan;
                  ++plans;
                }});
  EXPECT_EQ(plans, 1);
  return result;
}

std::map<std::string, MemoryPlan::Part> by_name(const MemoryPlan& plan) {
  std::map<std::string, MemoryPlan::Part> parts;
  for (const MemoryPlan::Part& part : plan.parts) parts.emplace(part.name, part);
  return parts;
}

// More than any machine of this kind has free beside the process.
constexpr double kTooLittleGiB = 1e-6;

TEST(LowMemory, StreamedModelsDrawTheSamePictures) {
  const auto family = [](const std::string& name) {
    return testing::golden_path("families/pipelines/" + name);
  };
  const std::string start = testing::golden_path("families/start.png");
  const ModelFiles plain{.model = testing::golden_path("pipelines/sd15-tiny")};
  const ModelFiles refined{.model = family("xl-tiny"), .refiner = family("refiner-tiny")};
  const ModelFiles controlled{.model = testing::golden_path("pipelines/sd15-tiny"),
                              .controlnets = {testing::golden_path("controlnets/sd15-edges")}};
  const Request two{.prompt = "a cat", .steps = 3, .seed = 1, .width = 64, .height = 64, .count = 2};
  Request steered = two;
  steered.control_image = {start};
  for (const auto& [files, request] : {std::pair(plain, two), {refined, two}, {controlled, steered}})
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      SCOPED_TRACE(concat(files.model.string(), " ", static_cast<int>(dtype)));
      const Drawn whole = drawn(files, request, {.dtype = dtype});
      const Drawn streamed =
          drawn(files, request, {.dtype = dtype, .low_memory = true, .memory_limit = kTooLittleGiB});
      ASSERT_EQ(streamed.images.size(), 2u);
      for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(streamed.images[i].rgb, whole.images[i].rgb);
      const auto kept = by_name(whole.plan).at("unet"), unet = by_name(streamed.plan).at("unet");
      EXPECT_EQ(kept.streamed_bytes, 0u);
      EXPECT_GT(kept.weight_bytes, 0u);
      EXPECT_EQ(unet.weight_bytes, 0u);
      EXPECT_EQ(unet.streamed_bytes, kept.weight_bytes);
    }
}

TEST(LowMemory, NothingIsStreamedWhereEverythingFits) {
  const Drawn fits = drawn({.model = testing::golden_path("pipelines/sd15-tiny")},
                           {.prompt = "a cat", .steps = 1, .seed = 1}, {.low_memory = true});
  EXPECT_EQ(by_name(fits.plan).at("unet").streamed_bytes, 0u);
}

TEST(LowMemory, ALimitMustBePositive) {
  const auto open = [](double limit) {
    Generator(testing::golden_path("pipelines/sd15-tiny"), {.device = Device::kCpu, .memory_limit = limit});
  };
  EXPECT_THAT([&] { open(0.0); }, ::testing::ThrowsMessage<Error>(::testing::HasSubstr("must be positive")));
  EXPECT_NO_THROW(open(0.5));
}

TEST(MemoryPlan, StreamsNoMoreThanWhatDoesNotFit) {
  const Model model = read_model({.model = testing::golden_path("pipelines/sd15-tiny")});
  const Compute compute{at::kCPU, at::kFloat};
  const BatchSize size{.rows = 1, .questions = 2, .height = 8, .width = 8, .is_last = true};
  const auto unet = [&](std::uint64_t left) {
    return by_name(plan_memory({&model}, compute, {.low_memory = true}, size, left)).at("unet");
  };
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  const auto all = unet(64 * kGiB);
  EXPECT_EQ(all.streamed_bytes, 0u);
  std::uint64_t before = 0;
  for (std::uint64_t left = 0; left < kGiB; left += kGiB / 1024) {
    const auto part = unet(left);
    EXPECT_EQ(part.weight_bytes + part.streamed_bytes, all.weight_bytes);
    EXPECT_GE(part.weight_bytes, before);
    before = part.weight_bytes;
  }
  EXPECT_EQ(before, all.weight_bytes);
}

TEST(MemoryPlan, GrowsWithThePictureAndNamesHowItIsDecoded) {
  const Model model = read_model({.model = testing::golden_path("pipelines/sd15-tiny")});
  const Compute compute{at::kCPU, at::kFloat};
  const auto plan = [&](std::int64_t side, VaeTiling tiling) {
    return plan_memory({&model}, compute, {.vae_tiling = tiling},
                       {.rows = 1, .questions = 2, .height = side, .width = side, .is_last = false}, {});
  };
  const auto small = by_name(plan(8, VaeTiling::kAuto)), large = by_name(plan(32, VaeTiling::kAuto));
  EXPECT_GT(large.at("unet").work_bytes, 10 * small.at("unet").work_bytes);
  EXPECT_EQ(large.at("vae").streamed_bytes, 0u);
  EXPECT_EQ(by_name(plan(32, VaeTiling::kOn)).count("vae in tiles"), 1u);
  EXPECT_FALSE(plan(8, VaeTiling::kAuto).available_bytes);
}

}  // namespace
}  // namespace sdgen
