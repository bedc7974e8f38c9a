// Time and memory of decoding random latents with a VAE of any size:
//   build/sdgen_decode_bench VAE_FOLDER WIDTH HEIGHT whole|bands|tiles [float32|bfloat16|float16]
// Prints one line with the process's peak memory (VmHWM) and the estimate the program goes by.
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "base/stopwatch.h"
#include "decode/decode_plan.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

template <typename T>
T named(const std::string& name, const std::vector<std::pair<std::string, T>>& known) {
  for (const auto& [known_name, value] : known)
    if (name == known_name) return value;
  throw std::invalid_argument("unknown word '" + name + "'");
}

double mebibytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

void measure(const std::vector<std::string>& words) {
  const c10::InferenceMode inference;
  const std::filesystem::path folder = words.at(0);
  const AutoencoderConfig config = AutoencoderConfig::read(Config::read(folder / "config.json"));
  const auto mode = named<DecodeMode>(
      words.at(3),
      {{"whole", DecodeMode::kWhole}, {"bands", DecodeMode::kBands}, {"tiles", DecodeMode::kTiles}});
  const auto dtype =
      named<at::ScalarType>(words.size() > 4 ? words[4] : "float32",
                            {{"float32", at::kFloat}, {"bfloat16", at::kBFloat16}, {"float16", at::kHalf}});
  const Decoder decoder({rename_keys(open_model_files(folder, "diffusion_pytorch_model"), current_vae_name),
                         {at::kCPU, dtype},
                         Weights::Mode::kRead},
                        config);
  const std::int64_t scale = config.pixels_per_latent();
  const Tensor latents =
      at::randn({1, config.latent_channels, std::stoll(words.at(2)) / scale, std::stoll(words.at(1)) / scale},
                at::dtype(dtype));
  const std::uint64_t before = peak_memory_bytes();
  const Stopwatch stopwatch;
  const Tensor picture = decode(mode, decoder, latents);
  std::printf("%sx%s %s %s: %.2f s, peak %.0f MiB, %.0f before, estimate %.0f, picture %s\n",
              words[1].c_str(), words[2].c_str(), words[3].c_str(), dtype_name(dtype).c_str(),
              stopwatch.seconds(), mebibytes(peak_memory_bytes()), mebibytes(before),
              mebibytes(decode_bytes(mode, config, latents.sizes(), dtype)),
              is_finite(picture) ? "finite" : "not finite");
}

}  // namespace
}  // namespace sdgen

int main(int count, char** arguments) {
  try {
    sdgen::measure({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
