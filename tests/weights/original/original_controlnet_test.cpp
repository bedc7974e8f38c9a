#include "weights/original/original_controlnet.h"

#include <gmock/gmock.h>

#include "support/named_numbers.h"
#include "support/safetensors_file.h"
#include "support/single_files.h"
#include "weights/formats/weights_file.h"
#include "weights/original/checkpoint_places.h"

namespace sdgen {
namespace {

using testing::Shapes;

class OriginalControlNet : public ::testing::Test {
 protected:
  std::shared_ptr<const TensorSource> open(const Shapes& shapes) {
    const auto path = folder_.path() / "control.safetensors";
    testing::named_file(path, shapes, "");
    return open_weights_file(path);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(OriginalControlNet, EveryTensorAndConfigIsWhatDiffusersMakesOfIt) {
  const Json cases = testing::single_file_cases("controlnets");
  ASSERT_GE(cases.size(), 4u);
  for (const Json& golden : cases) {
    SCOPED_TRACE(golden.at("name").get<std::string>());
    const auto source = open(golden.at("original").get<Shapes>());
    EXPECT_TRUE(is_controlnet(*source));
    EXPECT_FALSE(is_checkpoint(*source)) << "its way down is no UNet";
    const auto controlnet = controlnet_tensors(source);
    EXPECT_EQ(controlnet->keys().size(), golden.at("tensors").size());
    for (const auto& [key, value] : golden.at("tensors").items()) {
      ASSERT_TRUE(controlnet->find(key)) << key;
      EXPECT_EQ(Json(controlnet->find(key)->shape), value[0]) << key;
      EXPECT_EQ(std::to_string(testing::checksum(controlnet->read(key))), value[1].get<std::string>()) << key;
    }
    const Json config = controlnet_config(*controlnet);
    for (const auto& [key, value] : golden.at("config").items())
      EXPECT_EQ(config.value(key, Json()), value) << key;
  }
}

TEST_F(OriginalControlNet, TheModelItWasStoredWithIsLeftOut) {
  const Json golden = testing::single_file_cases("controlnets").at(0);
  Shapes shapes = golden.at("original").get<Shapes>();
  shapes["model.diffusion_model.input_blocks.0.0.weight"] = {64, 4, 3, 3};
  const auto source = open(shapes);
  EXPECT_TRUE(is_checkpoint(*source)) << "there is a whole model, too";
  EXPECT_EQ(controlnet_tensors(source)->keys().size(), golden.at("tensors").size());
}

TEST_F(OriginalControlNet, AbsurdNumbersInNamesCostNothing) {
  Shapes shapes = testing::single_file_cases("controlnets").at(0).at("original").get<Shapes>();
  const std::size_t sound = controlnet_tensors(open(shapes))->keys().size();
  for (const std::string number : {"2000000000", "2147483647", "99999999999999999999", "-2", "x", ""})
    shapes["control_model.input_hint_block." + number + ".weight"] = {1};
  EXPECT_EQ(controlnet_tensors(open(shapes))->keys().size(), sound);
}

TEST_F(OriginalControlNet, OtherFilesAreRefused) {
  const auto source = open({{"conv_in.weight", {4, 4, 3, 3}}});
  EXPECT_FALSE(is_controlnet(*source));
  EXPECT_THAT([&] { controlnet_tensors(source); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("holds no ControlNet")));
}

}  // namespace
}  // namespace sdgen
