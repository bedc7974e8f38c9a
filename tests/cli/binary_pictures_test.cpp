// Pictures in other formats, on standard output, and what is read back from them.
#include "cli/binary.h"

namespace sdgen::cli {
namespace {

struct BinaryPictures : Binary {
  ProcessResult inspect(const std::string& name) const { return sd_gen({"inspect", name, "--json"}); }
};

struct OtherFormat : BinaryPictures, ::testing::WithParamInterface<std::string> {};

TEST_P(OtherFormat, CarriesItsParameters) {
  const std::string name = "x" + GetParam();
  const ProcessResult drawn = draw({"-p", "a cat, кот", "-n", "dogs", "--seed", "7", "-o", name});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_EQ(drawn.out, name + "\n");
  const Image picture = read_picture(folder() / name);
  EXPECT_EQ(std::pair(picture.width, picture.height), std::pair(32, 32));
  const Json inspected = Json::parse(inspect(name).out);
  EXPECT_EQ(inspected["kind"], "picture");
  EXPECT_EQ(inspected["format"], GetParam() == ".webp" ? "webp" : "jpeg");
  EXPECT_EQ(inspected["facts"]["prompt"], "a cat, кот");
  EXPECT_EQ(inspected["facts"]["negative prompt"], "dogs");
  EXPECT_EQ(inspected["facts"]["seed"], "7");
}

TEST_P(OtherFormat, IsEditedAsAPngIs) {
  const std::string name = "x" + GetParam();
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", name}).exit_code, 0);
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", "x.png"}).exit_code, 0);
  const ProcessResult one = sd_gen({"-m", kModel, "-p", "a dog", "--edit-from", name, "-o", "one.png"});
  const ProcessResult other =
      sd_gen({"-m", kModel, "-p", "a dog", "--edit-from", "x.png", "-o", "other.png"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_EQ(read_png(folder() / "one.png").rgb, read_png(folder() / "other.png").rgb);
}

TEST_P(OtherFormat, IsNumberedAndPatterned) {
  EXPECT_EQ(draw({"-p", "x", "--seed", "1", "--count", "2", "-o", "y" + GetParam()}).exit_code, 0);
  EXPECT_EQ(
      draw({"-p", "x", "--seed", "1", "-o", "{seed}" + GetParam(), "--grid", "sheet" + GetParam()}).exit_code,
      0);
  EXPECT_EQ(files(), (std::vector<std::string>{"1" + GetParam(), "sheet" + GetParam(), "y-1" + GetParam(),
                                               "y-2" + GetParam()}));
  EXPECT_EQ(Json::parse(inspect("sheet" + GetParam()).out)["format"],
            GetParam() == ".webp" ? "webp" : "jpeg");
}

INSTANTIATE_TEST_SUITE_P(BinaryPictures, OtherFormat, ::testing::Values(".webp", ".jpg", ".jpeg", ".JPG"),
                         [](const auto& each) {
                           return each.param == ".JPG" ? "JPG" : each.param.substr(1);
                         });

TEST_F(BinaryPictures, QualityIsHeeded) {
  for (const char* quality : {"5", "100"})
    ASSERT_EQ(
        draw({"-p", "x", "--seed", "1", "-o", (fs::path(quality) += ".webp").string(), "--quality", quality})
            .exit_code,
        0);
  ASSERT_EQ(draw({"-p", "x", "--seed", "1", "-o", "x.png"}).exit_code, 0);
  EXPECT_LT(fs::file_size(folder() / "5.webp"), fs::file_size(folder() / "100.webp"));
  EXPECT_EQ(read_picture(folder() / "100.webp").rgb, read_picture(folder() / "x.png").rgb) << "without loss";
}

TEST_F(BinaryPictures, AWrongQualityIsRefused) {
  for (const char* quality : {"0", "101", "high"})
    expect_one_line_error(draw({"-p", "x", "--quality", quality}), 2, "--quality: expected a");
}

TEST_F(BinaryPictures, StandardOutputGetsThePngAndNothingElse) {
  const ProcessResult piped = draw({"-p", "a cat", "--seed", "7", "-o", "-"});
  ASSERT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(files(), std::vector<std::string>{});
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", "x.png"}).exit_code, 0);
  EXPECT_EQ(piped.out, read_text(folder() / "x.png"));
}

TEST_F(BinaryPictures, StandardOutputTakesOnePictureAndNoJson) {
  expect_one_line_error(draw({"-p", "x", "-o", "-", "--count", "2"}), 2, "takes one picture, this run has 2");
  expect_one_line_error(draw({"-p", "x", "-o", "-", "--json"}), 2,
                        "--json and --output - both write to standard output");
}

TEST_F(BinaryPictures, AClosedStandardOutputFailsThePicture) {
  const ProcessResult result =
      testing::run_process({"bash", "-c", "exec \"$@\" >/dev/full", "sh", SDGEN_BINARY, "-m", kModel, "-p",
                            "x", "--width", "32", "--height", "32", "--steps", "1", "--quiet", "-o", "-"},
                           {.folder = folder().string()});
  expect_one_line_error(result, 1, "could not be written to standard output");
}

TEST_F(BinaryPictures, ALongPromptIsRefusedForAJpegBeforeItIsDrawn) {
  std::ofstream(folder() / "_long.txt") << std::string(40'000, 'x') << "\n";
  const ProcessResult result =
      sd_gen({"-m", kModel, "--prompt-file", "_long.txt", "--steps", "1", "-o", "x.jpg"});
  expect_one_line_error(result, 2, "a JPEG holds about 32000 characters of parameters");
}

TEST_F(BinaryPictures, EveryKindOfFileIsAStartAMaskAndItsSize) {
  const fs::path pictures = kGolden / "picture_files";
  for (const char* name :
       {"turned-6.jpg", "cmyk.jpg", "exif.png", "turned.webp", "turned-6.avif", "plain.gif", "rgb.bmp"}) {
    SCOPED_TRACE(name);
    const std::string file = (pictures / name).string(), out = (fs::path("_") += name).string() + ".png";
    const ProcessResult result =
        sd_gen({"-m", kModel, "-p", "x", "--steps", "1", "--seed", "1", "--width", "32", "--height", "32",
                "--init-image", file, "--mask", file, "-o", out});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(Json::parse(inspect(file).out)["kind"], "picture");
  }
}

TEST_F(BinaryPictures, PackedParametersAreRead) {
  ASSERT_EQ(draw({"-p", "a cat", "--seed", "7", "-o", "x.png"}).exit_code, 0);
  const std::string png = read_text(folder() / "x.png");
  const std::size_t at = png.find("tEXtparameters");
  ASSERT_NE(at, png.npos);
  const std::string script =
      "import sys,zlib,struct\n"
      "d=open('x.png','rb').read(); a=d.index(b'tEXtparameters')-4; n=struct.unpack('>I',d[a:a+4])[0]\n"
      "t=d[a+8+len(b'parameters\\0'):a+8+n]\n"
      "c=lambda k,b: struct.pack('>I',len(b))+k+b+struct.pack('>I',zlib.crc32(k+b))\n"
      "open('_z.png','wb').write(d[:a]+c(b'zTXt',b'parameters\\0\\0'+zlib.compress(t))+d[a+12+n:])\n"
      "open('_i.png','wb').write(d[:a]+c(b'iTXt',b'parameters\\0\\1\\0\\0\\0'+zlib.compress(t))+d[a+12+n:])"
      "\n";
  const ProcessResult made = testing::run_process({"python3", "-c", script}, {.folder = folder().string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;  // scripts/test installs python3
  for (const char* name : {"_z.png", "_i.png"}) {
    EXPECT_EQ(Json::parse(inspect(name).out)["facts"]["seed"], "7") << name;
    const ProcessResult edited =
        sd_gen({"-m", kModel, "-p", "a dog", "--edit-from", name, "-o", std::string(name) + ".png"});
    EXPECT_EQ(edited.exit_code, 0) << edited.err;
  }
}

}  // namespace
}  // namespace sdgen::cli
