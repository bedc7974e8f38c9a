// What must fail well when ControlNets are opened or asked: one line, naming file and key, before any step.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "diffusion/networks/controlnet.h"
#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr ComputeOptions kCpu{.device = Device::kCpu, .dtype = DType::kFloat32};

class ControlNetErrors : public ::testing::Test {
 protected:
  ControlNetErrors() {
    fs::copy(testing::golden_path("controlnets/sd15-edges"), net(), fs::copy_options::recursive);
  }
  fs::path net() const { return temporary_.path() / "net"; }

  void edit_config(const std::function<void(Json&)>& edit) const {
    Json json = read_json_file(net() / "config.json");
    edit(json);
    std::ofstream(net() / "config.json") << json;
  }

  ModelFiles files() const {
    return {.model = testing::golden_path("pipelines/sd15-tiny"), .controlnets = {net()}};
  }

  static void expect_refused(const std::string& part_of_message, ErrorKind kind,
                             const std::function<void()>& work) {
    try {
      work();
      FAIL() << "done; expected: " << part_of_message;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_NE(std::string(error.what()).find(part_of_message), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  void expect_not_opened(const std::string& part_of_message) const {
    expect_refused(part_of_message, ErrorKind::kInput, [&] { Generator(files(), kCpu); });
  }
  void expect_request_refused(const Request& request, const std::string& part_of_message) const {
    const Generator generator(files(), kCpu);
    expect_refused(part_of_message, ErrorKind::kRequest, [&] { generator.complete(request); });
  }

  const std::string picture_ = testing::golden_path("families/start.png");
  testing::TemporaryFolder temporary_;
};

TEST_F(ControlNetErrors, MoreThanOneEvaluationTellsApartAreRefused) {
  ModelFiles many = files();
  many.controlnets.assign(17, net());
  const Generator generator(many, kCpu);
  Request request{.prompt = "a"};
  request.control_image.assign(17, picture_);
  expect_refused("17 ControlNets; at most 16", ErrorKind::kRequest, [&] { generator.complete(request); });
}

TEST_F(ControlNetErrors, TheUntouchedCopyIsTold) {
  EXPECT_EQ(Generator(files(), kCpu).info().controlnets, std::vector<std::string>{"net"});
}

TEST_F(ControlNetErrors, NothingThereOrAnotherFile) {
  fs::remove_all(net());
  expect_not_opened("net: no such ControlNet");
  testing::write_bytes(net(), "x");
  expect_not_opened("not a sound safetensors file");
  fs::copy_file(testing::golden_path("taesd/taesd_decoder.safetensors"), net(),
                fs::copy_options::overwrite_existing);
  expect_not_opened("net: holds no ControlNet");
}

TEST_F(ControlNetErrors, AnotherFamilyIsNamed) {
  fs::remove_all(net());
  fs::copy(testing::golden_path("controlnets/xl-depth"), net(), fs::copy_options::recursive);
  expect_not_opened("config.json: key 'addition_embed_type': this ControlNet is for Stable Diffusion XL");
}

TEST_F(ControlNetErrors, WordsOfAnotherWidth) {
  edit_config([](Json& config) { config["cross_attention_dim"] = 768; });
  expect_not_opened("key 'cross_attention_dim': this ControlNet is for Stable Diffusion 1");
}

TEST_F(ControlNetErrors, WhatIsNotSupportedOrDoesNotFit) {
  const Json untouched = read_json_file(net() / "config.json");
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"global_pool_conditions", true},
                                                 {"conditioning_channels", 4},
                                                 {"class_embed_type", "timestep"},
                                                 {"_class_name", "T2IAdapter"},
                                                 {"controlnet_conditioning_channel_order", "gbr"},
                                                 {"mid_block_type", nullptr},
                                                 {"in_channels", 9},
                                                 {"layers_per_block", 1},
                                                 {"block_out_channels", {16, 24, 32}},
                                                 {"conditioning_embedding_out_channels", {4, 4, 8}}}) {
    SCOPED_TRACE(key);
    edit_config([&](Json& config) { (config = untouched)[key] = value; });
    expect_not_opened(key);
  }
}

TEST_F(ControlNetErrors, WeightsOfAnotherShape) {
  edit_config([](Json& config) { config["conditioning_embedding_out_channels"] = {4, 4, 8, 16}; });
  expect_not_opened("controlnet_cond_embedding");
}

TEST_F(ControlNetErrors, RequestsThatDoNotFit) {
  expect_request_refused({.prompt = "a"}, "control-image: 0 pictures for 1 ControlNets");
  const Request fits{.prompt = "a", .control_image = {picture_}};
  const auto with = [&](auto member, std::vector<double> numbers) {
    Request request = fits;
    request.*member = std::move(numbers);
    return request;
  };
  expect_request_refused(with(&Request::control_scale, {1, 2}), "control-scale: 2 numbers for 1");
  expect_request_refused(with(&Request::control_start, {1}), "control-start 1, control-end 1");
  expect_request_refused(with(&Request::control_end, {1.5}), "control-end 1.5");
  const Generator plain(testing::golden_path("pipelines/sd15-tiny"), kCpu);
  expect_refused("control-image: it needs a ControlNet", ErrorKind::kRequest, [&] { plain.complete(fits); });
}

TEST_F(ControlNetErrors, TheFirstPictureTellsTheSize) {
  const Request complete = Generator(files(), kCpu).complete({.prompt = "a", .control_image = {picture_}});
  EXPECT_EQ(complete.width, 72);
  EXPECT_EQ(complete.height, 48);
  EXPECT_EQ(complete.control_scale, std::vector<double>{1.0});
  EXPECT_EQ(complete.control_end, std::vector<double>{1.0});
}

TEST(EvaluationsWithin, CountsWholeEvaluations) {
  using Within = std::vector<bool>;
  EXPECT_EQ(evaluations_within(0.0, 1.0, 3), (Within{true, true, true}));
  EXPECT_EQ(evaluations_within(0.2, 0.75, 4), (Within{false, true, true, false}));
  EXPECT_EQ(evaluations_within(0.25, 0.5, 4), (Within{false, true, false, false}));
  EXPECT_EQ(evaluations_within(0.3, 0.4, 4), (Within{false, false, false, false}));
}

}  // namespace
}  // namespace sdgen
