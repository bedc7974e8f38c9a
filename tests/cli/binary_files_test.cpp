// sd-gen inspect and sd-gen convert, as users meet them.
#include "cli/binary.h"

namespace sdgen::cli {
namespace {

class BinaryFiles : public Binary {};

TEST_F(BinaryFiles, InspectTellsWhatAFolderIs) {
  const ProcessResult result = sd_gen({"inspect", kModel});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(lines_of(result.out)[0].find(kModel + ": model, StableDiffusionPipeline (diffusers folder, "), 0u)
      << result.out;
  EXPECT_NE(result.out.find("unet"), std::string::npos);
  EXPECT_NE(result.out.find("float16"), std::string::npos);
}

TEST_F(BinaryFiles, InspectPrintsOneJsonObject) {
  const ProcessResult result = sd_gen({"inspect", "--json", kModel});
  const Json json = Json::parse(result.out);
  EXPECT_EQ(lines_of(result.out).size(), 1u);
  EXPECT_EQ(json.at("kind"), "model");
  EXPECT_EQ(json.at("components").size(), 3u);
  for (const char* key : {"path", "kind", "format", "family", "bytes", "parameters", "components", "facts",
                          "missing", "unused", "metadata"})
    EXPECT_TRUE(json.contains(key)) << key;
  const Json& unet = json.at("components")[1];
  EXPECT_EQ(unet.at("name"), "unet");
  EXPECT_EQ(unet.at("memory_bytes").at("float32").get<std::uint64_t>(),
            4 * unet.at("parameters").get<std::uint64_t>());
}

TEST_F(BinaryFiles, InspectReadsThePicturesThatSdGenDraws) {
  EXPECT_EQ(draw({"-p", "a red, red cat", "--seed", "7", "-o", "x.png"}).exit_code, 0);
  const ProcessResult result = sd_gen({"inspect", "x.png", "--json"});
  const Json facts = Json::parse(result.out).at("facts");
  EXPECT_EQ(facts.at("prompt"), "a red, red cat");
  EXPECT_EQ(facts.at("seed"), "7");
  EXPECT_EQ(facts.at("steps"), "2");
}

TEST_F(BinaryFiles, HostileAndBrokenFilesAreOneLine) {
  const fs::path pickles = kGolden / "pickles";
  expect_one_line_error(sd_gen({"inspect", (pickles / "hostile-calls.ckpt").string()}), 3, "posix.system");
  expect_one_line_error(sd_gen({"inspect", (pickles / "before-1.6.ckpt").string()}), 3, "before 1.6");
  expect_one_line_error(sd_gen({"inspect", "gone.safetensors"}), 3, "gone.safetensors");
  testing::write_bytes(folder() / "_x.safetensors", "short");
  expect_one_line_error(sd_gen({"inspect", "_x.safetensors"}), 3, "only 5 bytes");
  testing::write_bytes(folder() / "_y.png", "\x89PNG but no more");
  expect_one_line_error(sd_gen({"inspect", "_y.png"}), 3, "_y.png");
  const std::string header = R"({"a\nb":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})";
  testing::write_bytes(folder() / "_z.safetensors", testing::safetensors_bytes(header, "1234"));
  expect_one_line_error(sd_gen({"inspect", "_z.safetensors"}), 3, "F99");
}

TEST_F(BinaryFiles, WrongCommandLinesExitWithTwo) {
  expect_one_line_error(sd_gen({"inspect"}), 2, "needs a path");
  expect_one_line_error(sd_gen({"inspect", "a", "b"}), 2, "got 2 paths");
  expect_one_line_error(sd_gen({"convert", "a"}), 2, "needs a path to read and a path to write");
  expect_one_line_error(sd_gen({"inspect", "--jsom", "a"}), 2, "did you mean --json");
  expect_one_line_error(sd_gen({"convert", "a", "b", "--dtype"}), 2, "needs a value");
  expect_one_line_error(sd_gen({"convert", "a", "b", "--dtype", "int4"}), 2, "known: auto, float32");
  EXPECT_NE(sd_gen({"convert", "--help"}).out.find("--overwrite"), std::string::npos);
}

TEST_F(BinaryFiles, ConvertWritesAnotherDtypeThatDrawsTheSamePicture) {
  const ProcessResult result = sd_gen({"convert", kModel, "_model", "--dtype", "float32"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "_model\n");
  expect_one_line_error(sd_gen({"convert", kModel, "_model"}), 2, "already exists");
  expect_one_line_error(sd_gen({"convert", kModel, "x.safetensors"}), 3, "one file cannot tell");
  EXPECT_EQ(draw({"-p", "x", "--seed", "3", "-o", "a.png", "--dtype", "float32"}).exit_code, 0);
  EXPECT_EQ(draw({"-p", "x", "--seed", "3", "-o", "b.png", "--dtype", "float32", "-m",
                  (folder() / "_model").string()})
                .exit_code,
            0);
  EXPECT_EQ(read_png(folder() / "a.png").rgb, read_png(folder() / "b.png").rgb);
}

TEST_F(BinaryFiles, AFullDiskLeavesNothingOfAConversion) {
  fs::create_directory(folder() / "_disk");
  const std::string pickle =
      (kGolden / "pipelines/sd15-tiny/unet/diffusion_pytorch_model.safetensors").string();
  const ProcessResult result = testing::run_process(
      {"bash", "-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", SDGEN_BINARY, "convert", pickle,
       (folder() / "_disk/x.safetensors").string(), "--dtype", "float32"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_NE(result.err.find("x.safetensors: cannot be written"), std::string::npos) << result.err;
  EXPECT_EQ(lines_of(result.err).size(), 1u);
  EXPECT_TRUE(fs::is_empty(folder() / "_disk"));
}

const fs::path kFamilies = kGolden / "families";

// The picture of a case of families/pictures.json, drawn by the built binary.
TEST_F(BinaryFiles, AMaskedPictureEqualsDiffusers) {
  const ProcessResult result = sd_gen({"-m",
                                       (kFamilies / "pipelines/inpaint-tiny").string(),
                                       "-p",
                                       "a red circle above a blue square",
                                       "--steps",
                                       "7",
                                       "--guidance-scale",
                                       "5",
                                       "--seed",
                                       "42",
                                       "--sampler",
                                       "ddim",
                                       "--eta",
                                       "0.5",
                                       "--strength",
                                       "0.6",
                                       "--init-image",
                                       (kFamilies / "start.jpg").string(),
                                       "--mask",
                                       (kFamilies / "mask.png").string(),
                                       "--width",
                                       "64",
                                       "--height",
                                       "64",
                                       "--dtype",
                                       "float32",
                                       "--device",
                                       "cpu",
                                       "-o",
                                       "x.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string expected = golden_bytes(kFamilies / "pictures.safetensors", "inpaint-weak");
  const Pixels pixels = read_png(folder() / "x.png");
  ASSERT_EQ(pixels.rgb.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(pixels.rgb[i], static_cast<unsigned char>(expected[i]), 1) << i;
}

TEST_F(BinaryFiles, APictureThatStartedFromAnotherIsRepeatedFromItsParameters) {
  const std::string start = (kFamilies / "start.jpg").string();
  EXPECT_EQ(
      draw({"-p", "x", "--init-image", start, "--strength", "0.5", "--steps", "4", "-o", "a.png"}).exit_code,
      0);
  const std::string text = read_text(folder() / "a.png");
  EXPECT_NE(text.find("Denoising strength: 0.5"), std::string::npos);
  EXPECT_NE(text.find("Init image: "), std::string::npos);
}

TEST_F(BinaryFiles, PicturesThatDoNotGoWithTheModelAreRefused) {
  const std::string start = (kFamilies / "start.png").string();
  const auto refused = [&](const std::string& model, std::vector<std::string> flags, int code,
                           const std::string& part) {
    std::vector<std::string> all = {"-m", model, "-p", "x", "-o", "x.png"};
    all.insert(all.end(), flags.begin(), flags.end());
    expect_one_line_error(sd_gen(all), code, part);
    EXPECT_FALSE(fs::exists(folder() / "x.png"));
  };
  const std::string inpaint = (kFamilies / "pipelines/inpaint-tiny").string();
  const std::string instruct = (kFamilies / "pipelines/instruct-tiny").string();
  refused(inpaint, {}, 2, "needs init-image and mask");
  refused(instruct, {}, 2, "needs an init-image");
  refused(instruct, {"--init-image", start, "--strength", "0.5"}, 2, "image-guidance-scale");
  refused(kModel, {"--strength", "0.5"}, 2, "needs an init-image");
  refused(kModel, {"--mask", start}, 2, "needs an init-image");
  refused(kModel, {"--init-image", start, "--strength", "0"}, 2, "strength");
  refused(kModel, {"--init-image", "none.png"}, 3, "none.png");
  refused(kModel, {"--refiner", inpaint}, 3, "not a refiner");
  refused(kModel, {"--vae", (kGolden / "pipelines/sd15-tiny").string(), "--unet", "none"}, 3, "none");
}

TEST_F(Binary, InspectKnowsTheMapsThatItWroteAndModelsByTheirNames) {
  const ProcessResult drawn = draw({"-p", "a cat", "--attention-maps", "maps", "-o", "x.png"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  const ProcessResult maps = sd_gen({"inspect", "maps/attention.safetensors"});
  EXPECT_EQ(maps.exit_code, 0) << maps.err;
  EXPECT_NE(maps.out.find(": attention maps ("), std::string::npos) << maps.out;
  EXPECT_NE(maps.out.find("prompt  a cat"), std::string::npos) << maps.out;
  const ProcessResult model = sd_gen({"inspect", "pictograms"});
  EXPECT_EQ(model.exit_code, 0) << model.err;
  EXPECT_NE(model.out.find("pictograms: model, StableDiffusionPipeline"), std::string::npos) << model.out;
  const ProcessResult none = sd_gen({"inspect", "pictogram"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_NE(none.err.find("did you mean pictograms?"), std::string::npos) << none.err;
}

}  // namespace
}  // namespace sdgen::cli
