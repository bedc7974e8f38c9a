#include "sdgen/inspect.h"

#include <gtest/gtest.h>

#include "sdgen/error.h"
#include "sdgen/image.h"
#include "support/golden.h"
#include "support/named_numbers.h"
#include "support/single_files.h"

namespace sdgen {
namespace {

using testing::named_file;
using testing::Shapes;
using testing::TemporaryFolder;

class Inspect : public ::testing::Test {
 protected:
  Inspection of(const Shapes& shapes, const std::string& metadata = "") {
    const auto path = folder_.path() / "x.safetensors";
    named_file(path, shapes, metadata);
    return inspect(path);
  }

  static std::string fact(const Inspection& inspection, const std::string& name) {
    for (const auto& [key, value] : inspection.facts)
      if (key == name) return value;
    return "none";
  }

  TemporaryFolder folder_;
};

TEST_F(Inspect, ADiffusersFolder) {
  const Inspection model = inspect(testing::golden_path("pipelines/sd15-tiny"));
  EXPECT_EQ(model.kind, "model");
  EXPECT_EQ(model.family, "StableDiffusionPipeline");
  EXPECT_EQ(model.format, "diffusers folder");
  ASSERT_EQ(model.components.size(), 3u);
  EXPECT_EQ(model.components[1].name, "unet");
  EXPECT_EQ(model.components[1].dtypes.begin()->first, "float16");
  EXPECT_EQ(model.components[1].bytes, 2 * model.components[1].parameters);
  EXPECT_EQ(model.components[1].memory_bytes(4), 4 * model.components[1].parameters);
  EXPECT_EQ(fact(model, "scheduler"), "PNDMScheduler");
  EXPECT_EQ(model.missing, std::vector<std::string>{});
  const Inspection vae = inspect(testing::golden_path("pipelines/sd15-tiny/vae"));
  EXPECT_EQ(vae.kind, "vae");
  EXPECT_EQ(inspect(testing::golden_path("pipelines/sd15-tiny/text_encoder")).kind, "text encoder");
}

TEST_F(Inspect, Checkpoints) {
  const Inspection sd1 = of(testing::single_file_shapes("sd1"), R"("modelspec.title":"A model")");
  EXPECT_EQ(sd1.kind, "checkpoint");
  EXPECT_EQ(sd1.family, "StableDiffusionPipeline");
  EXPECT_EQ(sd1.components.size(), 3u);
  EXPECT_EQ(sd1.metadata.at("modelspec.title"), "A model");
  EXPECT_EQ(fact(sd1, "prediction"), "epsilon");
  EXPECT_EQ(of(testing::single_file_shapes("xl-refiner")).family, "StableDiffusionXLImg2ImgPipeline");
  Shapes without_text = testing::single_file_shapes("sd1");
  std::erase_if(without_text, [](const auto& entry) { return entry.first.starts_with("cond_stage_model."); });
  EXPECT_EQ(of(without_text).missing, std::vector<std::string>{"text_encoder"});
  Shapes only_vae = testing::single_file_shapes("sd1");
  std::erase_if(only_vae, [](const auto& entry) { return !entry.first.starts_with("first_stage_model."); });
  EXPECT_EQ(of(only_vae).kind, "vae");
}

TEST_F(Inspect, LoraKindRankBlocksAndFamily) {
  const std::string attention = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
  const Inspection kohya = of({{attention + ".lora_down.weight", {8, 768}},
                               {attention + ".lora_up.weight", {320, 8}},
                               {attention + ".alpha", {}},
                               {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", {8, 768}},
                               {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", {3072, 8}}});
  EXPECT_EQ(kohya.kind, "lora");
  EXPECT_EQ(kohya.family, "Stable Diffusion 1.x");
  EXPECT_EQ(fact(kohya, "form"), "LoRA (kohya)");
  EXPECT_EQ(fact(kohya, "rank"), "8");
  EXPECT_NE(fact(kohya, "alpha"), "none");
  EXPECT_EQ(fact(kohya, "unet.down_blocks"), "1 layer");
  EXPECT_EQ(fact(kohya, "text_encoder"), "1 layer");
  const Inspection peft =
      of({{"unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight", {4, 2048}},
          {"unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight", {1280, 4}},
          {"unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_magnitude_vector", {1280}}});
  EXPECT_EQ(peft.family, "Stable Diffusion XL");
  EXPECT_EQ(fact(peft, "form"), "DoRA, LoRA (PEFT)");
  EXPECT_EQ(fact(of({{"lora_unet_x.hada_w1_a", {320, 6}}, {"lora_unet_x.hada_w1_b", {6, 320}}}), "rank"),
            "6");
  EXPECT_EQ(fact(of({{"lora_unet_x.lokr_w1", {4, 4}}, {"lora_unet_x.lokr_w2", {8, 8}}}), "form"),
            "LyCORIS LoKr");
}

TEST_F(Inspect, OtherFiles) {
  const Inspection embedding = of({{"emb_params", {3, 768}}});
  EXPECT_EQ(embedding.kind, "embedding");
  EXPECT_EQ(fact(embedding, "emb_params"), "3 vectors of 768");
  EXPECT_EQ(embedding.family, "Stable Diffusion 1.x");
  EXPECT_EQ(of({{"clip_l", {2, 768}}, {"clip_g", {2, 1280}}}).family, "Stable Diffusion XL");
  EXPECT_EQ(of({{"controlnet_cond_embedding.conv_in.weight", {16, 3, 3, 3}},
                {"mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", {8, 1024}}})
                .family,
            "Stable Diffusion 2.x");
  EXPECT_EQ(of({{"adapter.body.0.resnets.0.block1.weight", {4, 4, 3, 3}}}).kind, "t2i-adapter");
  EXPECT_EQ(of({{"decoder.layers.0.weight", {64, 4, 3, 3}}}).kind, "tiny vae");
  EXPECT_EQ(of({{"double_blocks.0.x", {2}}}).kind, "other model");
  EXPECT_EQ(inspect(testing::golden_path("ranker/clip")).kind, "clip");
  const Inspection unknown = of({{"some.thing", {2, 3}}});
  EXPECT_EQ(unknown.kind, "unknown");
  EXPECT_EQ(unknown.unused, std::vector<std::string>{"some.thing"});
  EXPECT_EQ(unknown.components.at(0).parameters, 6u);
}

TEST_F(Inspect, PyTorchFiles) {
  const Inspection pickle = inspect(testing::golden_path("pickles/nested.ckpt"));
  EXPECT_EQ(pickle.format, "pytorch");
  EXPECT_EQ(pickle.kind, "unknown");
  EXPECT_EQ(pickle.metadata.at("epoch"), "3");
}

TEST_F(Inspect, APictureOfOurs) {
  const Image image{8, 8, std::vector<std::uint8_t>(192)};
  const auto path = folder_.path() / "x.png";
  const std::string text =
      "a cat\nNegative prompt: dark\nSteps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 12, Size: 8x8, Model: m";
  write_file_atomically(path, encode_png(image, {{"parameters", text}, {"Author", "me"}}), false);
  const Inspection picture = inspect(path);
  EXPECT_EQ(picture.kind, "picture");
  EXPECT_EQ(fact(picture, "prompt"), "a cat");
  EXPECT_EQ(fact(picture, "negative prompt"), "dark");
  EXPECT_EQ(fact(picture, "seed"), "12");
  EXPECT_EQ(fact(picture, "sampler"), "ddim");
  EXPECT_EQ(picture.metadata.at("Author"), "me");
}

TEST_F(Inspect, RefusesWhatIsNotThereOrNothing) {
  EXPECT_THROW(inspect(folder_.path() / "none"), Error);
  EXPECT_THROW(inspect(folder_.path()), Error) << "a folder without a model";
  testing::write_bytes(folder_.path() / "x.safetensors", "");
  EXPECT_THROW(inspect(folder_.path() / "x.safetensors"), Error);
}

}  // namespace
}  // namespace sdgen
