// Weights that other programs store as codes with scales: read as torch multiplies them, or refused by name.
#include "weights/scaled_source.h"

#include <gtest/gtest.h>

#include <memory>

#include "sdgen/convert.h"
#include "support/golden.h"
#include "support/safetensors_file.h"
#include "support/tensor_map.h"
#include "weights/formats/safetensors.h"
#include "weights/formats/safetensors_stream.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

using testing::TensorMap;

std::string refusal(const TensorMap& tensors) {
  try {
    read_scaled(std::make_shared<TensorMap>(tensors));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "read";
}

Tensor bytes_of(const std::string& text) {
  return at::tensor(std::vector<std::int64_t>(text.begin(), text.end())).to(at::kByte);
}

TEST(ScaledSource, EveryLayoutIsWhatTorchMakesOfIt) {
  const auto source = open_weights_file(testing::golden_path("stored/scaled.safetensors")),
             expected = open_safetensors(testing::golden_path("stored/scaled-read.safetensors"));
  EXPECT_EQ(source->keys(), expected->keys());
  for (const std::string& key : expected->keys()) {
    SCOPED_TRACE(key);
    const Tensor read = source->read(key), wanted = expected->read(key);
    EXPECT_EQ(source->find(key)->shape, expected->find(key)->shape);
    EXPECT_EQ(source->find(key)->dtype, read.scalar_type());
    ASSERT_EQ(read.scalar_type(), wanted.scalar_type());
    const double bound = 1e-6 * wanted.to(at::kDouble).abs().max().item<double>();
    EXPECT_TRUE(testing::is_close(read.to(at::kFloat), wanted.to(at::kFloat), bound));
  }
  EXPECT_EQ(source->find("rows.weight")->codes, at::kFloat8_e4m3fn);
}

TEST(ScaledSource, ConvertWritesTheNumbersNotTheCodes) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "half.safetensors";
  convert_model(testing::golden_path("stored/scaled.safetensors"), path, {.dtype = DType::kFloat16});
  const auto written = open_safetensors(path);
  const testing::GoldenTensors expected("stored/scaled-read.safetensors");
  EXPECT_EQ(written->find("comfy.scale_weight"), nullptr);
  for (const char* key : {"comfy.weight", "whole.weight", "blocks.weight"})
    EXPECT_TRUE(testing::is_close(written->read(key).to(at::kFloat), expected.at(key), 1e-3)) << key;
}

TEST(ScaledSource, AScaleMayLieInAnotherShard) {
  const testing::TemporaryFolder folder;
  TensorMap codes, scales;
  codes.add("a.weight", at::full({2, 2}, 3.0).to(at::kFloat8_e4m3fn));
  scales.add("a.weight_scale", at::tensor({0.5F}));
  write_safetensors(folder.path() / "1.safetensors", codes, std::nullopt, {}, false);
  write_safetensors(folder.path() / "2.safetensors", scales, std::nullopt, {}, false);
  testing::write_bytes(folder.path() / "x.safetensors.index.json",
                       R"({"weight_map": {"a.weight": "1.safetensors", "a.weight_scale": "2.safetensors"}})");
  const auto source = open_safetensors_shards(folder.path() / "x.safetensors.index.json");
  EXPECT_EQ(source->keys(), std::vector<std::string>{"a.weight"});
  EXPECT_EQ(source->read("a.weight").sum().item<float>(), 6.0F);
}

TEST(ScaledSource, WhatHasNoScalesIsLeftAlone) {
  TensorMap plain;
  plain.add("a.weight", at::ones({2, 2}).to(at::kFloat8_e4m3fn));
  plain.add("scale_shift_table", at::ones({2, 2}));
  plain.add("logit_scale", at::ones({}));
  plain.add("embeddings.position_ids", at::arange(4).view({1, 4}));
  const auto source = std::make_shared<TensorMap>(plain);
  EXPECT_EQ(read_scaled(source), source);
}

struct Unread {
  std::string name;
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::string reason;
};

class OtherLayouts : public ::testing::TestWithParam<Unread> {};

TEST_P(OtherLayouts, AreRefusedByName) {
  TensorMap tensors;
  for (const auto& [key, tensor] : GetParam().tensors) tensors.add(key, tensor);
  const std::string message = refusal(tensors);
  EXPECT_NE(message.find(GetParam().reason), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

const Tensor kOnes = at::ones({4, 4}), kFp8 = kOnes.to(at::kFloat8_e4m3fn), kInt8 = kOnes.to(at::kChar),
             kBytes = kOnes.to(at::kByte), kOne = at::ones({1});

INSTANTIATE_TEST_SUITE_P(
    ScaledSource, OtherLayouts,
    ::testing::Values(
        Unread{"nf4",
               {{"a.weight", kBytes}, {"a.weight.absmax", kOne}, {"a.weight.quant_map", kOne}},
               "bitsandbytes' 4 bits are not read"},
        Unread{"gptq",
               {{"a.qweight", kOnes.to(at::kInt)}, {"a.qzeros", kOnes.to(at::kInt)}, {"a.scales", kOnes}},
               "'a.qweight': weights stored as GPTQ"},
        Unread{
            "nvfp4", {{"a.weight", kBytes}, {"a.weight_scale", kFp8}, {"a.weight_scale_2", kOne}}, "NVFP4"},
        Unread{"mxfp8",
               {{"a.weight", kFp8}, {"a.weight_scale", kBytes}},
               "codes of float8_e4m3fn with scales of uint8"},
        Unread{"marked",
               {{"a.weight", kBytes},
                {"a.weight_scale", kOne},
                {"a.comfy_quant", bytes_of(R"({"format":"nvfp4"})")}},
               "nvfp4 (comfy_quant)"},
        Unread{"rotated",
               {{"a.weight", kInt8},
                {"a.weight_scale", kOne},
                {"a.comfy_quant", bytes_of(R"({"format":"int8_tensorwise","convrot":true})")}},
               "rotated"},
        Unread{"no_scale",
               {{"a.weight", kInt8}, {"a.comfy_quant", bytes_of(R"({"format":"int8_tensorwise"})")}},
               "'a.weight_scale' is missing"},
        Unread{"damaged_marker", {{"a.weight", kInt8}, {"a.comfy_quant", bytes_of("{")}}, "not JSON"},
        Unread{"bare_int8", {{"a.weight", kInt8}}, "int8 codes without a scale"},
        Unread{"unknown_scale",
               {{"a.weight", kFp8}, {"a.weight_scales", kOne}},
               "codes beside 'a.weight_scales'"},
        Unread{"zero_points",
               {{"a.weight", kInt8}, {"a.weight_scale", kOne}, {"a.weight_zero_point", kOne}},
               "zero point"},
        Unread{"misshapen",
               {{"a.weight", kFp8}, {"a.weight_scale", at::ones({3})}},
               "is no scale for 'a.weight'"},
        Unread{"twice",
               {{"a.weight", kFp8}, {"a.weight_scale", kOne}, {"a.scale_weight", kOne}},
               "has two scales"},
        Unread{"awq_inputs",
               {{"a.weight", kInt8}, {"a.weight_scale", kOne}, {"a.pre_quant_scale", kOne}},
               "AWQ"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sdgen
