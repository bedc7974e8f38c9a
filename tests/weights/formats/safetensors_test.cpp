#include "weights/formats/safetensors.h"

#include <gtest/gtest.h>

#include "plain/errors.h"
#include "support/safetensors_file.h"
#include "weights/formats/safetensors_header.h"
#include "weights/weights.h"

namespace sdgen {
namespace {

using testing::safetensors_bytes;
using testing::TemporaryFolder;
using testing::write_bytes;

class Safetensors : public ::testing::Test {
 protected:
  // The message of the error that opening `bytes` gives; empty if it opens.
  std::string refusal(const std::string& bytes) {
    write_bytes(path(), bytes);
    try {
      open_safetensors(path());
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_NE(std::string(error.what()).find(path().string()), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return error.what();
    }
  }
  std::filesystem::path path() const { return folder_.path() / "x.safetensors"; }

  TemporaryFolder folder_;
};

TEST_F(Safetensors, ReadsEveryDtype) {
  const std::vector<std::pair<std::string, at::ScalarType>> types = {
      {"F64", at::kDouble},    {"F32", at::kFloat}, {"F16", at::kHalf},
      {"BF16", at::kBFloat16}, {"I64", at::kLong},  {"I32", at::kInt},
      {"I16", at::kShort},     {"I8", at::kChar},   {"U8", at::kByte}};
  for (const auto& [name, type] : types) {
    SCOPED_TRACE(name);
    const at::Tensor values = at::arange(6, type).view({2, 3});
    const std::size_t bytes = values.nbytes();
    write_bytes(path(), safetensors_bytes("{\"__metadata__\":{\"format\":\"pt\"},\"t\":{\"dtype\":\"" + name +
                                              "\",\"shape\":[2,3],\"data_offsets\":[0," +
                                              std::to_string(bytes) + "]}}",
                                          {static_cast<const char*>(values.data_ptr()), bytes}));
    const auto source = open_safetensors(path());
    EXPECT_EQ(source->keys(), std::vector<std::string>{"t"});
    EXPECT_TRUE(at::equal(source->read("t"), values));
    const Weights weights(source, Compute{}, Weights::Mode::kRead);
    EXPECT_TRUE(at::equal(weights.tensor("t", {2, 3}), values.to(at::kFloat)));
  }
}

TEST_F(Safetensors, ReadsEightBitFloats) {
  // 1, -2, 0.5 and 448, the largest; by the formats' own tables.
  const std::vector<std::pair<std::string, std::string>> cases = {{"F8_E4M3", "\x38\xc0\x30\x7e"},
                                                                  {"F8_E5M2", "\x3c\xc0\x38\x5f"}};
  for (const auto& [dtype, bytes] : cases) {
    write_bytes(path(),
                safetensors_bytes(
                    "{\"t\":{\"dtype\":\"" + dtype + "\",\"shape\":[4],\"data_offsets\":[0,4]}}", bytes));
    const Weights weights(open_safetensors(path()), Compute{}, Weights::Mode::kRead);
    EXPECT_TRUE(at::equal(weights.tensor("t", {4}), at::tensor({1.0F, -2.0F, 0.5F, 448.0F}))) << dtype;
    const Weights half(open_safetensors(path()), Compute{at::kCPU, at::kBFloat16}, Weights::Mode::kRead);
    EXPECT_EQ(half.tensor("t", {4})[1].item<float>(), -2.0F);
  }
}

TEST_F(Safetensors, ReadsTensorsAfterAHeaderOfOddLength) {
  const float values[2] = {1.5f, -2.0f};
  const std::string data(reinterpret_cast<const char*>(values), sizeof values);
  for (const std::string padding : {"", " ", "  ", "   "}) {
    write_bytes(path(),
                safetensors_bytes(
                    "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}" + padding, data));
    EXPECT_EQ(open_safetensors(path())->read("t")[1].item<float>(), -2.0f);
  }
}

TEST_F(Safetensors, ATensorOutlivesItsSource) {
  const float value = 3;
  write_bytes(path(), safetensors_bytes("{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}",
                                        {reinterpret_cast<const char*>(&value), 4}));
  at::Tensor tensor = open_safetensors(path())->read("t");
  EXPECT_EQ(tensor.item<float>(), 3.0f);
}

TEST_F(Safetensors, HostileFilesAreRefusedByName) {
  const std::string one = "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
  EXPECT_EQ(refusal(safetensors_bytes(one, "1234")), "");
  const auto header = [](const std::string& body) { return safetensors_bytes(body, "12345678"); };
  const auto entry = [&](const std::string& shape, const std::string& offsets,
                         const std::string& dtype = "F32") {
    return header("{\"t\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
                  "}}");
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"empty", ""},
      {"only 3 bytes", "abc"},
      {"in a file of", std::string("\x40\0\0\0\0\0\0\0{}", 10)},
      {"limit", std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)},
      {"not JSON", header("{\"t\":")},
      {"not a JSON object", header("[1]")},
      {"not JSON", header("\xff\xfe")},
      {"expected dtype, shape", header("{\"t\":5}")},
      {"expected dtype, shape", header("{\"t\":{\"dtype\":\"F32\"}}")},
      {"there twice", safetensors_bytes("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                                        "\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                                        "1234")},
      {"dtype F8_E8M0 is not supported", entry("[8]", "[0,8]", "F8_E8M0")},
      {"interrupted download", entry("[4]", "[0,16]")},
      {"its shape needs 4 bytes", entry("[1]", "[0,8]")},
      {"two non-negative integers", entry("[2]", "[-8,0]")},
      {"two non-negative integers", entry("[2]", "[0]")},
      {"lies at bytes 8 to 0", entry("[2]", "[8,0]")},
      {"unusable shape", entry("[-2]", "[0,8]")},
      {"unusable shape", entry("[2.5]", "[0,8]")},
      {"unusable shape", entry("[1,1,1,1,1,1,1,1,2]", "[0,8]")},
      {"unusable shape", entry("8", "[0,8]")},
      {"unusable shape", entry("{}", "[0,8]")},
      {"unusable shape", entry("[[8]]", "[0,8]")},
      {"unusable shape", entry("[\"8\"]", "[0,8]")},
      {"unusable shape", entry("[2147483648]", "[0,8]")},
      {"two non-negative integers", entry("[2]", "8")},
      {"two non-negative integers", entry("[2]", "[0,8,8]")},
      {"two non-negative integers", entry("[2]", "[0,[8]]")},
      {"two non-negative integers", entry("[2]", "{\"0\":8}")},
      {"expected dtype, shape", header(R"({"t":{"dtype":5,"shape":[2],"data_offsets":[0,8]}})")},
      {"expected dtype, shape", header(R"({"t":{"dtype":["F32"],"shape":[2],"data_offsets":[0,8]}})")},
      {"expected dtype, shape", header(R"({"t":[]})")},
      {"expected dtype, shape", header(R"({"t":null})")},
      {"shape is there twice",
       header(R"({"t":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}})")},
      {"__metadata__ is there twice", header(R"({"__metadata__":{},"__metadata__":{}})")},
      {"metadata 'a' is there twice", header(R"({"__metadata__":{"a":"1","a":"2"}})")},
      {"__metadata__ is not a JSON object", header(R"({"__metadata__":["a"]})")},
      {"not a JSON object", header("5")},
      {"not JSON", header(R"({"t":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}})")},
      {"nested too deeply", header(R"({"t":{"x":)" + std::string(100'000, '['))},
      {"overflows", entry("[2147483647,2147483647,2147483647]", "[0,8]")},
      {"overlaps", header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                          "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}")},
      {"belong to no tensor", entry("[1]", "[4,8]")},
      {"after the last tensor", entry("[1]", "[0,4]")},
  };
  for (const auto& [reason, bytes] : cases)
    EXPECT_NE(refusal(bytes).find(reason), std::string::npos) << reason << " | " << refusal(bytes);
}

TEST_F(Safetensors, WhatTheFormatDoesNotKnowIsPassedOver) {
  const std::string header = R"({"__metadata__":{"a":"1","b":[{"c":"2"}],"d":5,"e":{"f":"3"}},)"
                             R"("t":{"x":{"shape":[-1],"dtype":7},"dtype":"F32","y":[["z"],1.5],"shape":[1],)"
                             R"("data_offsets":[0,4],"w":null}})";
  ASSERT_EQ(refusal(safetensors_bytes(header, "1234")), "");
  const auto source = open_safetensors(path());
  EXPECT_EQ(source->metadata(), (Metadata{{"a", "1"}}));
  EXPECT_EQ(source->find("t")->shape, std::vector<std::int64_t>{1});
  EXPECT_EQ(refusal(safetensors_bytes(R"({"__metadata__":null})", "")), "");
}

// `count` empty tensors.
std::string many_tensors(std::size_t count) {
  std::string header = "{\"__metadata__\":{}";
  for (std::size_t i = 0; i < count; ++i)
    header += ",\"" + std::to_string(i) + "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}";
  return safetensors_bytes(header + "}", "");
}

TEST_F(Safetensors, ManyTensorsAreReadAndTooManyRefused) {
  ASSERT_EQ(refusal(many_tensors(kMaxTensors)), "");
  EXPECT_EQ(open_safetensors(path())->keys().size(), kMaxTensors);
  EXPECT_NE(refusal(many_tensors(kMaxTensors + 1)).find("more than 200000 tensors (the limit)"),
            std::string::npos);
}

TEST_F(Safetensors, TooMuchMetadataIsRefused) {
  std::string header = "{\"__metadata__\":{\"a\":\"\"";
  for (std::size_t i = 0; i < kMaxMetadataTexts; ++i) header += ",\"" + std::to_string(i) + "\":\"\"";
  EXPECT_NE(refusal(safetensors_bytes(header + "}}", "")).find("more than 100000 texts of metadata"),
            std::string::npos);
  header = "{\"__metadata__\":{\"a\":\"";
  header.append(kMaxMetadataBytes, 'x').append("\"}}");
  EXPECT_NE(refusal(safetensors_bytes(header, "")).find("more than 33554432 bytes of metadata"),
            std::string::npos);
}

TEST_F(Safetensors, EveryTruncationIsRefused) {
  const std::string whole =
      safetensors_bytes("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "12345678");
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
}

TEST_F(Safetensors, MissingFilesAndFoldersAreRefused) {
  EXPECT_THROW(open_safetensors(folder_.path() / "none"), Error);
  EXPECT_THROW(open_safetensors(folder_.path()), Error);
}

TEST_F(Safetensors, ShardsMustLieBesideTheIndexAndHoldWhatItPromises) {
  const std::string tensor = safetensors_bytes(
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", std::string(4, '\0'));
  write_bytes(folder_.path() / "shard", tensor);
  const auto index = folder_.path() / "m.safetensors.index.json";
  const auto refused = [&](const std::string& text) {
    write_bytes(index, text);
    try {
      open_safetensors_shards(index);
      return std::string();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refused("{\"weight_map\":{\"a\":\"shard\"}}"), "");
  EXPECT_NE(refused("{\"weight_map\":{\"a\":\"shard\",\"b\":\"shard\"}}").find("tensor 'b' is missing"),
            std::string::npos);
  EXPECT_NE(refused("{\"weight_map\":{\"a\":\"gone\"}}").find("gone"), std::string::npos);
  EXPECT_NE(refused("{\"weight_map\":{\"a\":\"" + std::string(300, 'x') + "\"}}").find("File name too long"),
            std::string::npos);
  EXPECT_NE(refused("{\"weight_map\":{\"a\":\"../shard\"}}").find("not a plain file name"),
            std::string::npos);
  EXPECT_NE(refused("{\"weight_map\":{\"a\":\"\"}}").find("not a plain file name"), std::string::npos);
  EXPECT_NE(refused("{}").find("weight_map"), std::string::npos);
}

TEST_F(Safetensors, WeightsNameKeyExpectedAndFoundShape) {
  const float values[2] = {1, std::numeric_limits<float>::quiet_NaN()};
  write_bytes(path(),
              safetensors_bytes("{\"conv.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                                {reinterpret_cast<const char*>(values), 8}));
  const auto message = [&](const std::string& name, at::IntArrayRef shape) {
    try {
      Weights(open_safetensors(path()), Compute{}, Weights::Mode::kRead).at("conv").tensor(name, shape);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_NE(message("weight", {3}).find("'conv.weight': the config asks for shape [3], found [2]"),
            std::string::npos);
  EXPECT_NE(message("bias", {3}).find("'conv.bias' [3] is missing"), std::string::npos);
  EXPECT_NE(message("weight", {2}).find("not finite"), std::string::npos);
}

TEST_F(Safetensors, TensorsNobodyAskedForAreReported) {
  write_bytes(path(),
              safetensors_bytes("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                                "\"skip.b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                                std::string(8, '\0')));
  const Weights weights(open_safetensors(path()), Compute{}, Weights::Mode::kCheckOnly);
  EXPECT_NE(weights.unused_warning({"skip."}).find("x.safetensors: tensor 'a' is of no layer"),
            std::string::npos);
  EXPECT_EQ(weights.tensor("a", {1}).device().type(), at::kMeta);
  EXPECT_EQ(weights.unused_warning({"skip."}), "");
  EXPECT_NE(weights.unused_warning().find("'skip.b'"), std::string::npos);
}

TEST_F(Safetensors, AnEmptyTensorWhoseOtherSizesOverflowIsRefused) {
  for (const std::string shape :
       {"[0,2147483647,2147483647,2147483647]", "[2147483647,2147483647,2147483647,0]"})
    EXPECT_NE(refusal(safetensors_bytes(
                          R"({"t":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,0]}})", ""))
                  .find("tensor 't': its size overflows"),
              std::string::npos)
        << shape;
}

}  // namespace
}  // namespace sdgen
