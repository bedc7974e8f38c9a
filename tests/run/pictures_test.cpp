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
    const std::filesystem::path plain = testing::golden_path("pipelines/" + name);
    if (std::filesystem::exists(plain)) return plain;
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

TEST(Pictures, ByEarlierStatesOfTheTextEncoderEqualDiffusersPictures) {
  expect_same_pictures("clip_skip", 7);
}

TEST(Pictures, SteeredByControlNetsEqualDiffusersPictures) {
  expect_same_pictures("controlnets", 9);
}

}  // namespace
}  // namespace sdgen
