// Parts of a model from elsewhere, under the names that such files have: the picture must be the whole
// model's.
#include "models/model_part.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "models/model.h"
#include "sdgen/convert.h"
#include "sdgen/generator.h"
#include "support/single_files.h"
#include "weights/edited_source.h"
#include "weights/formats/safetensors_stream.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

using Parts = std::map<std::string, fs::path>;

class ModelPart : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const fs::path letters = path("letters");
    fs::create_directories(letters);
    Json vocabulary = {{"!", 0}};
    for (const std::string& end : {std::string(), std::string("</w>")})
      for (char letter = 'a'; letter <= 'z'; ++letter) vocabulary[letter + end] = vocabulary.size();
    for (const char* marker : {"<|startoftext|>", "<|endoftext|>"}) vocabulary[marker] = vocabulary.size();
    std::ofstream(letters / "vocab.json") << vocabulary;
    std::ofstream(letters / "merges.txt") << "#version: 0.2\n";
    std::ofstream(letters / "tokenizer_config.json")
        << R"({"tokenizer_class": "CLIPTokenizer", "model_max_length": 20})";
    ::setenv("SDGEN_CLIP_VOCABULARY", letters.c_str(), 1);
    testing::named_file(file_, testing::single_file_shapes(GetParam()));
    convert_model(file_, folder_path_, {});
  }
  void TearDown() override { ::unsetenv("SDGEN_CLIP_VOCABULARY"); }

  fs::path path(const std::string& name) const { return folder_.path() / name; }

  // The model's tensors whose names `rename` does not make empty, under these names.
  fs::path cut(const std::string& name, const std::function<std::string(const std::string&)>& rename) const {
    const auto source = open_weights_file(file_);
    std::map<std::string, EditedTensor> kept;
    for (const std::string& key : source->keys())
      if (const std::string to = rename(key); !to.empty()) kept[to] = {{key}, TensorEdit::kNone};
    const fs::path file = path(name);
    write_safetensors(file, *edit_tensors(source, kept), std::nullopt, {}, false);
    return file;
  }
  fs::path vae_alone() const {
    return cut("vae.safetensors", [](const std::string& key) {
      const std::string prefix = "first_stage_model.";
      return key.starts_with(prefix) ? key.substr(prefix.size()) : "";
    });
  }

  static Image drawn(const fs::path& model, const Parts& parts = {}) {
    Generator generator({.model = model, .parts = parts}, {.device = Device::kCpu, .dtype = DType::kFloat32});
    Image image;
    generator.run({{.prompt = "a cat", .steps = 2, .seed = 3, .width = 32, .height = 32}}, {},
                  {.on_picture = [&](const Picture& picture) { image = picture.image; }});
    return image;
  }

  testing::TemporaryFolder folder_;
  fs::path file_ = path("model.safetensors"), folder_path_ = path("model");
};

TEST_P(ModelPart, AVaeByItselfHasTheScaleOfTheModelItDecodesFor) {
  const fs::path vae = vae_alone();
  const std::vector<std::uint8_t> whole = drawn(file_).rgb;
  EXPECT_EQ(drawn(file_, {{"vae", vae}}).rgb, whole);
  EXPECT_EQ(drawn(folder_path_, {{"vae", vae}}).rgb, whole);
  const double scale = read_model({.model = folder_path_}).vae.scaling_factor;
  EXPECT_EQ(read_model({.model = folder_path_, .parts = {{"vae", vae}}}).vae.scaling_factor, scale);
}

TEST_P(ModelPart, AVaeThatSaysItsScaleKeepsIt) {
  const fs::path vae = path("vae_folder");
  fs::copy(folder_path_ / "vae", vae);
  Json config = read_json_file(vae / "config.json");
  config["scaling_factor"] = 0.5;
  fs::remove(vae / "config.json");
  std::ofstream(vae / "config.json") << config;
  EXPECT_EQ(read_model({.model = file_, .parts = {{"vae", vae}}}).vae.scaling_factor, 0.5);
}

TEST_P(ModelPart, AVaeByItselfKeepsTheLatentsThatItsFileTells) {
  auto shapes = testing::single_file_shapes(GetParam());
  std::erase_if(shapes, [](const auto& entry) { return !entry.first.starts_with("first_stage_model."); });
  shapes["edm_mean"] = shapes["edm_std"] = {4};
  testing::named_file(path("edm.safetensors"), shapes);
  const Checkpoint told = open_checkpoint(path("edm.safetensors"));
  const Json vae = open_model_source({.model = folder_path_, .parts = {{"vae", path("edm.safetensors")}}})
                       .config("vae")
                       .json;
  EXPECT_EQ(vae.at("scaling_factor"), 0.5);
  for (const char* key : {"latents_mean", "latents_std"})
    EXPECT_EQ(vae.at(key), told.configs.at("vae").at(key)) << key;
}

TEST_P(ModelPart, WhatACheckpointLacksMayBeGivenBesideIt) {
  const std::vector<std::uint8_t> whole = drawn(file_).rgb;
  const fs::path no_vae = cut("novae.safetensors", [](const std::string& key) {
    return key.starts_with("first_stage_model.") ? "" : key;
  });
  EXPECT_EQ(drawn(no_vae, {{"vae", vae_alone()}}).rgb, whole);
  EXPECT_EQ(drawn(no_vae, {{"vae", file_}}).rgb, whole);
  const fs::path unet = cut("unet.safetensors", [](const std::string& key) {
    return key.starts_with("model.diffusion_model.") ? key : "";
  });
  Parts rest = {{"vae", file_}, {"text_encoder", file_}};
  if (GetParam() == "xl") rest["text_encoder_2"] = file_;
  EXPECT_EQ(drawn(unet, rest).rgb, whole);
  rest.erase("vae");
  EXPECT_THROW(drawn(unet, rest), Error);
}

TEST_P(ModelPart, ConvertTakesWhatACheckpointLacksToo) {
  const fs::path no_vae = cut("novae.safetensors", [](const std::string& key) {
    return key.starts_with("first_stage_model.") ? "" : key;
  });
  EXPECT_THROW(convert_model(no_vae, path("lacking"), {}), Error);
  EXPECT_FALSE(fs::exists(path("lacking")));
  convert_model(no_vae, path("whole"), {.parts = {{"vae", vae_alone()}}});
  EXPECT_EQ(drawn(path("whole")).rgb, drawn(folder_path_).rgb);
  EXPECT_EQ(read_json_file(path("whole") / "vae" / "config.json"),
            read_json_file(folder_path_ / "vae" / "config.json"));
  EXPECT_THROW(convert_model(folder_path_, path("again"), {.parts = {{"vae", vae_alone()}}}), Error);
}

TEST_P(ModelPart, FilesUnderDiffusersNamesAreParts) {
  const std::vector<std::uint8_t> whole = drawn(folder_path_).rgb;
  const std::string file = "diffusion_pytorch_model.safetensors";
  for (const std::string component : {"unet", "vae"}) {
    SCOPED_TRACE(component);
    // beside its config, and alone
    EXPECT_EQ(drawn(folder_path_, {{component, folder_path_ / component / file}}).rgb, whole);
    const fs::path alone = path(component + "_alone.safetensors");
    fs::copy(folder_path_ / component / file, alone);
    EXPECT_EQ(drawn(folder_path_, {{component, alone}}).rgb, whole);
    EXPECT_EQ(drawn(file_, {{component, alone}}).rgb, whole);
  }
  const fs::path text = folder_path_ / "text_encoder" / "model.safetensors";
  EXPECT_EQ(drawn(folder_path_, {{"text_encoder", text}}).rgb, whole);
}

TEST_P(ModelPart, AUnetBringsWhatItPredicts) {
  const fs::path unet = path("v.safetensors");
  auto shapes = testing::single_file_shapes(GetParam());
  std::erase_if(shapes, [](const auto& entry) { return !entry.first.starts_with("model.diffusion_model."); });
  shapes["v_pred"] = {0};
  testing::named_file(unet, shapes);
  const Model model = read_model({.model = folder_path_, .parts = {{"unet", unet}}});
  EXPECT_EQ(model.scheduler.prediction_type, PredictionType::kVPrediction);
  EXPECT_FALSE(model.scheduler.rescale_betas_zero_snr);
  shapes["ztsnr"] = {0};
  testing::named_file(unet, shapes);
  EXPECT_TRUE(read_model({.model = file_, .parts = {{"unet", unet}}}).scheduler.rescale_betas_zero_snr);
  testing::named_file(unet, shapes, R"("modelspec.prediction_type": "v")");
  EXPECT_EQ(read_model({.model = file_, .parts = {{"unet", unet}}}).scheduler.prediction_type,
            PredictionType::kVPrediction);
}

INSTANTIATE_TEST_SUITE_P(Families, ModelPart, ::testing::Values("sd1", "sd2", "xl"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace sdgen
