// Whole pictures through the public library against StableDiffusionPipeline.
#include <gtest/gtest.h>

#include <map>

#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/pictures.h"

namespace sdgen {
namespace {

Tensor draw(Generator& generator, const Request& request, int batch_size) {
  std::vector<Image> images;
  Observer observer;
  observer.on_picture = [&](const Picture& picture) {
    EXPECT_EQ(picture.index, static_cast<int>(images.size()));
    EXPECT_EQ(picture.seed, *request.seed + static_cast<std::uint64_t>(picture.index));
    images.push_back(picture.image);
  };
  EXPECT_TRUE(generator.run({request}, {.batch_size = batch_size}, observer));
  return testing::tensor_of(images);
}

// The model that a case names, and the refiner and ControlNets if it names any.
ModelFiles files_of(const Json& expected) {
  const auto folder = [](const std::string& name) -> std::filesystem::path {
    for (const char* of : {"pipelines/", "flow_families/pipelines/"})
      if (const std::filesystem::path path = testing::golden_path(of + name); std::filesystem::exists(path))
        return path;
    return testing::golden_path("families/pipelines/" + name);
  };
  ModelFiles files{.model = folder(expected["pipeline"])};
  if (expected.contains("refiner")) files.refiner = folder(expected["refiner"]);
  for (const Json& name : expected.value("controlnet", Json::array()))
    files.controlnets.push_back(testing::golden_path("controlnets/" + name.get<std::string>()));
  return files;
}

// Every case of `folder`/pictures.json.
void expect_same_pictures(const std::string& folder, std::size_t least) {
  const Json cases = testing::golden_json(folder + "/pictures.json").at("cases");
  const testing::GoldenTensors pictures(folder + "/pictures.safetensors");
  ASSERT_GE(cases.size(), least);
  std::map<std::string, Generator> generators;
  for (const Json& expected : cases) {
    SCOPED_TRACE(expected["name"].get<std::string>());
    const std::string key = expected["pipeline"].get<std::string>() + expected.value("refiner", "") +
                            expected.value("controlnet", Json()).dump();
    Generator& generator = generators
                               .try_emplace(key, files_of(expected),
                                            ComputeOptions{.device = Device::kCpu, .dtype = DType::kFloat32})
                               .first->second;
    const Request request = testing::request_of(expected);
    EXPECT_TRUE(testing::is_same_picture(draw(generator, request, 1), pictures.at(expected["name"])));
    if (request.count > 1) {
      EXPECT_TRUE(
          testing::is_same_picture(draw(generator, request, request.count), pictures.at(expected["name"])));
    }
  }
}

TEST(Pictures, EqualDiffusersPicturesAloneAndInBatches) {
  expect_same_pictures("pictures", 20);
}

TEST(Pictures, OfOtherFamiliesAndFromPicturesEqualDiffusersPictures) {
  expect_same_pictures("families", 34);
}

TEST(Pictures, OfTransformersEqualDiffusersPictures) {
  expect_same_pictures("flow_families", 12);
}

// Prompts whose texts are of different lengths, with and without a negative prompt.
TEST(Pictures, OfTextsOfSeveralLengthsAreTheSameInABatchAsAlone) {
  Generator generator(testing::golden_path("flow_families/pipelines/z-image-tiny"),
                      {.device = Device::kCpu, .dtype = DType::kFloat32});
  std::vector<Request> requests;
  for (const std::string prompt :
       {"a cat", "a red fox in the forest, oil painting, a red fox in the forest", "a dog", "",
        "two dogs on the moon, a photo, oil painting, highly detailed"})
    requests.push_back({.prompt = prompt,
                        .negative_prompt = prompt.size() % 2 == 0 ? "blurry, dark" : "",
                        .steps = 3,
                        .guidance_scale = 2.0,
                        .seed = 5,
                        .width = 48,
                        .height = 32});
  requests[1].attend = {{"fox", 3.0}};
  const auto drawn = [&](int batch_size, bool attention) {
    std::vector<Image> images;
    EXPECT_TRUE(generator.run(requests, {.batch_size = batch_size, .attention = attention},
                              {.on_picture = [&](const Picture& picture) {
                                images.push_back(picture.image);
                                EXPECT_EQ(attention, picture.attention != nullptr);
                              }}));
    return testing::tensor_of(images);
  };
  const Tensor alone = drawn(1, false);
  EXPECT_TRUE(testing::is_same_picture(drawn(5, false), alone));
  EXPECT_TRUE(testing::is_same_picture(drawn(3, true), alone));
}

TEST(Pictures, ByEarlierStatesOfTheTextEncoderEqualDiffusersPictures) {
  expect_same_pictures("clip_skip", 7);
}

TEST(Pictures, SteeredByControlNetsEqualDiffusersPictures) {
  expect_same_pictures("controlnets", 9);
}

}  // namespace
}  // namespace sdgen
