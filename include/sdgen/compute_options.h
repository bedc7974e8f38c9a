// Where and how to compute.
#pragma once

#include <optional>

namespace sdgen {

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
  int threads = 0;  // CPU threads of this Generator's work; 0: as many as there are cores to use
  Quantize quantize = Quantize::kNone;
  VaeTiling vae_tiling = VaeTiling::kAuto;
  // Keeps as much of the UNet in memory as fits beside what a step needs, and reads the rest anew from its
  // file at every step: slower, the same picture.
  bool low_memory = false;
  // GiB the program may take of the CPU's memory, all in all, where it can choose: what low_memory keeps, and
  // whether a picture is decoded as a whole; on_warning tells where it is too little. Absent: all there is.
  std::optional<double> memory_limit{};
  // Between runs of one Generator, what a run has loaded, encoded and recorded stays for the next: for a
  // program that draws again and again. Else a run gives back what it no longer needs.
  bool keep_loaded = false;
};

}  // namespace sdgen
