// What a run will hold in memory, and what it leaves in the file where that is too much.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compute/compute.h"
#include "models/model.h"
#include "sdgen/observer.h"

namespace sdgen {

// How a run is to be sparing.
struct MemoryUse {
  VaeTiling vae_tiling = VaeTiling::kAuto;
  bool low_memory = false;               // UNets are streamed as far as they do not fit
  std::optional<std::uint64_t> limit{};  // bytes of the whole process, on the CPU
};

MemoryUse memory_use_of(const ComputeOptions& options);

// What the process may still take on `device`: what the system has to give, and no more than the limit
// leaves. Nothing: not known.
std::optional<std::uint64_t> memory_left(const at::Device& device, const MemoryUse& use);

// Of `left` bytes what the VAE's maps may take, where there is a limit to keep: operators need some, too.
std::optional<std::uint64_t> room_for_maps(std::optional<std::uint64_t> left, const MemoryUse& use);

// A run at its largest.
struct RunSize {
  NetworkSize network{};                               // what is seen at once
  std::int64_t decoded_height = 0, decoded_width = 0;  // latents of the largest picture: decoded one by one
  std::uint64_t ranker_bytes = 0;                      // of one that stays; 0: none is asked
  bool is_one_batch = true;  // then the UNet is freed before decoding, and a base before its refiner
  bool previews = false;     // then the VAE is there beside the UNet
  int start_pictures = 0;    // different ones: from the second on they are encoded beside the UNet
};

// The plan, and what each model's network and text encoders keep of the layers that can be streamed (nothing:
// all of them).
struct PlannedRun {
  MemoryPlan plan;
  std::vector<std::optional<std::uint64_t>> held_of_networks, held_of_texts;
  bool gives_back = false;  // see give_back_freed_memory()

  // Whether it goes beyond what there is, as far as that is known.
  bool is_too_much() const { return plan.available_bytes && plan.peak_bytes > *plan.available_bytes; }
};

// For `models` (a base and perhaps its refiner), of which `left` bytes are free to use. Where they do not
// suffice for the fast way and `use` asks to be sparing, freed memory is given back, and UNets are streamed.
PlannedRun plan_memory(const std::vector<const Model*>& models, const Compute& compute, const MemoryUse& use,
                       const RunSize& size, std::optional<std::uint64_t> left);

}  // namespace sdgen
