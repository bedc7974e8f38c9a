#include "sdgen/convert.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "models/checkpoint.h"
#include "sdgen/generator.h"
#include "support/single_files.h"
#include "weights/formats/safetensors.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

using testing::TemporaryFolder;

class Convert : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("SDGEN_CLIP_VOCABULARY", testing::golden_path("pipelines/sd15-tiny/tokenizer").c_str(), 1);
  }
  void TearDown() override { ::unsetenv("SDGEN_CLIP_VOCABULARY"); }

  fs::path path(const std::string& name) const { return folder_.path() / name; }

  fs::path checkpoint(const std::string& name) const {
    testing::named_file(path(name + ".safetensors"), testing::single_file_shapes(name));
    return path(name + ".safetensors");
  }

  static std::string refusal(const fs::path& from, const fs::path& to, const ConvertOptions& options = {}) {
    try {
      convert_model(from, to, options);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_.path())) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

  TemporaryFolder folder_;
};

void expect_same(const TensorSource& a, const TensorSource& b) {
  EXPECT_EQ(a.keys(), b.keys());
  for (const std::string& key : a.keys()) {
    ASSERT_TRUE(b.find(key)) << key;
    ASSERT_EQ(a.find(key)->shape, b.find(key)->shape) << key;
    EXPECT_TRUE(at::equal(a.read(key), b.read(key))) << key;
  }
}

void expect_same(const Checkpoint& a, const Checkpoint& b) {
  EXPECT_EQ(a.pipeline_class, b.pipeline_class);
  EXPECT_EQ(a.configs, b.configs);
  for (const auto& [name, component] : a.components) expect_same(*component, *b.components.at(name));
}

TEST_F(Convert, EveryFamilyGoesToAFolderAndBack) {
  for (const Json& golden : testing::single_file_cases()) {
    const std::string name = golden.at("name");
    SCOPED_TRACE(name);
    const fs::path file = checkpoint(name), folder = path(name), again = path(name + "-2.safetensors");
    convert_model(file, folder, {});
    convert_model(folder, again, {});
    expect_same(open_checkpoint(file), open_checkpoint(again));
    const auto unet = open_model_files(folder / "unet", "diffusion_pytorch_model");
    EXPECT_EQ(unet->keys().size(), golden.at("components").at("unet").size());
    EXPECT_EQ(Config::read(folder / "model_index.json").json.at("_class_name"),
              golden.at("configs").at("model_index").at("_class_name"));
    const auto& missing = open_checkpoint(again).unused;
    EXPECT_EQ(missing, std::vector<std::string>{});
  }
}

TEST_F(Convert, TokenizersPadAsTheirModelsDo) {
  const auto pad = [&](const std::string& folder) {
    return Config::read(path(folder) / "tokenizer_config.json").at<std::string>("pad_token");
  };
  convert_model(checkpoint("xl"), path("xl"), {});
  EXPECT_EQ(pad("xl/tokenizer"), "<|endoftext|>");
  EXPECT_EQ(pad("xl/tokenizer_2"), "!");
  convert_model(checkpoint("sd2"), path("sd2"), {});
  EXPECT_EQ(pad("sd2/tokenizer"), "!");
}

TEST_F(Convert, ToAnotherDtype) {
  const fs::path file = checkpoint("sd1");
  ConvertOptions half;
  half.dtype = DType::kFloat16;
  convert_model(file, path("half.safetensors"), half);
  convert_model(file, path("model"), half);
  const auto source = open_safetensors(path("half.safetensors"));
  const std::string key = "first_stage_model.quant_conv.weight";
  EXPECT_EQ(source->find(key)->dtype, at::kHalf);
  EXPECT_TRUE(at::equal(source->read(key), open_safetensors(file)->read(key).to(at::kHalf)));
  half.dtype = DType::kFloat32;
  convert_model(path("model"), path("model-2"), half);
  const auto vae = open_model_files(path("model-2") / "vae", "diffusion_pytorch_model");
  EXPECT_EQ(vae->find("quant_conv.weight")->dtype, at::kFloat);
  EXPECT_TRUE(fs::exists(path("model-2") / "tokenizer" / "vocab.json"));
}

TEST_F(Convert, PyTorchFilesBecomeSafetensors) {
  convert_model(testing::golden_path("pickles/nested.ckpt"), path("x.safetensors"), {});
  const auto source = open_safetensors(path("x.safetensors"));
  EXPECT_EQ(source->keys().size(), 11u);
  EXPECT_EQ(source->read("row")[3].item<float>(), 7.0F);
  EXPECT_EQ(source->metadata().at("global_step"), "875000");
}

TEST_F(Convert, WhatExistsIsKept) {
  const fs::path file = checkpoint("sd1");
  testing::write_bytes(path("there.safetensors"), "mine");
  EXPECT_NE(refusal(file, path("there.safetensors")).find("already exists"), std::string::npos);
  fs::create_directory(path("folder"));
  EXPECT_NE(refusal(file, path("folder")).find("already exists"), std::string::npos);
  ConvertOptions overwrite;
  overwrite.overwrite = true;
  EXPECT_NE(refusal(file, path("folder"), overwrite).find("no model's folder"), std::string::npos);
  EXPECT_NE(refusal(file, file, overwrite).find("what is to be converted"), std::string::npos);
  EXPECT_EQ(refusal(file, path("there.safetensors"), overwrite), "");
  EXPECT_EQ(refusal(file, path("model")), "");
  EXPECT_EQ(refusal(file, path("model"), overwrite), "");
  EXPECT_EQ(names(), (std::vector<std::string>{"folder", "model", "sd1.safetensors", "there.safetensors"}));
}

TEST_F(Convert, ALinkAsTheTargetStaysALink) {
  const fs::path file = checkpoint("sd1");
  testing::write_bytes(path("real.safetensors"), "old");
  fs::permissions(path("real.safetensors"), fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("real.safetensors", path("link.safetensors"));
  EXPECT_EQ(refusal(file, path("link.safetensors"), {.overwrite = true}), "");
  EXPECT_TRUE(fs::is_symlink(path("link.safetensors")));
  EXPECT_EQ(fs::status(path("real.safetensors")).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::file_size(path("real.safetensors")), fs::file_size(path("link.safetensors")));
  EXPECT_GT(fs::file_size(path("real.safetensors")), 3U);
}

TEST_F(Convert, FailuresLeaveNothing) {
  const fs::path file = checkpoint("sd1");
  EXPECT_NE(refusal(path("none"), path("x")).find("no such file"), std::string::npos);
  EXPECT_NE(refusal(file, path("x.ckpt")).find("not written"), std::string::npos);
  EXPECT_NE(refusal(file, path("nowhere/x.safetensors")).find("cannot be written"), std::string::npos);
  EXPECT_NE(refusal(file, path("nowhere/x")).find("cannot be written"), std::string::npos);
  ::setenv("SDGEN_CLIP_VOCABULARY", path("none").c_str(), 1);
  EXPECT_NE(refusal(file, path("x")).find("scripts/clip_vocabulary"), std::string::npos);
  EXPECT_EQ(names(), std::vector<std::string>{"sd1.safetensors"});
}

TEST_F(Convert, NumbersThatDoNotFitAreRefused) {
  const at::Tensor large = at::tensor({1e6F});
  const std::string data(static_cast<const char*>(large.const_data_ptr()), 4);
  testing::write_bytes(
      path("x.safetensors"),
      testing::safetensors_bytes(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", data));
  ConvertOptions half;
  half.dtype = DType::kFloat16;
  EXPECT_NE(refusal(path("x.safetensors"), path("y.safetensors"), half)
                .find("'t' holds numbers that are not finite"),
            std::string::npos);
  EXPECT_EQ(names(), std::vector<std::string>{"x.safetensors"});
}

TEST_F(Convert, WhatOneFileCannotTellStaysAFolder) {
  // Its groups, heads and activations are not Stable Diffusion's.
  const std::string message = refusal(testing::golden_path("pipelines/sd15-tiny"), path("x.safetensors"));
  EXPECT_NE(message.find("one file cannot tell"), std::string::npos) << message;
  EXPECT_EQ(names(), std::vector<std::string>{});
}

// Two steps of what `model` draws, in float32.
Image drawn(const ModelFiles& model) {
  Generator generator(model, {.device = Device::kCpu, .dtype = DType::kFloat32});
  Image image;
  Observer observer;
  observer.on_picture = [&](const Picture& picture) { image = picture.image; };
  const Request request{.prompt = "a red circle", .steps = 2, .seed = 1, .width = 64, .height = 64};
  generator.run({request}, {}, observer);
  return image;
}

// A vocabulary as small as the fixtures' text encoders: letters.
void write_letters(const fs::path& folder) {
  fs::create_directories(folder);
  Json vocab = {{"!", 0}};
  for (const std::string& end : {std::string(), std::string("</w>")})
    for (char letter = 'a'; letter <= 'z'; ++letter) vocab[letter + end] = vocab.size();
  for (const char* marker : {"<|startoftext|>", "<|endoftext|>"}) vocab[marker] = vocab.size();
  std::ofstream(folder / "vocab.json") << vocab;
  std::ofstream(folder / "merges.txt") << "#version: 0.2\n";
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"tokenizer_class": "CLIPTokenizer", "model_max_length": 20})";
}

TEST_F(Convert, ASingleFileDrawsWhatItsFolderDraws) {
  write_letters(path("letters"));
  ::setenv("SDGEN_CLIP_VOCABULARY", path("letters").c_str(), 1);
  for (const std::string name : {"sd1", "sd2", "xl"}) {
    SCOPED_TRACE(name);
    const fs::path file = checkpoint(name), folder = path(name);
    convert_model(file, folder, {});
    const Image image = drawn({.model = file});
    EXPECT_FALSE(image.rgb.empty());
    EXPECT_EQ(image.rgb, drawn({.model = folder}).rgb);
    EXPECT_EQ(image.rgb, drawn({.model = folder, .parts = {{"vae", file}, {"unet", file}}}).rgb);
  }
}

TEST_F(Convert, ASingleFileWithoutAVocabularySaysHowToGetOne) {
  ::setenv("SDGEN_CLIP_VOCABULARY", folder_.path().c_str(), 1);
  try {
    drawn({.model = checkpoint("sd1")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(error.what()).find("scripts/clip_vocabulary"), std::string::npos) << error.what();
  }
}

// A folder as a hub's cache holds it: every file a link to a blob beside the folder.
TEST_F(Convert, AFolderOfLinksIsConvertedAsTheFilesItStandsFor) {
  fs::copy(testing::golden_path("pipelines/sd15-tiny"), path("blobs"), fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(path("blobs"))) {
    if (!entry.is_regular_file()) continue;
    const fs::path link = path("snapshots/revision") / entry.path().lexically_relative(path("blobs"));
    fs::create_directories(link.parent_path());
    fs::create_symlink(fs::relative(entry.path(), link.parent_path()), link);
  }
  convert_model(path("snapshots/revision"), path("out"), {});
  convert_model(path("blobs"), path("plain"), {});
  const auto files = [&](const char* root) {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(path(root))) {
      found.push_back(entry.path().lexically_relative(path(root)));
      EXPECT_FALSE(entry.is_symlink()) << entry.path();
    }
    std::sort(found.begin(), found.end());
    return found;
  };
  EXPECT_EQ(files("out"), files("plain"));
}

TEST_F(Convert, AComponentThatIsALinkToAnotherModelsIsCopied) {
  fs::create_directories(path("both"));
  fs::copy(testing::golden_path("pipelines/sd15-tiny"), path("both/one"), fs::copy_options::recursive);
  fs::copy(path("both/one"), path("both/two"), fs::copy_options::recursive);
  fs::remove_all(path("both/two/vae"));
  fs::create_directory_symlink("../one/vae", path("both/two/vae"));
  convert_model(path("both/two"), path("out"), {});
  EXPECT_TRUE(fs::exists(path("out/vae/config.json")));
  EXPECT_FALSE(fs::is_symlink(path("out/vae")));
}

TEST_F(Convert, WhatAPackageLinksToBesideTheModelStaysWhereItIs) {
  fs::create_directories(path("package"));
  fs::copy(testing::golden_path("pipelines/sd15-tiny"), path("package/model"), fs::copy_options::recursive);
  fs::create_directories(path("package/.ssh"));
  std::ofstream(path("package/.ssh/keys")) << "secret";
  fs::create_directory_symlink("../.ssh", path("package/model/d"));
  fs::create_symlink("../.ssh/keys", path("package/model/k"));
  fs::create_symlink("../../.ssh/keys", path("package/model/unet/k"));
  fs::create_directory_symlink("..", path("package/model/unet/loop"));
  fs::create_directories(path("home"));
  convert_model(path("package/model"), path("home/out"), {});
  std::vector<std::string> beside;
  for (const auto& entry : fs::directory_iterator(path("home"))) beside.push_back(entry.path().filename());
  EXPECT_EQ(beside, std::vector<std::string>{"out"});
  for (const char* name : {"d", "k", "unet/k", "unet/loop", "keys"})
    EXPECT_FALSE(fs::exists(path("home/out") / name)) << name;
}

}  // namespace
}  // namespace sdgen
