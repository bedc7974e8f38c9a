// What to draw and on what. A field is named as its command-line flag (dashes for underscores).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sdgen {

// One prompt and how to draw it. Empty optionals mean "the model's own"; Generator::complete() fills them.
struct Request {
  std::string prompt{};
  std::string negative_prompt{};
  std::optional<int> steps{};              // sampler steps, >= 1; the model's own default, else 30
  std::optional<double> guidance_scale{};  // <= 1: off, one UNet row; the model's own default, else 7.5
  std::optional<std::string> sampler{};    // one of sampler_names(); the model's own scheduler
  double eta = 0.0;                        // DDIM's stochasticity, 0 (deterministic) to 1 (DDPM-like)
  std::optional<std::uint64_t> seed{};     // picture k uses seed + k; random when absent
  std::optional<int> width{};              // pixels, a multiple of 8; the model's own
  std::optional<int> height{};             // pixels, a multiple of 8; the model's own
  int count = 1;                           // pictures of this prompt, >= 1
};

enum class Device { kAuto, kCpu, kCuda };
enum class DType { kAuto, kFloat32, kBFloat16, kFloat16 };
// Whether the VAE decodes in overlapping tiles, as diffusers' enable_tiling(): kOn for pictures larger than a
// tile, kOff never. kAuto: whole while memory allows, else in bands, which give the same picture up to
// rounding, and in tiles only where memory does not allow that either.
enum class VaeTiling { kAuto, kOn, kOff };
// kInt8: the UNet's convolutions and linears multiply 8-bit integers, with a scale for each output channel
// and each row of the input. Faster and smaller on CPUs with AVX-512 VNNI, at some distance from the full
// picture.
enum class Quantize { kNone, kInt8 };

// Where and how to compute. kAuto: CUDA if there is one, else the CPU; bfloat16 on CPUs that compute with it
// natively (AVX-512 BF16), float32 on others, float16 on CUDA.
struct ComputeOptions {
  Device device = Device::kAuto;
  int device_index = 0;  // which CUDA device
  DType dtype = DType::kAuto;
  int threads = 0;  // CPU threads; 0: as many as there are cores to use
  Quantize quantize = Quantize::kNone;
  VaeTiling vae_tiling = VaeTiling::kAuto;
};

// Names accepted by Request::sampler, in the order shown to users.
std::vector<std::string> sampler_names();

}  // namespace sdgen
