#include "weights/formats/pickle_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/golden.h"
#include "support/safetensors_file.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

using testing::golden_path;
using testing::TemporaryFolder;
using testing::write_bytes;

std::string read_bytes(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// The message of the error that opening and reading every tensor gives; empty if all is well.
std::string refusal(const std::filesystem::path& path) {
  try {
    const auto source = open_weights_file(path);
    for (const std::string& key : source->keys()) at::sum(source->read(key).to(at::kFloat));
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    return error.what();
  }
}

void expect_the_tensors(const TensorSource& source) {
  const Tensor grid = at::arange(12, at::kFloat).view({3, 4});
  EXPECT_EQ(source.keys().size(), 11u);
  EXPECT_TRUE(at::equal(source.read("grid"), grid));
  EXPECT_TRUE(at::equal(source.read("turned"), grid.t()));
  EXPECT_TRUE(source.read("turned").is_contiguous());
  EXPECT_TRUE(at::equal(source.read("row"), grid[1]));
  const Tensor quarters = at::arange(6, at::kFloat) / 4;
  EXPECT_TRUE(at::equal(source.read("half"), quarters.to(at::kHalf)));
  EXPECT_TRUE(at::equal(source.read("brain"), quarters.to(at::kBFloat16)));
  EXPECT_EQ(source.read("double")[0].item<double>(), 1e300);
  EXPECT_TRUE(at::equal(source.read("ids"), at::arange(5).view({1, 5})));
  EXPECT_TRUE(at::equal(source.read("eight").to(at::kFloat), at::tensor({1.0F, -2.0F})));
  EXPECT_EQ(source.read("parameter").item<float>(), 1.5F);
  EXPECT_EQ(source.read("scalar").item<float>(), 7.0F);
  EXPECT_EQ(source.find("none")->shape, (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(source.read("none").numel(), 0);
}

TEST(PickleFile, ReadsWhatPyTorchSaved) {
  expect_the_tensors(*open_weights_file(golden_path("pickles/plain.bin")));
  expect_the_tensors(*open_weights_file(golden_path("pickles/protocol4.pt")));
}

TEST(PickleFile, UnwrapsTheStateDictOfATrainingCheckpoint) {
  const auto source = open_weights_file(golden_path("pickles/nested.ckpt"));
  expect_the_tensors(*source);
  EXPECT_EQ(source->metadata().at("global_step"), "875000");
  EXPECT_EQ(source->metadata().at("negative"), "-5");
}

TEST(PickleFile, NestedDictionariesGiveDottedNames) {
  const auto source = open_weights_file(golden_path("pickles/embedding.pt"));
  EXPECT_EQ(source->keys(), std::vector<std::string>{"string_to_param.*"});
  EXPECT_EQ(source->metadata().at("name"), "cat");
}

TEST(PickleFile, ATensorOutlivesItsSource) {
  const Tensor row = open_weights_file(golden_path("pickles/plain.bin"))->read("row");
  EXPECT_EQ(row[3].item<float>(), 7.0F);
}

TEST(PickleFile, HostileFilesAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"hostile-calls.ckpt", "names posix.system"},
      {"hostile-evaluates.ckpt", "eval"},
      {"hostile-past-the-end.ckpt", "tensor 'a' of shape [1000, 1000] reaches outside its storage of 4"},
      {"hostile-offset.ckpt", "reaches outside"},
      {"hostile-negative-stride.ckpt", "unusable shape"},
      {"hostile-negative-size.ckpt", "unusable shape"},
      {"hostile-stretched.ckpt", "overflows"},
      {"hostile-strides.ckpt", "1 strides for 2 sizes"},
      {"hostile-no-tensors.ckpt", "holds no tensors"},
      {"hostile-a-list.ckpt", "no dictionary of tensors"},
      {"before-1.6.ckpt", "before 1.6"},
  };
  for (const auto& [name, reason] : cases) {
    const std::string message = refusal(golden_path("pickles/" + name));
    EXPECT_NE(message.find(reason), std::string::npos) << name << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(PickleFile, EveryTruncationIsRefused) {
  TemporaryFolder folder;
  const auto path = folder.path() / "x.ckpt";
  const std::string whole = read_bytes(golden_path("pickles/nested.ckpt"));
  for (std::size_t size = 0; size < whole.size(); size += 3) {
    write_bytes(path, whole.substr(0, size));
    EXPECT_NE(refusal(path), "") << size;
  }
}

TEST(PickleFile, NoDamageCrashes) {
  TemporaryFolder folder;
  const auto path = folder.path() / "x.ckpt";
  const std::string whole = read_bytes(golden_path("pickles/nested.ckpt"));
  std::uint32_t random = 1;
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    random = random * 1664525 + 1013904223;
    damaged[at] = static_cast<char>(at % 2 == 0 ? random >> 24 : 0xff);
    write_bytes(path, damaged);
    refusal(path);
  }
}

TEST(PickleFile, OtherFilesAreRefused) {
  TemporaryFolder folder;
  const auto path = folder.path() / "x.ckpt";
  write_bytes(path, std::string("\x80\x02}q\x00X\x01\x00\x00\x00"
                                "aq\x01K\x01s.",
                                17));
  EXPECT_NE(refusal(path).find("Python pickle"), std::string::npos) << refusal(path);
  write_bytes(path, "PK\x03\x04 but no more than that, which is no zip file");
  EXPECT_NE(refusal(path).find("directory is missing"), std::string::npos);
  write_bytes(path, "");
  EXPECT_NE(refusal(path).find("is empty"), std::string::npos);
  write_bytes(path, "<!DOCTYPE html><html>not found</html>");
  EXPECT_NE(refusal(path).find("is a web page"), std::string::npos);
  EXPECT_NE(refusal(folder.path() / "none.ckpt").find("cannot be opened"), std::string::npos);
  EXPECT_NE(refusal(folder.path()).find("is a folder"), std::string::npos);
}

TEST(PickleFile, AModelFolderMayHoldNothingElse) {
  TemporaryFolder folder;
  std::filesystem::copy(golden_path("pickles/plain.bin"), folder.path() / "pytorch_model.bin");
  expect_the_tensors(*open_model_files(folder.path(), "model"));
  std::filesystem::rename(folder.path() / "pytorch_model.bin", folder.path() / "diffusion_pytorch_model.bin");
  expect_the_tensors(*open_model_files(folder.path(), "diffusion_pytorch_model"));
  std::filesystem::rename(folder.path() / "diffusion_pytorch_model.bin", folder.path() / "shard-1.bin");
  write_bytes(folder.path() / "diffusion_pytorch_model.bin.index.json",
              R"({"weight_map": {"grid": "shard-1.bin", "row": "shard-1.bin"}})");
  expect_the_tensors(*open_model_files(folder.path(), "diffusion_pytorch_model"));
}

}  // namespace
}  // namespace sdgen
