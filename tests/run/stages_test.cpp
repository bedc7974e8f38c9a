// Each stage of the chain against diffusers and transformers, on the small random pipelines of tests/golden.
#include <gtest/gtest.h>

#include <algorithm>

#include "image/pixels.h"
#include "models/model.h"
#include "support/golden.h"
#include "text/clip_conditioner.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

class Stages : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path folder() const { return testing::golden_path("pipelines/" + GetParam()); }
  Model model() const { return read_model({.model = folder()}); }
  testing::GoldenTensors tensors() const {
    return testing::GoldenTensors("stages/" + GetParam() + ".safetensors");
  }
  Json cases() const { return testing::golden_json("stages/stages.json").at("pipelines").at(GetParam()); }

  Weights weights(const std::string& component, const std::string& stem,
                  std::string (*rename)(const std::string&)) const {
    return {rename_keys(open_model_files(folder() / component, stem), rename), Compute{},
            Weights::Mode::kRead};
  }
};

TEST_P(Stages, TextEncoderEqualsTheReference) {
  const ClipTextEncoder encoder(weights("text_encoder", "model", current_clip_name),
                                model().clip_text()->texts.front().config);
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(folder() / "tokenizer");
  const Tensor ids = tensors().at("text.input_ids");
  const Tensor hidden = tensors().at("text.last_hidden_state");
  EXPECT_TRUE(testing::is_close(encoder(ids), hidden, 2e-5));
  EXPECT_TRUE(testing::is_close(encoder.pooled(ids, hidden), tensors().at("text.pooled"), 1e-6));
  const auto prompts = cases().at("prompts").get<std::vector<std::string>>();
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    SCOPED_TRACE(prompts[i]);
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_TRUE(at::equal(at::tensor(tokenizer->encode(prompts[i]).ids, at::kLong), ids[row]));
    EXPECT_TRUE(testing::is_close(
        ClipConditioner({{*tokenizer, encoder}}, TextStatesUsed::kLast).encode({prompts[i]}).hidden[0],
        hidden[row], 2e-5));
  }
}

TEST_P(Stages, OneUnetCallEqualsTheReference) {
  const Unet unet(weights("unet", "diffusion_pytorch_model", [](const std::string& key) { return key; }),
                  model().unet());
  const Json unet_cases = cases().at("unet_cases");
  ASSERT_GE(unet_cases.size(), 5u);
  for (const Json& unet_case : unet_cases) {
    const std::string key = "unet." + unet_case.at("name").get<std::string>() + ".";
    SCOPED_TRACE(key);
    const Tensor sample = tensors().at(key + "sample");
    Unet::Trace trace;
    const Tensor output = unet(sample, tensors().at(key + "timestep").expand({sample.size(0)}),
                               unet.text(tensors().at(key + "encoder_hidden_states")), &trace);
    EXPECT_TRUE(testing::is_close(trace.time_embedding, tensors().at(key + "time_embedding"), 2e-5));
    EXPECT_TRUE(testing::is_close(trace.first_down, tensors().at(key + "down0"), 1e-4));
    EXPECT_TRUE(testing::is_close(trace.mid, tensors().at(key + "mid"), 2e-4));
    EXPECT_TRUE(testing::is_close(output, tensors().at(key + "output"), 1e-4));
  }
}

TEST_P(Stages, VaeDecodesToTheReferencesPixels) {
  const AutoencoderDecoder decoder(weights("vae", "diffusion_pytorch_model", current_vae_name), model().vae);
  for (const std::string size : {"square", "wide"}) {
    SCOPED_TRACE(size);
    const Tensor pixels = decoder(tensors().at("vae.decode." + size + ".latents"));
    EXPECT_TRUE(testing::is_close(pixels, tensors().at("vae.decode." + size + ".image"), 1e-4));
    const Tensor rgb = tensors().at("vae.decode." + size + ".rgb");
    const Image image = images_from_pixels(tensors().at("vae.decode." + size + ".image")).front();
    const Tensor ours =
        at::tensor(at::ArrayRef<std::uint8_t>(image.rgb), at::kByte).view({1, image.height, image.width, 3});
    EXPECT_TRUE(testing::is_close(ours, rgb, 0)) << "the same floats must round to the same bytes";
  }
}

TEST_P(Stages, VaeEncodesToTheReferencesDistribution) {
  const AutoencoderEncoder encoder(weights("vae", "diffusion_pytorch_model", current_vae_name), model().vae);
  for (const std::string size : {"square", "wide"}) {
    SCOPED_TRACE(size);
    const auto latents = encoder(tensors().at("vae.encode." + size + ".image"));
    EXPECT_TRUE(testing::is_close(latents.mean, tensors().at("vae.encode." + size + ".mean"), 1e-4));
    EXPECT_TRUE(testing::is_close(latents.logvar, tensors().at("vae.encode." + size + ".logvar"), 1e-4));
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Stages, ::testing::Values("sd15-tiny", "sd2-tiny", "variant-tiny"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(TimestepEmbedding, EqualsTheReferenceWithBothFlags) {
  const testing::GoldenTensors golden("stages/timestep_embedding.safetensors");
  const Tensor timesteps = golden.at("timesteps").to(at::kFloat);
  for (const int width : {16, 17, 320})
    for (const int flip : {0, 1})
      for (const int shift : {0, 1})
        EXPECT_TRUE(testing::is_close(timestep_embedding(timesteps, width, flip == 1, shift),
                                      golden.at(concat("dim", width, ".flip", flip, ".shift", shift)), 1e-4))
            << width << ' ' << flip << ' ' << shift;
}

}  // namespace
}  // namespace sdgen
