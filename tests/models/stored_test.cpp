// Whole models with parts as other programs store them: pictures against the reference's, and what is told.
#include <gmock/gmock.h>

#include <fstream>

#include "models/model.h"
#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/pictures.h"
#include "support/safetensors_file.h"
#include "support/single_files.h"
#include "support/tensor_map.h"
#include "weights/edited_source.h"
#include "weights/formats/safetensors.h"
#include "weights/formats/safetensors_stream.h"
#include "weights/formats/safetensors_write.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"
#include "weights/original/controlnet_base.h"
#include "weights/original/original_unet.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using testing::golden_path;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TensorMap;

constexpr ComputeOptions kCpu{.device = Device::kCpu, .dtype = DType::kFloat32};

struct Drawn {
  Tensor picture;
  std::vector<std::string> warnings;
};

Drawn draw(const ModelFiles& files, const Request& request) {
  Generator generator(files, kCpu);
  Drawn drawn;
  std::vector<Image> images;
  Observer observer;
  observer.on_picture = [&](const Picture& picture) { images.push_back(picture.image); };
  observer.on_warning = [&](const std::string& warning) { drawn.warnings.push_back(warning); };
  EXPECT_TRUE(generator.run({request}, {}, observer));
  drawn.picture = testing::tensor_of(images);
  return drawn;
}

struct Golden {
  Request request;
  Tensor picture;
};

// The case of `folder`/pictures.json.
Golden golden(const std::string& folder, const std::string& name) {
  for (const Json all = testing::golden_json(folder + "/pictures.json").at("cases"); const Json& each : all)
    if (each.at("name") == name)
      return {testing::request_of(each),
              testing::GoldenTensors(folder + "/pictures.safetensors").at(each.value("picture", name))};
  throw std::runtime_error("no case " + name);
}

void write(const fs::path& path, const TensorSource& tensors, const Metadata& metadata = {}) {
  write_safetensors(path, tensors, std::nullopt, metadata, /*overwrite=*/true);
}

TensorMap copy_of(const TensorSource& source) {
  TensorMap map;
  for (const std::string& key : source.keys()) map.add(key, source.read(key).clone());
  return map;
}

class Stored : public ::testing::Test {
 protected:
  Stored() { fs::copy(golden_path("pipelines/sd15-tiny"), model(), fs::copy_options::recursive); }
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  fs::path model() const { return path("model"); }

  testing::TemporaryFolder folder_;
};

TEST_F(Stored, AScaledUnetDrawsAsItsProducts) {
  const fs::path file = model() / "unet/diffusion_pytorch_model.safetensors";
  TensorMap codes, products;
  for (const auto source = open_safetensors(file); const std::string& key : source->keys()) {
    const Tensor weight = source->read(key).to(at::kFloat);
    if (weight.dim() < 2) {
      codes.add(key, weight.clone());
      products.add(key, weight.clone());
      continue;
    }
    const Tensor scale = weight.abs().max() / 448;
    codes.add(key, weight.div(scale).to(at::kFloat8_e4m3fn));
    codes.add(key.substr(0, key.size() - 6) + "scale_weight", scale);
    codes.add(key.substr(0, key.size() - 6) + "scale_input", at::ones({}));
    products.add(key, codes.read(key).to(at::kFloat) * scale);
  }
  codes.add("scaled_fp8", at::empty({0}).to(at::kFloat8_e4m3fn));
  const Request request =
      golden("pictures", testing::golden_json("pictures/pictures.json")["cases"][0]["name"]).request;
  write(file, products);
  const Drawn expected = draw({.model = model()}, request);
  write(file, codes);
  const Drawn drawn = draw({.model = model()}, request);
  EXPECT_TRUE(testing::is_same_picture(drawn.picture, expected.picture));
  EXPECT_THAT(drawn.warnings, IsEmpty());
}

TEST_F(Stored, PeftPatternsCountInTheFilesOrder) {
  const Golden expected = golden("stored", "patterns");
  EXPECT_TRUE(testing::is_same_picture(
      draw({.model = model(), .loras = {{golden_path("stored/patterns"), 1.0}}}, expected.request).picture,
      expected.picture));
}

// As diffusers saves it from a model in memory: settings as metadata, the adapter's name in keys.
TEST_F(Stored, PeftPatternsInMetadataAndAdapterNames) {
  const Golden expected = golden("stored", "patterns");
  const auto peft = open_safetensors(golden_path("stored/patterns/adapter_model.safetensors"));
  std::ifstream config(golden_path("stored/patterns/adapter_config.json"));
  const auto plain = nlohmann::ordered_json::parse(config);
  for (const std::string prefix : {"", "unet."}) {
    TensorMap tensors;
    for (const std::string& key : peft->keys()) {
      std::string name = prefix + key.substr(std::string("base_model.model.").size());
      name.insert(name.size() - std::string("weight").size(), "default_0.");
      tensors.add(name, peft->read(key));
    }
    nlohmann::ordered_json settings;
    for (const auto& [key, value] : plain.items()) settings[prefix + key] = value;
    write(path("lora.safetensors"), tensors, {{"lora_adapter_metadata", settings.dump()}});
    EXPECT_TRUE(testing::is_same_picture(
        draw({.model = model(), .loras = {{path("lora.safetensors"), 1.0}}}, expected.request).picture,
        expected.picture))
        << prefix;
  }
}

TEST_F(Stored, AnAlphaMayHaveAnyShapeOfOneNumber) {
  const Golden expected = golden("loras", "kohya");
  TensorMap tensors;
  for (const auto source = open_safetensors(golden_path("loras/kohya.safetensors"));
       const std::string& key : source->keys())
    tensors.add(key, key.ends_with(".alpha") ? source->read(key).view({1, 1, 1}) : source->read(key));
  write(path("lora.safetensors"), tensors);
  EXPECT_TRUE(testing::is_same_picture(
      draw({.model = model(), .loras = {{path("lora.safetensors"), 1.0}}}, expected.request).picture,
      expected.picture));
}

TEST_F(Stored, WordsOfOtherProgramsAreDiffusersWord) {
  const Golden expected = golden("loras", "word");
  for (const auto& [file, token] :
       {std::pair{"named.pt", ""}, {"parameters.pt", ""}, {"bare.pt", "<cat-toy>"}}) {
    const Drawn drawn =
        draw({.model = model(), .embeddings = {{golden_path(std::string("stored/") + file), token}}},
             expected.request);
    EXPECT_TRUE(testing::is_same_picture(drawn.picture, expected.picture)) << file;
  }
  const Golden xl = golden("loras", "word-xl");
  EXPECT_TRUE(testing::is_same_picture(
      draw({.model = golden_path("families/pipelines/xl-tiny"),
            .embeddings = {{golden_path("stored/xl-numbered.safetensors"), "xl-word"}}},
           xl.request)
          .picture,
      xl.picture));
}

TEST_F(Stored, AnEmbeddingWithoutANameIsCalledAsItsFileOrItsPlaceholder) {
  fs::copy(golden_path("stored/bare.pt"), path("my-cat.pt"));
  const Generator generator({.model = model(), .embeddings = {{path("my-cat.pt"), ""}}}, kCpu);
  EXPECT_THAT(generator.info().embeddings, ElementsAre("my-cat"));
  EXPECT_THAT(Generator({.model = model(), .embeddings = {{golden_path("stored/parameters.pt"), ""}}}, kCpu)
                  .info()
                  .embeddings,
              ElementsAre("<cat-toy>"));
  EXPECT_THAT(
      [&] {
        Generator({.model = model(), .embeddings = {{golden_path("stored/two.pt"), ""}}}, kCpu);
      },
      ::testing::ThrowsMessage<Error>(HasSubstr("holds vectors of 2 words")));
}

TEST_F(Stored, AControlLoraIsAddedToItsUnet) {
  const Golden expected = golden("stored", "control-lora");
  Request request = expected.request;
  EXPECT_TRUE(testing::is_same_picture(
      draw({.model = model(), .controlnets = {golden_path("stored/control-lora.safetensors")}}, request)
          .picture,
      expected.picture));
}

TEST_F(Stored, AControlNetOfDifferencesIsAddedToItsUnet) {
  const Golden expected = golden("controlnets", "edges");
  fs::copy(golden_path("controlnets/sd15-edges"), path("net"), fs::copy_options::recursive);
  const auto net = open_model_files(path("net"), "diffusion_pytorch_model"),
             unet = open_model_files(model() / "unet", "diffusion_pytorch_model");
  TensorMap differences;
  for (const std::string& key : net->keys()) {
    const Tensor own = net->read(key).to(at::kFloat);
    differences.add(key, unet->find(key) ? own - unet->read(key).to(at::kFloat) : own);
  }
  differences.add("difference", at::empty({0}));
  fs::remove(path("net/diffusion_pytorch_model.fp16.safetensors"));
  write(path("net/diffusion_pytorch_model.safetensors"), differences);
  const Drawn drawn = draw({.model = model(), .controlnets = {path("net")}}, expected.request);
  EXPECT_TRUE(testing::is_same_picture(drawn.picture, expected.picture));
  EXPECT_THAT(drawn.warnings, IsEmpty());
}

// Under the original names, which such files have.
TEST_F(Stored, ChangesOfAUnetUnderOriginalNames) {
  const auto unet = open_model_files(model() / "unet", "diffusion_pytorch_model");
  const NameMap names = unet_names(diffusers_unet_layout(*unet), false);
  const std::string conv = "down_blocks.0.resnets.0.conv1",
                    query = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
  const auto original = [&](const std::string& name) { return *names.to_original(name); };
  const Tensor up = at::ones({16, 2, 1, 1}), down = at::rand({2, 16, 3, 3});
  TensorMap lora;
  lora.add("lora_controlnet", at::empty({0}));
  lora.add("input_hint_block.0.weight", at::ones({16, 3, 3, 3}));
  lora.add(original(conv + ".up"), up);
  lora.add(original(conv + ".down"), down);
  lora.add(original(query + ".bias"), at::ones({24}));
  const auto whole = controlnet_over(std::make_shared<TensorMap>(lora), unet);
  const Tensor base = unet->read(conv + ".weight").to(at::kFloat);
  EXPECT_TRUE(testing::is_close(whole->read(conv + ".weight"),
                                base + at::mm(up.view({16, 2}), down.view({2, -1})).view(base.sizes()),
                                1e-6));
  EXPECT_TRUE(at::equal(whole->read(query + ".weight"), unet->read(query + ".weight")));
  EXPECT_EQ(whole->read(query + ".bias").sum().item<float>(), 24.0F);
  EXPECT_FALSE(whole->find("conv_out.weight"));

  TensorMap difference;
  difference.add("difference", at::empty({0}));
  difference.add("control_model.input_hint_block.0.weight", at::ones({16, 3, 3, 3}));
  for (const std::string& key : unet->keys())
    if (key.starts_with("down_blocks.") || key.starts_with("conv_in."))
      difference.add("control_model." + original(key), at::full_like(unet->read(key).to(at::kFloat), 0.5));
  const auto sum = controlnet_over(std::make_shared<TensorMap>(difference), unet);
  EXPECT_TRUE(testing::is_close(sum->read(conv + ".weight"), base + 0.5, 1e-6));
  EXPECT_EQ(sum->read("controlnet_cond_embedding.conv_in.weight").sum().item<float>(), 432.0F);
  EXPECT_FALSE(sum->find("difference"));
}

TEST_F(Stored, ATextEncoderMayBeAWholeClipModel) {
  const std::string name = testing::golden_json("pictures/pictures.json")["cases"][0]["name"];
  const Golden expected = golden("pictures", name);
  const fs::path config = model() / "text_encoder/config.json",
                 file = model() / "text_encoder/model.safetensors";
  const Json text = read_json_file(config);
  std::ofstream(config) << Json{{"model_type", "clip"},
                                {"projection_dim", 24},
                                {"text_config", text},
                                {"vision_config", Json::object()}};
  TensorMap tensors = copy_of(*open_safetensors(file));
  tensors.add("vision_model.embeddings.class_embedding", at::ones({8}));
  tensors.add("visual_projection.weight", at::ones({24, 8}));
  tensors.add("text_projection.weight", at::ones({24, 24}));
  tensors.add("logit_scale", at::ones({}));
  write(file, tensors);
  const Drawn drawn = draw({.model = model()}, expected.request);
  EXPECT_TRUE(testing::is_same_picture(drawn.picture, expected.picture));
  EXPECT_THAT(drawn.warnings, IsEmpty());
}

TEST_F(Stored, TensorsTooManyAreToldOnceAndLeftOut) {
  const std::string name = testing::golden_json("pictures/pictures.json")["cases"][0]["name"];
  const Golden expected = golden("pictures", name);
  for (const std::string part :
       {"unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"}) {
    const fs::path file = model() / (part + ".safetensors");
    TensorMap tensors = copy_of(*open_safetensors(file));
    tensors.add("more.bias", at::ones({2}));
    tensors.add("more.weight", at::ones({2, 2}));
    write(file, tensors);
  }
  const Drawn drawn = draw({.model = model()}, expected.request);
  EXPECT_TRUE(testing::is_same_picture(drawn.picture, expected.picture));
  ASSERT_EQ(drawn.warnings.size(), 3u);
  for (const std::string& warning : drawn.warnings)
    EXPECT_THAT(warning, ::testing::AllOf(HasSubstr("2 tensors"), HasSubstr("e.g. 'more.bias'"),
                                          HasSubstr("left out")));
}

// A single file of Stable Diffusion 1, and its UNet by itself, with and without markers.
class Markers : public ::testing::Test {
 protected:
  fs::path file(const std::string& name, const std::vector<std::string>& marks, bool is_unet = false,
                const std::string& metadata = "") const {
    testing::Shapes shapes = testing::single_file_shapes("sd1");
    if (is_unet)
      std::erase_if(shapes,
                    [](const auto& each) { return !each.first.starts_with("model.diffusion_model."); });
    for (const std::string& mark : marks) shapes[mark] = {0};
    testing::named_file(folder_.path() / name, shapes, metadata);
    return folder_.path() / name;
  }
  static std::string schedule(const fs::path& model, const fs::path& unet) {
    const Config config = open_model_source({.model = model, .parts = {{"unet", unet}}}).config("scheduler");
    return config.at<std::string>("prediction_type") +
           (config.value("rescale_betas_zero_snr", false) ? " zero" : "") + " " +
           config.value<std::string>("timestep_spacing", "none");
  }
  testing::TemporaryFolder folder_;
};

TEST_F(Markers, TravelWithTheUnetThatTheyBelongTo) {
  const fs::path plain = file("plain.safetensors", {}), v = file("v.safetensors", {"v_pred"}),
                 zero = file("zero.safetensors", {"v_pred", "ztsnr"});
  const fs::path plain_unet = file("plain-unet.safetensors", {}, true),
                 v_unet = file("v-unet.safetensors", {"v_pred"}, true),
                 zero_unet = file("zero-unet.safetensors", {"v_pred", "ztsnr"}, true),
                 told = file("told.safetensors", {}, true, R"("modelspec.prediction_type": "v")");
  EXPECT_EQ(schedule(plain, v_unet), "v_prediction none");
  EXPECT_EQ(schedule(plain, zero_unet), "v_prediction zero trailing");
  EXPECT_EQ(schedule(plain, told), "v_prediction none");
  EXPECT_EQ(schedule(plain, v), "v_prediction none");  // the UNet of a whole file
  EXPECT_EQ(schedule(v, plain_unet), "epsilon none");
  EXPECT_EQ(schedule(zero, plain_unet), "epsilon none");
  // a folder's scheduler says more than a file that is silent
  const fs::path folder = folder_.path() / "folder";
  fs::copy(golden_path("pipelines/sd15-tiny"), folder, fs::copy_options::recursive);
  std::ofstream(folder / "scheduler/scheduler_config.json")
      << R"({"_class_name": "PNDMScheduler", "prediction_type": "v_prediction"})";
  EXPECT_EQ(schedule(folder, plain_unet), "v_prediction none");
  EXPECT_EQ(schedule(folder, zero_unet), "v_prediction zero trailing");
  EXPECT_EQ(schedule(folder, file("eps.safetensors", {}, true, R"("modelspec.prediction_type": "epsilon")")),
            "epsilon none");
}

TEST_F(Markers, OfAUnetsFolderCountToo) {
  const fs::path folder = folder_.path() / "unet";
  fs::copy(golden_path("families/pipelines/xl-tiny/unet"), folder, fs::copy_options::recursive);
  TensorMap tensors = copy_of(*open_model_files(folder, "diffusion_pytorch_model"));
  tensors.add("v_pred", at::empty({0}));
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors") fs::remove(entry.path());
  write(folder / "diffusion_pytorch_model.safetensors", tensors);
  const fs::path model = golden_path("families/pipelines/xl-tiny");
  EXPECT_EQ(read_model({.model = model, .parts = {{"unet", folder}}}).scheduler.prediction_type,
            PredictionType::kVPrediction);
}

}  // namespace
}  // namespace sdgen
