// What a run plans to hold, and that streaming what does not fit changes nothing but that.
#include "run/memory_plan.h"

#include <gmock/gmock.h>

#include <map>

#include "base/memory.h"
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
  const ModelFiles with_lora{.model = testing::golden_path("pipelines/sd15-tiny"),
                             .loras = {{testing::golden_path("loras/kohya.safetensors"), 1.0}}};
  const Request two{.prompt = "a cat", .steps = 3, .seed = 1, .width = 64, .height = 64, .count = 2};
  Request steered = two, edited = two, weighed = two;
  steered.control_image = {start};
  edited.edit_from = "a dog";
  weighed.attend = {{"cat", 2.0}};
  for (const auto& [files, request] : {std::pair(plain, two),
                                       {plain, edited},
                                       {plain, weighed},
                                       {refined, two},
                                       {controlled, steered},
                                       {with_lora, two}})
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      SCOPED_TRACE(concat(files.model.string(), " ", static_cast<int>(dtype)));
      const Drawn whole = drawn(files, request, {.dtype = dtype});
      const Drawn streamed =
          drawn(files, request, {.dtype = dtype, .low_memory = true, .memory_limit = kTooLittleGiB});
      ASSERT_EQ(streamed.images.size(), 2u);
      for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(streamed.images[i].rgb, whole.images[i].rgb);
      const auto kept = by_name(whole.plan).at("unet"), unet = by_name(streamed.plan).at("unet");
      EXPECT_EQ(kept.streamed_bytes, 0u);
      EXPECT_GT(unet.streamed_bytes, unet.weight_bytes) << "only small layers always stay";
      EXPECT_EQ(unet.streamed_bytes + unet.weight_bytes, kept.weight_bytes);
    }
}

TEST(LowMemory, ALanguageModelIsStreamedLikeATransformer) {
  const ModelFiles files{.model = testing::golden_path("flow_families/pipelines/z-image-tiny")};
  const Request request{.prompt = "a cat", .steps = 2, .seed = 1, .width = 48, .height = 32};
  const Drawn whole = drawn(files, request, {.dtype = DType::kFloat32, .vae_tiling = VaeTiling::kOff});
  const Drawn streamed = drawn(files, request,
                               {.dtype = DType::kFloat32,
                                .vae_tiling = VaeTiling::kOff,
                                .low_memory = true,
                                .memory_limit = kTooLittleGiB});
  EXPECT_EQ(streamed.images.front().rgb, whole.images.front().rgb);
  for (const std::string name : {"text_encoder", "transformer"}) {
    const auto kept = by_name(whole.plan).at(name), less = by_name(streamed.plan).at(name);
    EXPECT_EQ(kept.streamed_bytes, 0u) << name;
    EXPECT_GT(less.streamed_bytes, 0u) << name;
    EXPECT_EQ(less.streamed_bytes + less.weight_bytes, kept.weight_bytes) << name;
  }
}

TEST(LowMemory, EachRunPlansAnew) {
  Generator generator(testing::golden_path("pipelines/sd15-tiny"),
                      {.device = Device::kCpu, .low_memory = true, .memory_limit = 1.2});
  const auto streamed = [&](int pixels) {
    std::uint64_t bytes = 0;
    generator.run(
        {{.prompt = "a cat", .steps = 1, .seed = 1, .width = pixels, .height = pixels}}, {},
        {.on_plan = [&](const MemoryPlan& plan) { bytes = by_name(plan).at("unet").streamed_bytes; },
         .should_stop = [] { return true; }});
    return bytes;
  };
  EXPECT_EQ(streamed(64), 0u);
  EXPECT_GT(streamed(8192), 0u) << "a step of so large a picture leaves no room";
  EXPECT_EQ(streamed(64), 0u);
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

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

RunSize size_of(std::int64_t side, bool is_one_batch) {
  return {.network = {.rows = 2, .height = side, .width = side},
          .decoded_height = side,
          .decoded_width = side,
          .is_one_batch = is_one_batch};
}

TEST(MemoryPlan, StreamsNoMoreThanWhatDoesNotFit) {
  const Model model = read_model({.model = testing::golden_path("pipelines/sd15-tiny")});
  const Compute compute{at::kCPU, at::kFloat};
  for (const bool is_one_batch : {true, false}) {
    const auto unet = [&](std::uint64_t left) {
      const PlannedRun planned =
          plan_memory({&model}, compute, {.low_memory = true}, size_of(8, is_one_batch), left);
      const auto part = by_name(planned.plan).at("unet");
      EXPECT_EQ(planned.held_of_networks.at(0).has_value(), part.streamed_bytes > 0);
      return part;
    };
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
}

TEST(MemoryPlan, AUnetThatStaysLeavesRoomForDecoding) {
  const Model model = read_model({.model = testing::golden_path("pipelines/sd15-tiny")});
  const auto streamed = [&](bool is_one_batch, std::size_t models) {
    const std::vector<const Model*> all(models, &model);
    // so large a picture takes far more to decode than this UNet has
    const PlannedRun planned = plan_memory(all, {at::kCPU, at::kFloat}, {.low_memory = true},
                                           size_of(64, is_one_batch), 200 * (kGiB >> 10));
    std::uint64_t bytes = 0;
    for (const MemoryPlan::Part& part : planned.plan.parts) bytes += part.streamed_bytes;
    return bytes;
  };
  EXPECT_GE(streamed(false, 1), streamed(true, 1));
  EXPECT_GE(streamed(false, 2), 2 * streamed(false, 1)) << "two share the room";
}

TEST(MemoryPlan, GrowsWithThePictureAndNamesHowItIsDecoded) {
  const Model model = read_model({.model = testing::golden_path("pipelines/sd15-tiny")});
  const auto plan = [&](std::int64_t side, VaeTiling tiling) {
    return plan_memory({&model}, {at::kCPU, at::kFloat}, {.vae_tiling = tiling}, size_of(side, false), {})
        .plan;
  };
  const auto small = by_name(plan(8, VaeTiling::kAuto)), large = by_name(plan(32, VaeTiling::kAuto));
  EXPECT_GT(large.at("unet").work_bytes, 10 * small.at("unet").work_bytes);
  EXPECT_EQ(large.at("vae").streamed_bytes, 0u);
  EXPECT_EQ(by_name(plan(32, VaeTiling::kOn)).count("vae in tiles"), 1u);
  EXPECT_FALSE(plan(8, VaeTiling::kAuto).available_bytes);
}

TEST(MemoryPlan, ControlNetsAreParts) {
  Model model = read_model({.model = testing::golden_path("pipelines/sd15-tiny")});
  model.controlnets.push_back(open_controlnet(testing::golden_path("controlnets/sd15-edges"), model));
  const auto parts = by_name(plan_memory({&model}, {at::kCPU, at::kFloat}, {}, size_of(8, true), {}).plan);
  EXPECT_GT(parts.at("controlnet sd15-edges").weight_bytes, 0u);
}

TEST(MemoryLeft, IsNoMoreThanTheLimitLeaves) {
  const auto all = memory_left(at::kCPU, {}), limited = memory_left(at::kCPU, {.limit = kGiB});
  ASSERT_TRUE(all && limited);
  EXPECT_GT(resident_memory_bytes(), 1u << 20);
  EXPECT_LT(*limited, kGiB);
  EXPECT_EQ(memory_left(at::kCPU, {.limit = 1}), std::optional<std::uint64_t>(0));
}

}  // namespace
}  // namespace sdgen
