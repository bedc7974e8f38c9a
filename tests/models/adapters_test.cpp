// Pictures with LoRAs and new words against those of diffusers, and what is said of files that do not fit.
#include "models/adapters.h"

#include <gmock/gmock.h>

#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/pictures.h"

namespace sdgen {
namespace {

using ::testing::HasSubstr;

std::filesystem::path model_path(const std::string& name) {
  const std::filesystem::path plain = testing::golden_path("pipelines/" + name);
  return std::filesystem::exists(plain) ? plain : testing::golden_path("families/pipelines/" + name);
}

std::filesystem::path lora_path(const std::string& name) {
  return testing::golden_path("loras/" + name);
}

ModelFiles files_of(const Json& expected) {
  ModelFiles files{.model = model_path(expected["pipeline"])};
  for (const Json& lora : expected["loras"])
    files.loras.push_back({lora_path(lora[0].get<std::string>()), lora[1].get<double>()});
  if (expected.contains("embeddings"))
    for (const Json& embedding : expected["embeddings"])
      files.embeddings.push_back(
          {lora_path(embedding[0].get<std::string>()), embedding[1].get<std::string>()});
  return files;
}

const ComputeOptions kFloat32{.device = Device::kCpu, .dtype = DType::kFloat32};

std::string error_of(const ModelFiles& files) {
  try {
    const Generator generator(files, kFloat32);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Adapters, PicturesEqualDiffusersPictures) {
  const Json cases = testing::golden_json("loras/pictures.json").at("cases");
  const testing::GoldenTensors pictures("loras/pictures.safetensors");
  ASSERT_GE(cases.size(), 16U);
  for (const Json& expected : cases) {
    const std::string name = expected["name"], picture = expected.value("picture", name);
    SCOPED_TRACE(name);
    Generator generator(files_of(expected), kFloat32);
    std::vector<Image> images;
    Observer observer;
    observer.on_picture = [&](const Picture& drawn) { images.push_back(drawn.image); };
    observer.on_warning = [](const std::string& warning) { EXPECT_THAT(warning, HasSubstr("has capitals")); };
    EXPECT_TRUE(generator.run({testing::request_of(expected)}, {}, observer));
    EXPECT_TRUE(testing::is_same_picture(testing::tensor_of(images), pictures.at(picture)));
  }
}

TEST(Adapters, InfoNamesThem) {
  const ModelFiles files{.model = model_path("sd15-tiny"),
                         .loras = {{lora_path("kohya.safetensors"), 0.5}, {lora_path("peft.bin"), -1.0}},
                         .embeddings = {{lora_path("blob.pt"), ""}}};
  const Generator generator(files, kFloat32);
  EXPECT_THAT(generator.info().loras, ::testing::ElementsAre("kohya:0.5", "peft:-1"));
  EXPECT_THAT(generator.info().embeddings, ::testing::ElementsAre("BlobArt"));
  const std::string text =
      parameters_text(generator.complete({.prompt = "a", .seed = 1}), 1, generator.info());
  EXPECT_EQ(read_parameters(text)->loras, "kohya:0.5, peft:-1");
  EXPECT_EQ(read_parameters(text)->embeddings, "BlobArt");
}

TEST(Adapters, ALoraThatFitsNothingIsRefused) {
  EXPECT_THAT(
      error_of({.model = model_path("sd15-tiny"), .loras = {{lora_path("nowhere.safetensors"), 1.0}}}),
      HasSubstr("nowhere.safetensors: no such LoRA file"));
  EXPECT_THAT(
      error_of({.model = model_path("sd15-tiny"), .loras = {{lora_path("xl-original.safetensors"), 1.0}}}),
      ::testing::AllOf(HasSubstr("xl-original.safetensors"), HasSubstr("expected"), HasSubstr("found"),
                       HasSubstr("by its shapes it is for Stable Diffusion XL")));
  EXPECT_THAT(
      error_of({.model = model_path("sd15-tiny"), .loras = {{lora_path("cat-toy.safetensors"), 1.0}}}),
      HasSubstr("holds no LoRA"));
}

TEST(Adapters, AnEmbeddingThatFitsNothingIsRefused) {
  const std::filesystem::path sd15 = model_path("sd15-tiny"), xl = model_path("xl-tiny");
  const auto words = [](const std::string& file, const std::string& token) {
    return std::vector<Embedding>{{lora_path(file), token}};
  };
  EXPECT_THAT(
      error_of({.model = sd15, .embeddings = words("xl-word.safetensors", "")}),
      HasSubstr("vectors of 16 numbers for a text_encoder, those of sd15-tiny have: text_encoder 24"));
  EXPECT_THAT(error_of({.model = sd15, .embeddings = words("cat-toy.safetensors", "a")}),
              HasSubstr("a token"));
  EXPECT_THAT(error_of({.model = sd15, .embeddings = words("cat-toy.safetensors", "  ")}),
              HasSubstr("is empty"));
  EXPECT_THAT(
      error_of({.model = sd15,
                .embeddings = {{lora_path("cat-toy.safetensors"), "<w>"}, {lora_path("blob.pt"), "<w>"}}}),
      HasSubstr("has a token \"<w>\" already"));
  EXPECT_THAT(error_of({.model = sd15, .embeddings = words("kohya.safetensors", "")}),
              HasSubstr("not an embedding"));
  EXPECT_THAT(error_of({.model = model_path("variant-tiny"), .embeddings = words("cat-toy.safetensors", "")}),
              HasSubstr("cat-toy"));
}

}  // namespace
}  // namespace sdgen
