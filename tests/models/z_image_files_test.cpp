// Z-Image in the files that people have: split ones under the names of its own code, and one for all.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "models/model.h"
#include "sdgen/convert.h"
#include "sdgen/generator.h"
#include "sdgen/inspect.h"
#include "support/golden.h"
#include "support/pictures.h"
#include "support/safetensors_file.h"
#include "weights/edited_source.h"
#include "weights/formats/safetensors_stream.h"
#include "weights/model_files.h"
#include "weights/original/original_names.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

using Source = std::shared_ptr<const TensorSource>;

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  const std::size_t at = text.find(part);
  return at == std::string::npos ? text : text.replace(at, part.size(), by);
}

class ZImageFiles : public ::testing::Test {
 protected:
  const fs::path folder_ = testing::golden_path("flow_families/pipelines/z-image-tiny");
  const testing::TemporaryFolder temporary_;

  void SetUp() override { ::setenv("SDGEN_QWEN_TOKENIZER", (folder_ / "tokenizer").c_str(), 1); }
  void TearDown() override { ::unsetenv("SDGEN_QWEN_TOKENIZER"); }

  fs::path path(const std::string& name) const { return temporary_.path() / name; }

  // `source` with its names behind `prefix`, in a file.
  fs::path written(const std::string& name, const Source& source) const {
    write_safetensors(path(name), *source, std::nullopt, {}, false);
    return path(name);
  }

  // As the model's own code has them: query, key and value in one matrix.
  Source transformer(const std::string& prefix) const {
    const Source source = open_model_files(folder_ / "transformer", "diffusion_pytorch_model");
    std::map<std::string, EditedTensor> edits;
    for (const std::string& key : source->keys()) {
      if (key.find("attention.to_k.") != key.npos || key.find("attention.to_v.") != key.npos) continue;
      if (key.find("attention.to_q.") != key.npos) {
        edits[prefix + replaced(key, "to_q", "qkv")] = {
            {key, replaced(key, "to_q", "to_k"), replaced(key, "to_q", "to_v")}, TensorEdit::kJoined};
        continue;
      }
      std::string name = replaced(replaced(key, "all_final_layer.2-1.", "final_layer."),
                                  "all_x_embedder.2-1.", "x_embedder.");
      name = replaced(replaced(name, "attention.to_out.0.", "attention.out."), "attention.norm_q.",
                      "attention.q_norm.");
      edits[prefix + replaced(name, "attention.norm_k.", "attention.k_norm.")] = {{key}};
    }
    return edit_tensors(source, edits);
  }
  Source text(const std::string& prefix) const {
    return rename_keys(open_model_files(folder_ / "text_encoder", "model"), [=](const std::string& key) {
      return prefix + (key.starts_with("model.") ? key : "model." + key);
    });
  }
  Source vae(const std::string& prefix) const {
    const Source source = original_checkpoint(
        "vae", {{"vae", open_model_files(folder_ / "vae", "diffusion_pytorch_model")}}, false);
    return rename_keys(
        source, [=](const std::string& key) { return prefix + replaced(key, "first_stage_model.", ""); });
  }

  static Tensor drawn(const ModelFiles& files) {
    Generator generator(files, {.device = Device::kCpu, .dtype = DType::kFloat32});
    std::vector<Image> images;
    generator.run({{.prompt = "a red circle",
                    .negative_prompt = "dark",
                    .steps = 3,
                    .guidance_scale = 2.0,
                    .seed = 3,
                    .width = 48,
                    .height = 32}},
                  {}, {.on_picture = [&](const Picture& picture) { images.push_back(picture.image); }});
    return testing::tensor_of(images);
  }
};

TEST_F(ZImageFiles, SplitOnesDrawTheFoldersPicture) {
  const Tensor expected = drawn({.model = folder_});
  const ModelFiles files{.model = written("z_image_bf16.safetensors", transformer("")),
                         .parts = {{"text_encoder", written("qwen_3_4b.safetensors", text(""))},
                                   {"vae", written("ae.safetensors", vae(""))}}};
  EXPECT_TRUE(at::equal(drawn(files), expected));
}

TEST_F(ZImageFiles, OneForAllDrawsTheFoldersPictureAndIsConvertedToAFolder) {
  const fs::path file =
      written("all.safetensors", join_sources("all", {transformer("model.diffusion_model."), vae("vae."),
                                                      text("text_encoders.qwen3_4b.transformer.")}));
  const Tensor expected = drawn({.model = folder_});
  EXPECT_TRUE(at::equal(drawn({.model = file}), expected));
  convert_model(file, path("folder"), {});
  EXPECT_TRUE(at::equal(drawn({.model = path("folder")}), expected));
  const Inspection inspection = inspect(file);
  EXPECT_EQ(inspection.kind, "checkpoint");
  EXPECT_EQ(inspection.family, "ZImagePipeline");
  EXPECT_TRUE(inspection.missing.empty());
  EXPECT_TRUE(inspection.unused.empty()) << inspection.unused.front();
}

TEST_F(ZImageFiles, AFoldersTransformerIsReplacedByAFileOfItsOwnNamesOrOfDiffusers) {
  const Tensor expected = drawn({.model = folder_});
  for (const fs::path& file : {written("own.safetensors", transformer("")),
                               folder_ / "transformer/diffusion_pytorch_model.safetensors"})
    EXPECT_TRUE(at::equal(drawn({.model = folder_, .parts = {{"unet", file}}}), expected)) << file;
}

TEST_F(ZImageFiles, WhatIsMissingIsNamed) {
  const fs::path file = written("z_image.safetensors", transformer(""));
  const auto message = [&](const std::map<std::string, fs::path>& parts) {
    try {
      drawn({.model = file, .parts = parts});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message({}), ::testing::HasSubstr("holds no vae, text_encoder"));
  ::setenv("SDGEN_QWEN_TOKENIZER", path("nowhere").c_str(), 1);
  EXPECT_THAT(message({{"text_encoder", written("qwen.safetensors", text(""))},
                       {"vae", written("ae.safetensors", vae(""))}}),
              ::testing::HasSubstr("holds no tokenizer.json; fetch it once: hf download"));
}

TEST_F(ZImageFiles, WhatAFlowOrAChatCannotDoIsRefusedByItsFlag) {
  Generator generator(folder_, {.device = Device::kCpu, .dtype = DType::kFloat32});
  const auto message = [&](const Request& request) {
    try {
      generator.complete(request);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({.prompt = "a cat"}), "");
  EXPECT_THAT(message({.prompt = "a cat", .clip_skip = 1}),
              ::testing::HasSubstr("clip-skip: the text encoder"));
  EXPECT_THAT(message({.prompt = "a cat", .focus = {{"cat"}}}), ::testing::HasSubstr("focus: not possible"));
  EXPECT_THAT(message({.prompt = "a cat", .edit_from = "a dog"}),
              ::testing::HasSubstr("edit-from: not possible"));
  EXPECT_THAT(message({.prompt = "a cat", .sampler = "ddim"}), ::testing::HasSubstr("ddim"));
  EXPECT_THAT(message({.prompt = "a cat", .zero_snr = true}), ::testing::HasSubstr("zero-snr"));
}

}  // namespace
}  // namespace sdgen
