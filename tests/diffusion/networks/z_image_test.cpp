// Small Z-Image transformers against diffusers' ZImageTransformer2DModel.
#include "diffusion/networks/z_image.h"

#include <gtest/gtest.h>

#include "diffusion/steering/attention_record.h"
#include "support/filled_weights.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

constexpr double kBound = 2e-5;  // of the root mean square

const Json& golden() {
  static const Json kGolden = testing::golden_json("z_image_transformer/network.json");
  return kGolden;
}

const testing::GoldenTensors& tensors() {
  static const testing::GoldenTensors kTensors("z_image_transformer/network.safetensors");
  return kTensors;
}

Json config_of(const std::string& model) {
  return golden()["models"][model]["config"];
}

ZImageConfig read(const Json& config) {
  return ZImageConfig::read({"transformer/config.json", config});
}

std::unique_ptr<const Network> network(const std::string& model, Residency residency = Residency()) {
  return ZImageModel(read(config_of(model)))
      .build(testing::filled_weights(golden()["models"][model]["shapes"]), residency);
}

struct Case {
  std::string name, model;
  float timestep;

  Tensor tensor(const std::string& what) const { return tensors().at(name + "." + what); }
};

Tensor velocity(const Network& net, const Case& of, const Tensor& x, const AttentionHooks& hooks = {}) {
  const PreparedNetwork prepared = net.prepare({.context = of.tensor("words"), .hooks = hooks}, Compute{});
  return prepared.predict(x, at::full({1}, of.timestep), prepared.constants.begin(), 0);
}

class ZImageGolden : public ::testing::TestWithParam<std::string> {
 protected:
  static Case golden_case() {
    for (const Json& entry : golden()["cases"])
      if (entry["name"] == GetParam()) return {GetParam(), entry["model"], entry["timestep"]};
    ADD_FAILURE() << "no case " << GetParam();
    return {};
  }
};

TEST_P(ZImageGolden, VelocityEqualsTheReferences) {
  const Case of = golden_case();
  const Tensor expected = of.tensor("velocity");
  EXPECT_TRUE(testing::is_close(velocity(*network(of.model), of, of.tensor("x")), expected,
                                kBound * testing::rms(expected)));
}

TEST_P(ZImageGolden, TextsShareAPicture) {
  const Case of = golden_case();
  const Tensor expected = of.tensor("velocity_of_first");
  EXPECT_TRUE(testing::is_close(velocity(*network(of.model), of, of.tensor("x").narrow(0, 0, 1)), expected,
                                kBound * testing::rms(expected)));
}

TEST_P(ZImageGolden, PatchesGetOfWordsWhatTheyWeigh) {
  const Case of = golden_case();
  const Tensor expected = of.tensor("velocity_weighed");
  const std::unique_ptr<const Network> net = network(of.model);
  const PreparedNetwork prepared =
      net->prepare({.context = of.tensor("words"), .token_weights = of.tensor("weights")}, Compute{});
  const Tensor weighed =
      prepared.predict(of.tensor("x"), at::full({1}, of.timestep), prepared.constants.begin(), 0);
  EXPECT_TRUE(testing::is_close(weighed, expected, kBound * testing::rms(expected)));
}

TEST_P(ZImageGolden, HooksAreToldWhatPatchesPayToWords) {
  const Case of = golden_case();
  const Tensor expected = of.tensor("word_maps");
  AttentionRecord record(0, expected.size(0));
  AttentionHooks hooks;
  hooks.on_cross = [&](const AttentionCall& call, const Tensor& weights) { record.add(call, weights); };
  const Tensor watched = velocity(*network(of.model), of, of.tensor("x"), hooks);
  EXPECT_TRUE(testing::is_close(record.token_maps(expected.size(2), expected.size(3)), expected, 1e-5));
  EXPECT_TRUE(at::equal(watched, velocity(*network(of.model), of, of.tensor("x"))));
}

TEST_P(ZImageGolden, StreamedLayersGiveTheSame) {
  const Case of = golden_case();
  const std::unique_ptr<const Network> streamed = network(of.model, Residency(0));
  EXPECT_TRUE(streamed->streams());
  EXPECT_TRUE(
      at::equal(velocity(*streamed, of, of.tensor("x")), velocity(*network(of.model), of, of.tensor("x"))));
}

INSTANTIATE_TEST_SUITE_P(Golden, ZImageGolden,
                         ::testing::Values("below32", "at32", "above32", "at64", "one", "wide", "plain"),
                         [](const auto& info) { return info.param; });

TEST(ZImage, WhatItDoesNotKnowIsRefusedBeforeTheFirstStep) {
  const std::unique_ptr<const Network> net = network("narrow");
  const Tensor words = at::zeros({1, 3, 16});
  EXPECT_THROW(net->prepare({.context = words, .channels = at::ones({1, 1, 4, 4})}, Compute{}), Error);
  EXPECT_NO_THROW(net->prepare({.context = at::zeros({1, 224, 16})}, Compute{}));
  EXPECT_THROW(net->prepare({.context = at::zeros({1, 225, 16})}, Compute{}), Error)
      << "the text's axis has 256 positions, of which the first is not the text's";
}

TEST(ZImage, PicturesBeyondItsPositionsAreRefused) {
  const std::unique_ptr<const Network> net = network("narrow");
  const PreparedNetwork prepared = net->prepare({.context = at::zeros({1, 3, 16})}, Compute{});
  const auto predict = [&](std::int64_t h, std::int64_t w) {
    return prepared.predict(at::zeros({1, 16, h, w}), at::full({1}, 500.0F), prepared.constants.begin(), 0);
  };
  EXPECT_NO_THROW(predict(64, 2));
  EXPECT_THROW(predict(66, 2), Error);
  EXPECT_THROW(predict(2, 66), Error);
  EXPECT_THROW(predict(3, 4), Error) << "a patch is two latents high";
}

TEST(ZImage, FlowModelsSeeXAsItIs) {
  EXPECT_EQ(network("narrow")->input_norm({0.5, 0.5}), 1.0);
}

TEST(ZImageModel, LayersThatCanBeStreamedAreBlocks) {
  const ZImageModel model(read(config_of("narrow")));
  EXPECT_EQ(model.streamed_layer("layers.12.attention.to_q.weight"), "layers.12");
  EXPECT_EQ(model.streamed_layer("noise_refiner.0.feed_forward.w1.weight"), "noise_refiner.0");
  EXPECT_EQ(model.streamed_layer("context_refiner.1.ffn_norm1.weight"), "context_refiner.1");
  EXPECT_EQ(model.streamed_layer("cap_embedder.1.weight"), "");
  EXPECT_EQ(model.streamed_layer("t_embedder.mlp.0.weight"), "");
}

std::string refusal(const Json& change) {
  Json config = config_of("narrow");
  config.merge_patch(change);
  try {
    read(config);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
}

TEST(ZImageConfig, WhatIsNotSupportedIsNamed) {
  for (const auto& [change, message] : std::vector<std::pair<Json, std::string>>{
           {{{"all_patch_size", {2, 4}}}, "key 'all_patch_size' is not supported"},
           {{{"siglip_feat_dim", 1152}}, "key 'siglip_feat_dim' is 1152"},
           {{{"axes_dims", {8, 8}}}, "key 'axes_dims' has 2 values; expected 3"},
           {{{"axes_dims", {9, 5, 2}}}, "9 is odd"},
           {{{"axes_dims", {8, 4, 6}}}, "axes_dims make 18 together; expected dim / n_heads, 16"},
           {{{"n_heads", 3}}, "dim 32 does not divide into 3 heads"},
           {{{"dim", 1 << 20}}, "key 'dim' is 1048576; expected 1 to 65536"},
           {{{"axes_lens", {256, 32, 1 << 20}}}, "key 'axes_lens'"},
           {{{"rope_theta", 0.0}}, "key 'rope_theta' is 0; expected more than 0"}}) {
    EXPECT_NE(refusal(change).find(message), std::string::npos) << refusal(change);
    EXPECT_EQ(refusal(change).find("transformer/config.json: "), 0U) << change;
  }
}

TEST(ZImageConfig, WithoutKeysItIsThePublishedModel) {
  const ZImageConfig config = read(Json::object());
  EXPECT_EQ(config.head_dim(), 128);
  EXPECT_EQ(config.hidden_dim(), 10240);
  EXPECT_EQ(config.time_width(), 256);
}

}  // namespace
}  // namespace sdgen
