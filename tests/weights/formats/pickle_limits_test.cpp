// Small checkpoints that ask for much, and large ones that do not.
#include <gtest/gtest.h>

#include "sdgen/error.h"
#include "support/safetensors_file.h"
#include "support/zip_file.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

std::string repeated(const std::string& part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

std::string number(std::uint64_t value) {
  return std::string("\x8a\x08") + testing::little_endian(value, 8);
}

std::string text(const std::string& bytes) {
  return std::string("X") + testing::little_endian(bytes.size(), 4) + bytes;
}

// A tensor of one number in storage 0, with this shape and its strides.
std::string tensor(const std::vector<std::uint64_t>& shape = {1}) {
  std::string sizes, strides;
  for (const std::uint64_t size : shape) {
    sizes += number(size);
    strides += number(1);
  }
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\nFloatStorage\n" + text("0") +
         text("cpu") + number(1) + "tQK\x01K\x01\x86" + "0" + number(0) + "(" + sizes + "t(" + strides +
         "t\x89"
         "ccollections\nOrderedDict\n)RtR";
}

struct PickleLimits : ::testing::Test {
  testing::TemporaryFolder folder;

  std::shared_ptr<const TensorSource> open(const std::string& pickle) const {
    testing::write_bytes(
        folder.path() / "x.ckpt",
        testing::zip_bytes({{"a/data.pkl", "\x80\x02" + pickle + "."}, {"a/data/0", std::string(4, '\0')}}));
    return open_weights_file(folder.path() / "x.ckpt");
  }
  std::string refusal(const std::string& pickle) const {
    try {
      open(pickle);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_EQ(std::string(error.what()).find((folder.path() / "x.ckpt").string() + ": "), 0u)
          << error.what();
      return error.what();
    }
    return "opened";
  }
};

TEST_F(PickleLimits, ASmallTensorIsRead) {
  EXPECT_EQ(open("}" + text("t") + tensor() + "s")->keys(), std::vector<std::string>{"t"});
}

TEST_F(PickleLimits, ATrainingCheckpointOfThousandsOfTensorsOpens) {
  std::string model, state;
  for (int i = 0; i < 2500; ++i) {
    const std::string name = "model.diffusion_model.output_blocks." + std::to_string(i) + ".weight";
    model += text(name) + tensor();
    state += std::string("M") + testing::little_endian(static_cast<std::uint64_t>(i), 2) + "}(" +
             text("step") + tensor() + text("exp_avg") + tensor() + text("exp_avg_sq") + tensor() + "u";
  }
  const auto source = open(std::string("}(") + text("state_dict") + "}(" + model + "u" +
                           text("optimizer_states") + "]}" + text("state") + "}(" + state + "usau");
  EXPECT_EQ(source->keys().size(), 2500u);
}

struct Hostile {
  std::string name, pickle, reason;
};

struct HostilePickles : PickleLimits, ::testing::WithParamInterface<Hostile> {};

TEST_P(HostilePickles, AreRefusedByTheirLimit) {
  const std::string message = refusal(GetParam().pickle);
  EXPECT_NE(message.find(GetParam().reason), std::string::npos) << message;
  EXPECT_LT(message.size(), 500u);
}

std::string numbered_names(std::size_t count) {
  std::string items;
  for (std::size_t i = 0; i < count; ++i) items += text(std::to_string(i)) + "h\x01";
  return "}(" + items + "u";
}

std::string nested(std::string inner, int depth, std::size_t key_bytes) {
  const std::string open = "}" + text(std::string(key_bytes, 'k'));
  for (int i = 0; i < depth; ++i) inner.insert(0, open).append("s");
  return inner;
}

INSTANTIATE_TEST_SUITE_P(
    Each, HostilePickles,
    ::testing::Values(
        Hostile{"Memo", "}" + std::string(600'000, '\x94'), "memorizes more than 500000 values"},
        Hostile{"Marks", std::string(20'000, '('), "more than 10000 open marks"},
        Hostile{"Numbers", "](" + repeated("K\1", 600'000) + "e", "more than 500000 values"},
        Hostile{"Duplicates", "}" + std::string(5'000'000, '2'), "more than 4000000 references"},
        Hostile{"Recalls", "}q\1" + repeated("h\1", 5'000'000), "more than 4000000 references"},
        Hostile{"RepeatedCalls",
                "ccollections\nOrderedDict\nq\1((" + repeated("K\1", 100'000) + "ltq\2" +
                    repeated("h\1h\2R", 400'000),
                "more than 4000000 references"},
        Hostile{"LongName", nested("}" + text("t") + tensor() + "s", 1, 2000),
                "a tensor's name of 2000 bytes (limit 1000)"},
        Hostile{"NestedNames",
                tensor() +
                    "q\x01"
                    "0" +
                    nested(numbered_names(50'000), 8, 120),
                "names have more than 33554432 bytes"},
        Hostile{"HugeEmptyShape", "}" + text("t") + tensor({0, 2147483647, 2147483647, 2147483647}) + "s",
                "tensor 't' has a size that overflows"},
        Hostile{"HugeShape", "}" + text("t") + tensor({2147483647, 2147483647, 2147483647, 2147483647}) + "s",
                "tensor 't' has a size that overflows"}),
    [](const auto& info) { return info.param.name; });

TEST_F(PickleLimits, AParameterOfAParameterIsNoTensorHoweverDeep) {
  const std::string rebuild = "ctorch._utils\n_rebuild_parameter\n";
  const std::string pickle =
      "}" + text("t") + repeated(rebuild, 100'000) + tensor() + repeated("\x85R", 100'000) + "s";
  EXPECT_NE(refusal(pickle).find("holds no tensors"), std::string::npos) << refusal(pickle);
}

TEST_F(PickleLimits, LongEntryNamesOfTheZipAreRefused) {
  testing::write_bytes(folder.path() / "x.ckpt", testing::zip_bytes({{std::string(1001, 'n'), ""}}));
  try {
    open_weights_file(folder.path() / "x.ckpt");
    ADD_FAILURE() << "opened";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("name has 1001 bytes (limit 1000)"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace sdgen
