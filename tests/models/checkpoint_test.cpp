#include "models/checkpoint.h"

#include <gtest/gtest.h>

#include <functional>

#include "support/golden.h"
#include "support/named_numbers.h"
#include "support/safetensors_file.h"
#include "support/single_files.h"
#include "weights/edited_source.h"
#include "weights/formats/safetensors.h"

namespace sdgen {
namespace {

using testing::checksum;
using testing::named_file;
using testing::named_numbers;
using testing::Shapes;
using testing::TemporaryFolder;

std::string message_of(const std::function<void()>& work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
}

class CheckpointTest : public ::testing::Test {
 protected:
  Checkpoint open(const Shapes& shapes, const std::string& metadata = "", Ema ema = Ema::kNo) {
    const auto path = folder_.path() / "model.safetensors";
    named_file(path, shapes, metadata);
    return open_checkpoint(path, ema);
  }

  TemporaryFolder folder_;
};

void expect_same_tensors(const Json& expected, const TensorSource& actual) {
  EXPECT_EQ(actual.keys().size(), expected.size());
  for (const auto& [key, value] : expected.items()) {
    const TensorInfo* const info = actual.find(key);
    ASSERT_TRUE(info) << key;
    ASSERT_EQ(Json(info->shape), value[0]) << key;
    const at::Tensor tensor = actual.read(key);
    ASSERT_EQ(tensor.sizes().vec(), info->shape) << key;
    ASSERT_TRUE(tensor.is_contiguous()) << key;
    EXPECT_EQ(std::to_string(checksum(tensor)), value[1].get<std::string>()) << key;
  }
}

TEST_F(CheckpointTest, EveryTensorAndConfigIsWhatDiffusersMakesOfIt) {
  for (const Json& golden : testing::single_file_cases()) {
    SCOPED_TRACE(golden.at("name").get<std::string>());
    const Checkpoint checkpoint = open(golden.at("original").get<Shapes>());
    EXPECT_EQ(checkpoint.pipeline_class, golden["configs"]["model_index"]["_class_name"].get<std::string>());
    EXPECT_EQ(checkpoint.components.size(), golden.at("components").size());
    EXPECT_EQ(checkpoint.missing, std::vector<std::string>{});
    for (const auto& [name, tensors] : golden.at("components").items()) {
      SCOPED_TRACE(name);
      expect_same_tensors(tensors, *checkpoint.components.at(name));
    }
    for (const auto& [name, config] : golden.at("configs").items())
      for (const auto& [key, value] : config.items())
        EXPECT_EQ(checkpoint.configs.at(name).value(key, Json()), value) << name << " " << key;
  }
}

TEST_F(CheckpointTest, LeavesOutWhatIsNoPartOfTheModel) {
  const Checkpoint checkpoint = open(testing::single_file_case("sd1").at("original").get<Shapes>());
  EXPECT_EQ(
      checkpoint.unused,
      (std::vector<std::string>{"betas", "cond_stage_model.transformer.text_model.embeddings.position_ids"}));
}

TEST_F(CheckpointTest, MarkersTellVPredictionAndZeroTerminalSnr) {
  Shapes shapes = testing::single_file_case("xl").at("original").get<Shapes>();
  EXPECT_EQ(open(shapes).configs["scheduler"]["prediction_type"], "epsilon");
  EXPECT_EQ(open(shapes, R"("modelspec.prediction_type":"v")").configs["scheduler"]["prediction_type"],
            "v_prediction");
  shapes["v_pred"] = {0};
  EXPECT_EQ(open(shapes).configs["scheduler"]["prediction_type"], "v_prediction");
  EXPECT_FALSE(open(shapes).configs["scheduler"].contains("rescale_betas_zero_snr"));
  shapes["ztsnr"] = {0};
  EXPECT_EQ(open(shapes).configs["scheduler"]["rescale_betas_zero_snr"], true);
  EXPECT_EQ(open(shapes).configs["scheduler"]["timestep_spacing"], "trailing");
}

TEST_F(CheckpointTest, StableDiffusion2BaseIsToldByItsArchitecture) {
  const Shapes shapes = testing::single_file_case("sd2").at("original").get<Shapes>();
  const Checkpoint base = open(shapes, R"("modelspec.architecture":"stable-diffusion-v2-512")");
  EXPECT_EQ(base.configs.at("scheduler")["prediction_type"], "epsilon");
  EXPECT_EQ(base.configs.at("scheduler")["_class_name"], "PNDMScheduler");
  EXPECT_EQ(base.configs.at("unet")["sample_size"], 64);
}

TEST_F(CheckpointTest, EmaCopiesAreTakenWhenAskedFor) {
  Shapes shapes = testing::single_file_case("sd1").at("original").get<Shapes>();
  EXPECT_NE(message_of([&] { open(shapes, "", Ema::kYes); }).find("no EMA weights"), std::string::npos);
  const std::string conv = "model_ema.diffusion_modelinput_blocks00weight";
  shapes[conv] = shapes.at("model.diffusion_model.input_blocks.0.0.weight");
  const Checkpoint plain = open(shapes), ema = open(shapes, "", Ema::kYes);
  EXPECT_TRUE(plain.has_ema);
  EXPECT_TRUE(
      at::equal(ema.components.at("unet")->read("conv_in.weight"), named_numbers(conv, shapes[conv])));
  EXPECT_FALSE(at::equal(plain.components.at("unet")->read("conv_in.weight"),
                         ema.components.at("unet")->read("conv_in.weight")));
}

TEST_F(CheckpointTest, PartsAloneAreWhatTheyAre) {
  const Json golden = testing::single_file_case("sd1");
  const std::vector<std::pair<std::string, std::string>> parts = {
      {"model.diffusion_model.", "unet"},
      {"first_stage_model.", "vae"},
      {"cond_stage_model.transformer.", "text_encoder"}};
  for (const auto& [prefix, component] : parts)
    for (const bool keep_prefix : {true, false}) {
      Shapes shapes;
      for (const auto& [key, shape] : golden.at("original").get<Shapes>())
        if (key.starts_with(prefix)) shapes[keep_prefix ? key : key.substr(prefix.size())] = shape;
      SCOPED_TRACE(component);
      const Checkpoint checkpoint = open(shapes);
      ASSERT_EQ(checkpoint.components.size(), 1u);
      EXPECT_EQ(checkpoint.components.at(component)->keys().size(), golden["components"][component].size());
      const std::string refusal = message_of([&] { require_whole(checkpoint); });
      EXPECT_NE(refusal.find(component == "unet" ? "no vae, text_encoder" : "no UNet, only a part"),
                std::string::npos)
          << refusal;
    }
}

TEST_F(CheckpointTest, OtherFilesAreRefused) {
  EXPECT_NE(message_of([&] {
              open({{"a.lora_down.weight", {4, 4}}});
            }).find("sd-gen inspect"),
            std::string::npos);
  Shapes shapes = testing::single_file_case("sd1").at("original").get<Shapes>();
  shapes.erase("model.diffusion_model.input_blocks.1.0.in_layers.0.weight");
  EXPECT_NE(message_of([&] { open(shapes); }), "") << "half a way down";
  shapes = testing::single_file_case("sd2").at("original").get<Shapes>();
  shapes["cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias"] = {7};
  EXPECT_NE(message_of([&] { open(shapes); }).find("three equal parts"), std::string::npos);
}

TEST(EditTensors, JoinsTurnsAndReshapes) {
  TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  named_file(path, {{"a", {2, 3}}, {"b", {2, 3}}, {"c", {4, 3, 1, 1}}, {"d", {2}}});
  const auto source = open_safetensors(path);
  const auto edited = edit_tensors(source, {{"joined", {{"a", "b"}, TensorEdit::kJoined}},
                                            {"turned", {{"a"}, TensorEdit::kTransposed}},
                                            {"matrix", {{"c"}, TensorEdit::kMatrix}},
                                            {"convolution", {{"b"}, TensorEdit::kConvolution}}});
  const at::Tensor a = source->read("a"), b = source->read("b");
  EXPECT_TRUE(at::equal(edited->read("joined"), at::cat({a, b}, 0)));
  EXPECT_TRUE(at::equal(edited->read("turned"), a.t()));
  EXPECT_TRUE(edited->read("turned").is_contiguous());
  EXPECT_EQ(edited->find("matrix")->shape, (std::vector<std::int64_t>{4, 3}));
  EXPECT_EQ(edited->read("convolution").sizes(), (at::IntArrayRef{2, 3, 1, 1}));
  for (const auto& [names, edit] :
       std::vector<std::pair<std::vector<std::string>, TensorEdit>>{{{"a", "d"}, TensorEdit::kJoined},
                                                                    {{"d"}, TensorEdit::kMatrix},
                                                                    {{"none"}, TensorEdit::kNone},
                                                                    {{"a"}, TensorEdit::kLastThird}})
    EXPECT_NE(message_of([&] { edit_tensors(source, {{"x", {names, edit}}}); }), "");
}

}  // namespace
}  // namespace sdgen
