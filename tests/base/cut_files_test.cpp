#include "base/cut_files.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "compute/torch_errors.h"
#include "sdgen/generator.h"
#include "sdgen/mapped_files.h"
#include "support/golden.h"
#include "support/safetensors_file.h"
#include "weights/formats/safetensors_stream.h"
#include "weights/formats/safetensors_write.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// What is found stays with the process, so each test is in one of its own: prints the message and exits.
template <typename Work>
[[noreturn]] void say_and_exit(const Work& work) {
  survive_cut_files();
  try {
    work();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::_Exit(static_cast<int>(error.kind()));
  }
  std::_Exit(0);
}

class CutFile : public ::testing::Test {
 protected:
  CutFile() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto bytes = encode_safetensors({{"a", at::ones({1 << 20})}}, {});
    testing::write_bytes(path_, std::string(bytes.begin(), bytes.end()));
  }

  std::shared_ptr<const TensorSource> cut_while_open() const {
    std::shared_ptr<const TensorSource> source = open_weights_file(path_);
    fs::resize_file(path_, 4096);
    return source;
  }

  testing::TemporaryFolder folder_;
  const fs::path path_ = folder_.path() / "model.safetensors";
};

TEST_F(CutFile, IsAnErrorThatNamesIt) {
  EXPECT_EXIT(say_and_exit([&] { with_plain_errors([&] { cut_while_open()->read("a").sum(); }); }),
              ::testing::ExitedWithCode(3), "model.safetensors: was cut short");
}

TEST_F(CutFile, IsNoPartOfAConvertedFile) {
  const fs::path out = folder_.path() / "out.safetensors";
  for (const auto dtype : {std::optional<at::ScalarType>(), std::optional(at::kHalf)})
    EXPECT_EXIT(
        say_and_exit([&] { write_safetensors(out, *cut_while_open(), dtype, {}, /*overwrite=*/false); }),
        ::testing::ExitedWithCode(3), "was cut short");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);  // the model itself
}

// Of a model whose layers are read anew at each step: says when a step has ended, cuts its file after the
// first, and exits with 9 if there is a picture.
void draw_from_a_cut_model(const fs::path& folder) {
  const fs::path weights = folder / "unet/diffusion_pytorch_model.safetensors";
  Generator generator(folder,
                      {.device = Device::kCpu, .threads = 1, .low_memory = true, .memory_limit = 1e-6});
  generator.run({{.prompt = "a cat", .steps = 8, .seed = 1, .width = 32, .height = 32}}, {.preview_every = 1},
                {.on_step =
                     [&](const StepProgress& step) {
                       std::fprintf(stderr, "step %d;", step.step);
                       if (step.step == 1) fs::resize_file(weights, 4096);
                     },
                 .on_picture = [](const Picture&) { std::_Exit(9); },
                 .on_preview =
                     [](const Preview& preview) {
                       if (preview.step > 1) std::_Exit(9);
                     }});
}

TEST_F(CutFile, EndsTheRunAtTheNextStepWithoutAPicture) {
  const fs::path model = folder_.path() / "model";
  fs::copy(testing::golden_path("pipelines/sd15-tiny"), model, fs::copy_options::recursive);
  EXPECT_EXIT(say_and_exit([&] { draw_from_a_cut_model(model); }), ::testing::ExitedWithCode(3),
              "^step 1;[^;]*diffusion_pytorch_model.safetensors: was cut short");
}

TEST_F(CutFile, LeavesAnyOtherBusErrorFatal) {
  EXPECT_EXIT(say_and_exit([] {
                std::raise(SIGBUS);
                std::raise(SIGBUS);
              }),
              ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace sdgen
