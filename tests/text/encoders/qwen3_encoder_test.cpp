#include "text/encoders/qwen3_encoder.h"

#include <gtest/gtest.h>

#include "sdgen/error.h"
#include "support/numbers.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

using testing::golden_path;
using States = std::vector<std::int64_t>;

// 2e-5 of the reference's root mean square.
constexpr double kBound = 2e-5;

Qwen3Config config_of(const std::string& model) {
  return Qwen3Config::read(Config::read(golden_path("qwen3/" + model + "/config.json")));
}

Weights weights_of(const std::string& model, Weights::Mode mode = Weights::Mode::kRead) {
  return {rename_keys(open_model_files(golden_path("qwen3/" + model), "model"), qwen3_tensor_name), Compute{},
          mode};
}

struct Case {
  std::string model, mask;
};

class Qwen3EncoderGolden : public ::testing::TestWithParam<Case> {
 protected:
  testing::GoldenTensors golden{"qwen3/" + GetParam().model + ".safetensors"};
  Tensor ids = golden.at(GetParam().mask + ".ids");        // [2, L]
  Tensor states = golden.at(GetParam().mask + ".states");  // [layers + 1, 2, L, D]
  Tensor mask = GetParam().mask == "none" ? Tensor() : golden.at(GetParam().mask + ".mask");

  void expect_equal(const std::vector<Tensor>& actual, const States& wanted) const {
    ASSERT_EQ(actual.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Tensor expected = states[wanted[i]];
      EXPECT_TRUE(testing::is_close(actual[i], expected, kBound * testing::rms(expected))) << wanted[i];
    }
  }
};

TEST_P(Qwen3EncoderGolden, GivesTheReferencesHiddenStates) {
  const States wanted{0, 1, 2, 3};
  const Qwen3Encoder encoder(weights_of(GetParam().model), config_of(GetParam().model), wanted);
  expect_equal(encoder(ids, mask), wanted);
}

TEST_P(Qwen3EncoderGolden, GivesTheSameForOneTextAlone) {
  const Qwen3Encoder encoder(weights_of(GetParam().model), config_of(GetParam().model), {-2, 1});
  const Tensor row = mask.defined() ? mask.narrow(0, 1, 1) : Tensor();
  const std::vector<Tensor> actual = encoder(ids.narrow(0, 1, 1), row);
  EXPECT_TRUE(testing::is_close(actual[0], states[2].narrow(0, 1, 1), kBound * testing::rms(states[2])));
  EXPECT_TRUE(testing::is_close(actual[1], states[1].narrow(0, 1, 1), kBound * testing::rms(states[1])));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const char* model : {"grouped", "causal-lm", "one-key"})
    for (const char* mask : {"none", "right", "left", "holes"}) cases.push_back({model, mask});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryMask, Qwen3EncoderGolden, ::testing::ValuesIn(all_cases()),
                         [](const auto& info) {
                           std::string name = info.param.model + "_" + info.param.mask;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Qwen3Encoder, ReadsNoLayerPastTheLastStateAskedFor) {
  const Weights weights = weights_of("causal-lm", Weights::Mode::kCheckOnly);
  const Qwen3Encoder encoder(weights, config_of("causal-lm"), {-2});
  EXPECT_NO_THROW(weights.require_all_used(encoder.unread()));
  EXPECT_THROW(weights.require_all_used({"lm_head.", "norm."}), Error);  // the last layer is left
}

TEST(Qwen3Encoder, ReadsAllButTheHeadForTheLastState) {
  const Weights weights = weights_of("causal-lm", Weights::Mode::kCheckOnly);
  const Qwen3Encoder encoder(weights, config_of("causal-lm"), {-1});
  EXPECT_NO_THROW(weights.require_all_used({"lm_head."}));
}

TEST(Qwen3Encoder, GivesTheSameWhenItsLayersAreStreamed) {
  const Qwen3Config config = config_of("grouped");
  const Tensor ids = testing::GoldenTensors("qwen3/grouped.safetensors").at("none.ids");
  const Qwen3Encoder held(weights_of("grouped"), config, {3});
  const Qwen3Encoder streamed(weights_of("grouped"), config, {3}, Residency(0));
  EXPECT_TRUE(at::equal(held(ids)[0], streamed(ids)[0]));
}

template <typename Act>
std::string input_error(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "no error";
}

TEST(Qwen3Encoder, RefusesStatesTheModelDoesNotHave) {
  for (const std::int64_t state : {4, -5})
    EXPECT_NE(input_error([&] {
                Qwen3Encoder(weights_of("grouped"), config_of("grouped"), {state});
              }).find("hidden_states[" + std::to_string(state) + "]"),
              std::string::npos);
}

TEST(Qwen3Encoder, RefusesIdsOutsideTheVocabulary) {
  const Qwen3Encoder encoder(weights_of("grouped"), config_of("grouped"), {1});
  EXPECT_NE(input_error([&] {
              encoder(at::full({1, 3}, 37, at::kLong));
            }).find("token 37"),
            std::string::npos);
  EXPECT_NE(input_error([&] {
              encoder(at::full({1, 3}, -1, at::kLong));
            }).find("do not belong"),
            std::string::npos);
}

struct Refusal {
  std::string name, changes, message;
};

class Qwen3ConfigRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(Qwen3ConfigRefusal, NamesFileAndKey) {
  Config config = Config::read(golden_path("qwen3/grouped/config.json"));
  config.json.merge_patch(Json::parse(GetParam().changes));
  const std::string message = input_error([&] { Qwen3Config::read(config); });
  EXPECT_TRUE(message.starts_with(config.path.string())) << message;
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Of, Qwen3ConfigRefusal,
    ::testing::Values(
        Refusal{"another_architecture", R"({"model_type": "qwen2"})", "'model_type'"},
        Refusal{"sliding_windows", R"({"use_sliding_window": true})", "'use_sliding_window'"},
        Refusal{"a_sliding_layer", R"({"layer_types": ["full_attention", "sliding_attention"]})",
                "'layer_types'"},
        Refusal{"scaled_rotations", R"({"rope_parameters": {"rope_type": "yarn"}})", "'rope_type'"},
        Refusal{"older_scaled_rotations", R"({"rope_scaling": {"type": "linear", "factor": 2}})", "'type'"},
        Refusal{"rotations_of_no_base", R"({"rope_parameters": {"rope_theta": 0}})", "'rope_theta'"},
        Refusal{"rotations_that_are_a_number", R"({"rope_parameters": 7})", "'rope_parameters'"},
        Refusal{"an_odd_head", R"({"head_dim": 15})", "'head_dim'"},
        Refusal{"heads_that_do_not_divide", R"({"num_key_value_heads": 3})", "num_key_value_heads 3"},
        Refusal{"no_layers", R"({"num_hidden_layers": 0})", "'num_hidden_layers'"},
        Refusal{"too_wide_a_layer", R"({"intermediate_size": 1000000})", "'intermediate_size'"},
        Refusal{"an_unknown_activation", R"({"hidden_act": "swoosh"})", "swoosh"}),
    [](const auto& info) { return info.param.name; });

TEST(Qwen3Config, ReadsTheKeysOfTransformers4) {
  Config config = Config::read(golden_path("qwen3/grouped/config.json"));
  config.json.merge_patch(Json::parse(
      R"({"rope_parameters": null, "layer_types": null, "rope_theta": 1000000, "rope_scaling": null,
                      "sliding_window": null})"));
  EXPECT_EQ(Qwen3Config::read(config).rope_theta, 1e6);
  config.json.erase("rope_theta");
  EXPECT_EQ(Qwen3Config::read(config).rope_theta, 1e4);  // the reference's default
}

}  // namespace
}  // namespace sdgen
