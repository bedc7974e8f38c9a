// Weights with LoRAs merged, and LoRAs that are wrong.
#include "weights/adapters/lora.h"

#include <gmock/gmock.h>

#include <cmath>

#include "sdgen/error.h"
#include "support/golden.h"
#include "support/safetensors_file.h"
#include "weights/formats/safetensors_write.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

using ::testing::HasSubstr;
using Named = std::map<std::string, Tensor>;
using Source = std::shared_ptr<const TensorSource>;

// Tensors as they are.
class InMemory : public TensorSource {
 public:
  explicit InMemory(const Named& tensors) : tensors_(tensors) {
    for (const auto& [key, tensor] : tensors)
      infos_[key] = {tensor.scalar_type(), tensor.sizes().vec(), "memory", key};
  }
  std::string describe() const override { return "memory"; }
  std::vector<std::string> keys() const override {
    std::vector<std::string> names;
    for (const auto& [key, info] : infos_) names.push_back(key);
    return names;
  }
  const TensorInfo* find(const std::string& key) const override {
    return infos_.contains(key) ? &infos_.at(key) : nullptr;
  }
  Tensor read(const std::string& key) const override { return tensors_.at(key); }

 private:
  Named tensors_;
  std::map<std::string, TensorInfo> infos_;
};

std::string header_of(const Named& tensors, std::string& data, const std::string& metadata) {
  nlohmann::json header;
  if (!metadata.empty()) header["__metadata__"]["lora_adapter_metadata"] = metadata;
  for (const auto& [key, tensor] : tensors) {
    const Tensor plain = tensor.to(at::kFloat).contiguous();
    const std::size_t begin = data.size();
    data.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
    header[key] = {{"dtype", "F32"}, {"shape", plain.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
  }
  return header.dump();
}

// A UNet of three layers and what a LoRA file makes of it.
struct LoraWeights : ::testing::Test {
  testing::TemporaryFolder folder;
  Named unet = {{"mid_block.attentions.0.to_q.weight", at::arange(12, at::kFloat).view({4, 3}).to(at::kHalf)},
                {"mid_block.attentions.0.to_q.bias", at::ones({4})},
                {"conv_in.weight", at::arange(36, at::kFloat).view({2, 2, 3, 3})},
                {"conv_in.bias", at::zeros({2})},
                {"norm.weight", at::ones({4})}};
  std::vector<std::string> unmatched;

  std::filesystem::path file(const Named& tensors, const std::string& metadata = "") const {
    std::string data;
    const std::string header = header_of(tensors, data, metadata);
    testing::write_bytes(folder.path() / "small.safetensors", testing::safetensors_bytes(header, data));
    return folder.path() / "small.safetensors";
  }

  Source merged(const Named& tensors, double scale = 1.0, const std::string& metadata = "") {
    const auto lora = std::make_shared<const LoraFile>(open_lora(file(tensors, metadata)));
    const Source source = std::make_shared<InMemory>(unet);
    std::map<std::string, LoraChanges> changes;
    unmatched = match_lora(lora, scale, {{"unet", source}}, changes);
    return with_loras(source, changes["unet"]);
  }

  std::string error_of(const Named& tensors) {
    try {
      const Source source = merged(tensors);
      for (const std::string& key : source->keys()) source->read(key);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "no error";
  }
};

const std::string kQ = "lora_unet_mid_block_attentions_0_to_q";

Tensor ones(at::IntArrayRef shape) {
  return at::ones(shape);
}

TEST_F(LoraWeights, LycorisEqualsItsFormulas) {
  const testing::GoldenTensors expected("loras/lycoris.safetensors");
  const Source all = open_weights_file(testing::golden_path("loras/lycoris.safetensors"));
  const Source model =
      open_weights_file(testing::golden_path("pipelines/sd15-tiny/unet/diffusion_pytorch_model.safetensors"));
  const Json places = testing::golden_json("loras/pictures.json").at("lycoris");
  ASSERT_GE(places.size(), 12U);
  for (const auto& place : places.items()) {
    SCOPED_TRACE(place.key());
    Named tensors;
    for (const std::string& key : all->keys())
      if (key.starts_with(place.key() + "|lora"))
        tensors[key.substr(place.key().size() + 1)] = all->read(key);
    const auto lora = std::make_shared<const LoraFile>(open_lora(file(tensors)));
    std::map<std::string, LoraChanges> changes;
    EXPECT_TRUE(match_lora(lora, 0.7, {{"unet", model}}, changes).empty());
    const std::string weight = place.value().get<std::string>() + ".weight";
    EXPECT_TRUE(testing::is_close(with_loras(model, changes["unet"])->read(weight),
                                  expected.at(place.key() + "|merged"), 5e-6));
  }
}

TEST_F(LoraWeights, OnlyWhatItNamesChangesAndIsFloat32) {
  const Source source =
      merged({{kQ + ".lora_down.weight", ones({2, 3})}, {kQ + ".lora_up.weight", ones({4, 2})}}, 0.5);
  const Tensor before = unet.at("mid_block.attentions.0.to_q.weight");
  EXPECT_EQ(source->find("mid_block.attentions.0.to_q.weight")->dtype, at::kFloat);
  EXPECT_TRUE(at::equal(source->read("mid_block.attentions.0.to_q.weight"), before.to(at::kFloat) + 1.0));
  EXPECT_TRUE(source->read("conv_in.weight").is_same(unet.at("conv_in.weight")) ||
              at::equal(source->read("conv_in.weight"), unet.at("conv_in.weight")));
  EXPECT_EQ(source->keys().size(), unet.size());
}

TEST_F(LoraWeights, AlphaComesFromTheTensorElseFromPeftsSettings) {
  const Named tensors = {{"unet.mid_block.attentions.0.to_q.lora_A.weight", ones({2, 3})},
                         {"unet.mid_block.attentions.0.to_q.lora_B.weight", ones({4, 2})}};
  const std::string key = "mid_block.attentions.0.to_q.weight";
  const Tensor before = unet.at(key).to(at::kFloat);
  EXPECT_TRUE(at::equal(merged(tensors)->read(key), before + 2.0));
  EXPECT_TRUE(at::equal(merged(tensors, 1.0, R"({"unet.lora_alpha": 6})")->read(key), before + 6.0));
  EXPECT_TRUE(at::equal(
      merged(tensors, 1.0, R"({"unet.lora_alpha": 6, "unet.alpha_pattern": {"to_q": 1}})")->read(key),
      before + 1.0));
  EXPECT_TRUE(
      at::allclose(merged(tensors, 1.0, R"({"unet.lora_alpha": 6, "unet.use_rslora": true})")->read(key),
                   before + 12.0 / std::sqrt(2.0)));
  Named with_alpha = tensors;
  with_alpha["unet.mid_block.attentions.0.to_q.alpha"] = at::tensor(4.0F);
  EXPECT_TRUE(at::equal(merged(with_alpha, 1.0, R"({"unet.lora_alpha": 6})")->read(key), before + 4.0));
}

TEST_F(LoraWeights, WholeDifferencesReachBiasesAndNorms) {
  const Source source = merged({{"lora_unet_conv_in.diff", ones({2, 2, 3, 3})},
                                {"lora_unet_conv_in.diff_b", ones({2})},
                                {"lora_unet_norm.w_norm", ones({4})}},
                               2.0);
  EXPECT_TRUE(at::equal(source->read("conv_in.weight"), unet.at("conv_in.weight") + 2.0));
  EXPECT_TRUE(at::equal(source->read("conv_in.bias"), at::full({2}, 2.0F)));
  EXPECT_TRUE(at::equal(source->read("norm.weight"), at::full({4}, 3.0F)));
}

TEST_F(LoraWeights, WhatFitsNothingIsNamed) {
  merged({{kQ + ".lora_down.weight", ones({2, 3})},
          {kQ + ".lora_up.weight", ones({4, 2})},
          {kQ + ".oft_blocks", ones({4, 2})},
          {"lora_unet_elsewhere.lora_down.weight", ones({1, 3})},
          {"lora_te_text_model_x.lora_up.weight", ones({1, 3})}});
  EXPECT_THAT(unmatched, ::testing::UnorderedElementsAre(kQ + ".oft_blocks", "lora_unet_elsewhere",
                                                         "lora_te_text_model_x"));
}

TEST_F(LoraWeights, HostileFilesAreRefused) {
  const std::string down = kQ + ".lora_down.weight", up = kQ + ".lora_up.weight", alpha = kQ + ".alpha";
  EXPECT_THAT(error_of({{down, ones({2, 3})}}), HasSubstr("has no up (lora_B) part"));
  EXPECT_THAT(error_of({{up, ones({4, 2})}}), HasSubstr("has no down (lora_A) part"));
  EXPECT_THAT(error_of({{down, ones({2, 5})}, {up, ones({4, 2})}}),
              HasSubstr("small.safetensors: tensor '" + down +
                        "': expected [2, 3] for layer 'mid_block.attentions.0.to_q' [4, 3], found [2, 5]"));
  EXPECT_THAT(error_of({{down, ones({2, 3})}, {up, ones({4, 3})}}), HasSubstr("expected [4, 2]"));
  EXPECT_THAT(error_of({{down, ones({0, 3})}, {up, ones({4, 0})}}), HasSubstr("at least 1"));
  EXPECT_THAT(error_of({{down, ones({2, 3})}, {up, ones({4, 2})}, {alpha, at::tensor(NAN)}}),
              HasSubstr("expected a finite number"));
  EXPECT_THAT(error_of({{down, ones({2, 3})}, {up, ones({4, 2})}, {alpha, ones({3})}}),
              HasSubstr("expected one number"));
  EXPECT_THAT(error_of({{down, at::full({2, 3}, NAN)}, {up, ones({4, 2})}}), HasSubstr("not finite"));
  EXPECT_THAT(error_of({{down, ones({6})}, {up, ones({4, 2})}}), HasSubstr("expected a matrix"));
  EXPECT_THAT(error_of({{kQ + ".lora_mid.weight", ones({2, 3})}}), HasSubstr("is missing beside it"));
  EXPECT_THAT(error_of({{kQ + ".dora_scale", ones({4, 1})}}), HasSubstr("is missing beside it"));
  EXPECT_THAT(error_of({{down, ones({2, 3})}, {up, ones({4, 2})}, {kQ + ".dora_scale", ones({5, 1})}}),
              HasSubstr("expected 4 magnitudes"));
  EXPECT_THAT(error_of({{kQ + ".lokr_w1", ones({3, 1})}, {kQ + ".lokr_w2", ones({1, 3})}}),
              HasSubstr("a matrix whose sizes divide"));
  EXPECT_THAT(error_of({{kQ + ".lokr_w1", ones({2, 1})}}), HasSubstr("has no second factor"));
  EXPECT_THAT(error_of({{kQ + ".hada_w1_a", ones({4, 1})}, {kQ + ".hada_w1_b", ones({1, 3})}}),
              HasSubstr("has no second factor"));
  EXPECT_THAT(error_of({{kQ + ".diff", ones({3, 4})}}), HasSubstr("expected [4, 3]"));
  EXPECT_THAT(error_of({{"lora_unet_norm.diff_b", ones({4})}}), HasSubstr("has no bias"));
  EXPECT_THAT(error_of({{"lora_unet_norm.lora_down.weight", ones({1, 4})},
                        {"lora_unet_norm.lora_up.weight", ones({4, 1})}}),
              HasSubstr("has no matrix to change"));
  EXPECT_THAT(error_of({{down, ones({2, 3})}, {kQ + ".lora_A.weight", ones({2, 3})}}),
              HasSubstr("are the same part"));
  EXPECT_THAT(error_of({{"conv_in.weight", ones({2, 3})}}), HasSubstr("holds no LoRA"));
}

TEST_F(LoraWeights, OfSeveralPatternsTheFirstInTheFileCounts) {
  const Named tensors = {{"unet.mid_block.attentions.0.to_q.lora_A.weight", at::ones({1, 3})},
                         {"unet.mid_block.attentions.0.to_q.lora_B.weight", at::ones({4, 1})}};
  const std::string key = "mid_block.attentions.0.to_q.weight";
  const auto with = [&](const std::string& patterns) {
    return merged(tensors, 1.0, R"({"unet.lora_alpha": 6, "unet.alpha_pattern": )" + patterns + "}")
        ->read(key);
  };
  EXPECT_TRUE(at::equal(with(R"({"x.to_q": 9, "o_q": 9, "to_q": 3, "0.to_q": 2})"), with(R"({"to_q": 3})")));
  EXPECT_TRUE(at::equal(with(R"({"mid_block.attentions.0.to_q": 4, "attentions.0.to_q": 5})"),
                        with(R"({"mid_block.attentions.0.to_q": 4})")));
}

}  // namespace
}  // namespace sdgen
