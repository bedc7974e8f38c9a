// What must fail well when a model folder is opened: one line, naming file and key, before any step.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/safetensors_file.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class ModelFolderErrors : public ::testing::Test {
 protected:
  ModelFolderErrors() {
    fs::copy(testing::golden_path("pipelines/variant-tiny"), folder(), fs::copy_options::recursive);
  }
  fs::path folder() const { return temporary_.path() / "model"; }

  void edit_json(const std::string& file, const std::function<void(Json&)>& edit) const {
    Json json = read_json_file(folder() / file);
    edit(json);
    std::ofstream(folder() / file) << json;
  }

  void expect_refused(const std::string& part_of_message, ErrorKind kind = ErrorKind::kInput) const {
    try {
      Generator(folder(), {.device = Device::kCpu});
      FAIL() << "opened; expected: " << part_of_message;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_NE(std::string(error.what()).find(part_of_message), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }

  testing::TemporaryFolder temporary_;
};

TEST_F(ModelFolderErrors, TheUntouchedCopyOpens) {
  EXPECT_NO_THROW(Generator(folder(), {.device = Device::kCpu}));
}

TEST_F(ModelFolderErrors, DefaultsOfOurOwnFile) {
  const auto write = [&](const char* text) { std::ofstream(folder() / "sdgen.json") << text; };
  write(R"({"words": "a red cat"})");
  expect_refused("sdgen.json: key 'words': expected a list of words");
  write(R"({"words": ["a", 1]})");
  expect_refused("sdgen.json: key 'words': expected a list of words");
  write(R"({"steps": 0})");
  expect_refused("sdgen.json: key 'steps' is 0; expected 1 to 10000");
  write(R"({"steps": 10001})");
  expect_refused("sdgen.json: key 'steps' is 10001; expected 1 to 10000");
  write(R"({"guidance_rescale": 1.5})");
  expect_refused("guidance_scale and guidance_rescale must be sensible");
  write(R"({"steps": 5, "guidance_scale": 2.5, "guidance_rescale": 0.5, "words": ["a", "Cat"]})");
  Generator generator(folder(), {.device = Device::kCpu});
  EXPECT_EQ(generator.info().steps, 5);
  EXPECT_EQ(generator.complete({.prompt = "x"}).guidance_rescale, 0.5);
  EXPECT_EQ(generator.complete({.prompt = "x", .guidance_rescale = 0.0}).guidance_rescale, 0.0);
  std::vector<std::string> warnings;
  Observer observer;
  observer.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  ASSERT_TRUE(generator.run({{.prompt = "A cat, a CAT, a dog", .steps = 1, .seed = 1}}, {}, observer));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("was not taught: dog; `sd-gen words`"), std::string::npos) << warnings[0];
}

TEST_F(ModelFolderErrors, MissingFolder) {
  fs::remove_all(folder());
  expect_refused("no such model folder");
}

TEST_F(ModelFolderErrors, AFileInsteadOfAFolder) {
  fs::remove_all(folder());
  testing::write_bytes(folder(), "x");
  expect_refused("not a sound safetensors file");
}

TEST_F(ModelFolderErrors, PartsFromElsewhereMustHoldThem) {
  const auto refusal = [&](const std::string& component, const fs::path& path) -> std::string {
    try {
      Generator({.model = folder(), .parts = {{component, path}}}, {.device = Device::kCpu});
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      return error.what();
    }
  };
  EXPECT_EQ(refusal("vae", folder()), "");          // a model's folder
  EXPECT_EQ(refusal("vae", folder() / "vae"), "");  // a component's
  EXPECT_EQ(refusal("vae", testing::golden_path("taesd/tiny")), "");
  EXPECT_EQ(refusal("vae", testing::golden_path("taesd/taesd_decoder.safetensors")), "");
  EXPECT_NE(refusal("vae", testing::golden_path("taesd/taesd_encoder.safetensors")).find("tiny encoder only"),
            std::string::npos);
  EXPECT_NE(refusal("vae", folder() / "none").find("no such file or folder"), std::string::npos);
  EXPECT_NE(refusal("vae", folder() / "scheduler").find("holds no vae"), std::string::npos);
  EXPECT_NE(refusal("unet", testing::golden_path("pipelines/sd15-tiny")).find("contradicts"),
            std::string::npos);
}

TEST_F(ModelFolderErrors, APictureToStartFromNeedsAnEncoder) {
  Generator generator(
      {.model = folder(), .parts = {{"vae", testing::golden_path("taesd/taesd_decoder.safetensors")}}},
      {.device = Device::kCpu});
  const std::string start = testing::golden_path("families/start.png");
  try {
    generator.run({{.prompt = "x", .steps = 2, .width = 32, .height = 32, .init_image = start}}, {}, {});
    FAIL() << "drawn";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(error.what()).find("holds no encoder"), std::string::npos) << error.what();
  }
  int pictures = 0;
  generator.run({{.prompt = "x", .steps = 2, .width = 32, .height = 32}}, {},
                {.on_picture = [&](const Picture&) { ++pictures; }});
  EXPECT_EQ(pictures, 1);
}

TEST_F(ModelFolderErrors, MissingIndex) {
  fs::remove(folder() / "model_index.json");
  expect_refused("model_index.json");
}

TEST_F(ModelFolderErrors, MissingComponents) {
  for (const std::string component : {"unet", "vae", "text_encoder"}) {
    fs::rename(folder() / component, folder() / "away");
    expect_refused(component + ": no such folder");
    fs::rename(folder() / "away", folder() / component);
  }
  for (const std::string component : {"tokenizer", "scheduler"}) {
    fs::rename(folder() / component, folder() / "away");
    expect_refused(component);
    fs::rename(folder() / "away", folder() / component);
  }
}

TEST_F(ModelFolderErrors, UnknownPipelineClassWithPartsOfItsOwnIsSuggested) {
  edit_json("model_index.json", [](Json& index) {
    index["_class_name"] = "StableDiffusionPipelin";
    index["unet"] = {"diffusers", "UNetSpatioTemporalConditionModel"};
  });
  expect_refused("did you mean StableDiffusionPipeline?");
}

TEST_F(ModelFolderErrors, AModelThatIsOnlyToldApartIsNamed) {
  edit_json("model_index.json", [](Json& index) { index["_class_name"] = "StableDiffusionUpscalePipeline"; });
  expect_refused("StableDiffusionUpscalePipeline (Stable Diffusion upscaler) is not drawn with");
}

// As StableDiffusionPipeline.from_pretrained() draws them.
TEST_F(ModelFolderErrors, SiblingClassesAndOtherPipelinesPartsAreLeftOutWithAWarning) {
  const Request request{.prompt = "x", .steps = 2, .seed = 1, .width = 32, .height = 32};
  std::vector<std::string> warnings;
  std::vector<std::uint8_t> plain, drawn;
  const auto draw = [&](std::vector<std::uint8_t>& rgb) {
    warnings.clear();
    Generator(folder(), {.device = Device::kCpu})
        .run({request}, {},
             {.on_picture = [&](const Picture& picture) { rgb = picture.image.rgb; },
              .on_warning = [&](const std::string& warning) { warnings.push_back(warning); }});
  };
  draw(plain);
  EXPECT_TRUE(warnings.empty());
  for (const std::string name :
       {"StableDiffusionControlNetPipeline", "StableDiffusionPAGPipeline", "StableDiffusionSAGPipeline",
        "StableDiffusionPanoramaPipeline", "StableDiffusionKDiffusionPipeline", "LongPromptWeighting"}) {
    SCOPED_TRACE(name);
    edit_json("model_index.json", [&](Json& index) {
      index["_class_name"] = name;
      index["controlnet"] = {"diffusers", "ControlNetModel"};
      index["watermarker"] = {"pipeline", "Watermarker"};
    });
    draw(drawn);
    EXPECT_EQ(drawn, plain);
    ASSERT_EQ(warnings.size(), 3u);
    EXPECT_NE(warnings[0].find(name + " is drawn as a StableDiffusionPipeline"), std::string::npos);
    EXPECT_NE(warnings[1].find("'controlnet' (ControlNetModel) is left out"), std::string::npos);
    EXPECT_NE(warnings[2].find("'watermarker'"), std::string::npos);
  }
}

TEST_F(ModelFolderErrors, UnknownComponentClass) {
  edit_json("model_index.json", [](Json& index) { index["unet"] = {"diffusers", "UNet3DConditionModel"}; });
  expect_refused(
      "component 'unet': unknown class 'UNet3DConditionModel'; did you mean UNet2DConditionModel?");
}

TEST_F(ModelFolderErrors, ComponentThatWasLeftOut) {
  edit_json("model_index.json", [](Json& index) { index["vae"] = {nullptr, nullptr}; });
  expect_refused("component 'vae': it was left out");
}

TEST_F(ModelFolderErrors, DamagedJsonNamesLineAndColumn) {
  std::ofstream(folder() / "unet/config.json") << "{\n  \"sample_size\": ,\n}";
  expect_refused("line 2, column");
}

TEST_F(ModelFolderErrors, ConfigThatContradictsTheWeights) {
  edit_json("unet/config.json", [](Json& config) {
    config["cross_attention_dim"] = config["cross_attention_dim"].get<int>() * 2;
  });
  expect_refused("contradicts the text encoder's hidden_size");
}

TEST_F(ModelFolderErrors, WeightsOfAnotherShape) {
  edit_json("vae/config.json", [](Json& config) {
    for (Json& channels : config["block_out_channels"]) channels = channels.get<int>() * 2;
  });
  expect_refused("the config asks for shape");
}

// As diffusers: what the config leaves out is told, not refused.
TEST_F(ModelFolderErrors, ConfigWithFewerLayersThanTheWeights) {
  edit_json("text_encoder/config.json",
            [](Json& config) { config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() - 1; });
  Generator generator(folder(), {.device = Device::kCpu});
  std::vector<std::string> warnings;
  Observer observer;
  observer.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  ASSERT_TRUE(generator.run({{.prompt = "a", .steps = 1, .seed = 1}}, {}, observer));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("16 tensors are of no layer that its config tells of"), std::string::npos)
      << warnings[0];
}

TEST_F(ModelFolderErrors, ConfigWithMoreLayersThanTheWeights) {
  edit_json("unet/config.json", [](Json& config) { config["layers_per_block"] = 9; });
  expect_refused("is missing; the config beside it asks for it");
}

TEST_F(ModelFolderErrors, ConfigKeysWeDoNotKnowHowToHonour) {
  edit_json("unet/config.json", [](Json& config) { config["addition_embed_type"] = "image"; });
  expect_refused("addition_embed_type");
}

TEST_F(ModelFolderErrors, ConfigValuesOfTheWrongType) {
  edit_json("unet/config.json", [](Json& config) { config["block_out_channels"] = "wide"; });
  expect_refused("key 'block_out_channels' has the unusable value \"wide\"");
}

TEST_F(ModelFolderErrors, AbsurdNumbersDoNotCrash) {
  for (const Json& value : std::vector<Json>{0, -4, 1 << 30}) {
    for (const std::string key : {"norm_num_groups", "attention_head_dim", "layers_per_block"}) {
      const Json before = read_json_file(folder() / "unet/config.json");
      edit_json("unet/config.json", [&](Json& config) { config[key] = value; });
      expect_refused("");
      edit_json("unet/config.json", [&](Json& config) { config = before; });
    }
  }
}

TEST_F(ModelFolderErrors, TruncatedWeights) {
  const fs::path file = folder() / "unet/diffusion_pytorch_model.fp16.safetensors";
  fs::resize_file(file, fs::file_size(file) - 100);
  expect_refused("interrupted download");
}

TEST_F(ModelFolderErrors, OversizedWeights) {
  const fs::path file = folder() / "vae/diffusion_pytorch_model.fp16.safetensors";
  std::ofstream(file, std::ios::app) << "more";
  expect_refused("4 bytes after the last tensor");
}

TEST_F(ModelFolderErrors, AMissingPartNamesTheFilesLookedFor) {
  fs::remove(folder() / "unet/diffusion_pytorch_model.fp16.safetensors");
  expect_refused("diffusion_pytorch_model.fp16.bin");
}

TEST_F(ModelFolderErrors, FloatsThatPythonWritesAsInfinityAreRead) {
  std::ofstream(folder() / "scheduler/scheduler_config.json")
      << "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"lambda_min_clipped\": -Infinity, \"note\": "
         "\"NaN, -Infinity\"}";
  EXPECT_NO_THROW(Generator(folder(), {.device = Device::kCpu}));
}

TEST_F(ModelFolderErrors, TheIndexNamesTheSchedulersClass) {
  edit_json("model_index.json", [](Json& index) { index["scheduler"] = {"diffusers", "DDIMScheduler"}; });
  EXPECT_EQ(Generator(folder(), {.device = Device::kCpu}).info().sampler, "ddim") << "as diffusers reads it";
}

TEST_F(ModelFolderErrors, SizesOfFoldersOlderThanDiffusers09AreTheReferences) {
  edit_json("unet/config.json", [](Json& config) {
    config["_diffusers_version"] = "0.8.1";
    config["sample_size"] = 32;
  });
  EXPECT_EQ(Generator(folder(), {.device = Device::kCpu}).info().width, 64 * 4)
      << "StableDiffusionPipeline takes 64 latents";
}

TEST_F(ModelFolderErrors, GitLfsPointersAreNamed) {
  testing::write_bytes(folder() / "unet/diffusion_pytorch_model.fp16.safetensors",
                       "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  expect_refused("git lfs pull");
}

TEST_F(ModelFolderErrors, NamesThatNoFileSystemTakes) {
  fs::remove_all(folder());
  EXPECT_THROW(Generator(std::string(300, 'a') + "/x", {.device = Device::kCpu}), Error);
}

TEST_F(ModelFolderErrors, AConfigThatDropsAPartOfTheWeights) {
  const fs::path sd2 = temporary_.path() / "sd2";
  fs::copy(testing::golden_path("pipelines/sd2-tiny"), sd2, fs::copy_options::recursive);
  Json config = read_json_file(sd2 / "vae/config.json");
  config["use_post_quant_conv"] = false;
  std::ofstream(sd2 / "vae/config.json") << config;
  Generator generator(sd2, {.device = Device::kCpu});
  std::vector<std::string> warnings;
  Observer observer;
  observer.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  ASSERT_TRUE(generator.run({{.prompt = "a", .steps = 1, .seed = 1}}, {}, observer));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(
      warnings[0].find("2 tensors are of no layer that its config tells of, e.g. 'post_quant_conv.bias'"),
      std::string::npos)
      << warnings[0];
}

TEST_F(ModelFolderErrors, AbsurdSampleSizes) {
  for (const Json& size : std::vector<Json>{0, 536870920, 9.1e18, "64"}) {
    edit_json("unet/config.json", [&](Json& config) { config["sample_size"] = size; });
    expect_refused("sample_size");
  }
}

TEST_F(ModelFolderErrors, AnUnknownSchedulerNeedsASamplerByName) {
  edit_json("model_index.json", [](Json& index) { index["scheduler"] = {"diffusers", "KarrasVeScheduler"}; });
  const Generator generator(folder(), {.device = Device::kCpu});
  EXPECT_THROW(generator.complete({.prompt = "x"}), Error);
  EXPECT_EQ(*generator.complete({.prompt = "x", .sampler = "ddim"}).sampler, "ddim");
}

TEST_F(ModelFolderErrors, WeightsFullOfNanAreNamedWhenRead) {
  const fs::path file = folder() / "unet/diffusion_pytorch_model.fp16.safetensors";
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-64, std::ios::end);
  for (int i = 0; i < 32; ++i) stream.write("\xff\x7f", 2);  // float16 NaN
  stream.close();
  Generator generator(folder(), {.device = Device::kCpu});
  try {
    generator.run({{.prompt = "x", .steps = 1}}, {}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(error.what()).find("not finite"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos) << error.what();
  }
}

TEST_F(ModelFolderErrors, CudaWithoutAGpu) {
  try {
    Generator(folder(), {.device = Device::kCuda, .device_index = 99});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kWorking);
    EXPECT_NE(std::string(error.what()).find("--device cuda"), std::string::npos);
  }
}

TEST_F(ModelFolderErrors, RequestsThatCannotBeDrawn) {
  const Generator generator(folder(), {.device = Device::kCpu});
  const auto refused = [&](const Request& request, const std::string& part) {
    try {
      generator.complete(request);
      FAIL() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kRequest) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused({.prompt = "x", .width = 100},
          "width 100: expected a multiple of 8, at most 16384; nearest: 96 and 104");
  refused({.prompt = "x", .height = 0}, "height 0");
  refused({.prompt = "x", .height = 1 << 20}, "height 1048576");
  refused({.prompt = "x", .steps = 0}, "steps 0");
  refused({.prompt = "x", .steps = 100000}, "steps 100000");
  refused({.prompt = "x", .sampler = "dim"}, "did you mean ddim?");
  refused({.prompt = "x", .eta = 0.5}, "takes no eta; these do: ddim, tcd");
  refused({.prompt = "x", .sampler = "ddim", .eta = 1.5}, "eta 1.5");
  refused({.prompt = "x", .count = 0}, "count 0");
  refused({.prompt = "x", .guidance_scale = std::numeric_limits<double>::infinity()}, "guidance-scale");
}

TEST(ModelFiles, OlderNamesAreMapped) {
  EXPECT_EQ(current_clip_name("text_model.final_layer_norm.bias"), "final_layer_norm.bias");
  EXPECT_EQ(current_clip_name("final_layer_norm.bias"), "final_layer_norm.bias");
  EXPECT_EQ(current_vae_name("decoder.mid_block.attentions.0.query.weight"),
            "decoder.mid_block.attentions.0.to_q.weight");
  EXPECT_EQ(current_vae_name("decoder.mid_block.attentions.0.proj_attn.bias"),
            "decoder.mid_block.attentions.0.to_out.0.bias");
  EXPECT_EQ(current_vae_name("decoder.conv_in.weight"), "decoder.conv_in.weight");
}

}  // namespace
}  // namespace sdgen
