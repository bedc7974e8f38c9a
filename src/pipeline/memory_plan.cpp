#include "pipeline/memory_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/memory.h"
#include "decode/decode_plan.h"

namespace sdgen {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// A streamed layer and what the system's allocator keeps of those before it.
constexpr std::uint64_t kReserve = std::uint64_t{384} << 20;

// Maps of a residual block that are alive at once, and of a transformer block: its feed-forward is eight
// times as wide, and halved while both are there.
constexpr std::int64_t kResnetMaps = 5, kTransformerMaps = 18;

std::uint64_t numbers_of(const TensorSource& source, const std::string& prefix = "") {
  std::uint64_t numbers = 0;
  for (const std::string& key : source.keys())
    if (key.starts_with(prefix))
      numbers += static_cast<std::uint64_t>(c10::multiply_integers(source.find(key)->shape));
  return numbers;
}

std::uint64_t less(std::uint64_t bytes, std::uint64_t by) {
  return bytes > by ? bytes - by : 0;
}

MemoryPlan::Part unet_part(const Model& model, const Compute& compute, const BatchSize& size) {
  const std::uint64_t element = c10::elementSize(compute.dtype);
  const std::uint64_t stored = compute.quantize == Quantize::kInt8 ? 1 : element;
  MemoryPlan::Part part{"unet", numbers_of(*model.source.weights("unet")) * stored, 0,
                        unet_work_bytes(model.unet, size, element)};
  for (const ControlNetModel& controlnet : model.controlnets) {
    part.work_bytes += numbers_of(*controlnet.weights) * element;
    part.work_bytes += unet_work_bytes(controlnet.config.trunk, size, element) / 2;
  }
  return part;
}

// Pictures are decoded one by one where they are large: see decode_latents().
MemoryPlan::Part vae_part(const Model& model, const Compute& compute, const MemoryUse& use,
                          const BatchSize& size, std::optional<std::uint64_t> left) {
  const at::TensorOptions options = at::TensorOptions().device(compute.device).dtype(compute.dtype);
  const std::vector<std::int64_t> latents = {1, model.vae.latent_channels, size.height, size.width};
  const DecodeMode mode = decode_modes(use.vae_tiling, model.vae, latents, options, left).front();
  const std::string name = mode == DecodeMode::kWhole ? "vae" : "vae " + decode_mode_name(mode);
  return {name, numbers_of(*model.source.weights("vae"), "decoder.") * c10::elementSize(compute.dtype), 0,
          decode_bytes(mode, model.vae, latents, options)};
}

}  // namespace

MemoryUse memory_use_of(const ComputeOptions& options) {
  MemoryUse use{options.vae_tiling, options.low_memory, {}};
  if (options.memory_limit) {
    if (!(*options.memory_limit > 0)) fail_request("memory-limit: must be positive (GiB)");
    use.limit = static_cast<std::uint64_t>(std::min(*options.memory_limit, 1e6) * kGiB);
  }
  return use;
}

std::optional<std::uint64_t> memory_left(const at::Device& device, const MemoryUse& use) {
  std::optional<std::uint64_t> left = available_memory_bytes(device);
  if (device.is_cpu() && use.limit) {
    const std::uint64_t of_limit = less(*use.limit, resident_memory_bytes());
    left = std::min(left.value_or(of_limit), of_limit);
  }
  return left;
}

std::uint64_t unet_work_bytes(const UnetConfig& config, const BatchSize& size, std::uint64_t element_bytes) {
  const std::int64_t rows = size.rows * size.questions;
  std::int64_t kept = 0, most = 0;  // numbers
  std::int64_t height = size.height, width = size.width;
  for (std::size_t level = 0; level < config.block_out_channels.size(); ++level) {
    const std::int64_t map = rows * config.block_out_channels[level] * height * width;
    kept += map * (config.layers_per_block[level] + 1);
    const bool attends = config.down_block_types[level].starts_with("CrossAttn");
    // on the way up the first residual block sees what comes from below and beside it
    most = std::max(most, map * (attends ? kTransformerMaps : 2 * kResnetMaps));
    height = (height + 1) / 2;
    width = (width + 1) / 2;
  }
  return static_cast<std::uint64_t>(kept + most) * element_bytes;
}

MemoryPlan plan_memory(const std::vector<const Model*>& models, const Compute& compute, const MemoryUse& use,
                       const BatchSize& size, std::optional<std::uint64_t> left) {
  MemoryPlan plan;
  const std::uint64_t element = c10::elementSize(compute.dtype);
  const std::uint64_t held_now = compute.device.is_cpu() ? resident_memory_bytes() : 0;
  std::uint64_t texts = 0, unets = 0, most = 0;
  for (const Model* const model : models)
    for (const TextModel& text : model->texts) {
      const auto bytes = numbers_of(*model->source.weights(text.encoder)) * element;
      plan.parts.push_back({text.encoder, bytes, 0, 0});
      texts = std::max(texts, bytes);
    }
  most = texts;
  for (const Model* const model : models) {
    MemoryPlan::Part part = unet_part(*model, compute, size);
    if (use.low_memory && left) {
      const std::uint64_t room = less(*left, unets + part.work_bytes + kReserve);
      part.streamed_bytes = less(part.weight_bytes, room);
      part.weight_bytes -= part.streamed_bytes;
    }
    most = std::max(most, unets + part.weight_bytes + part.work_bytes);
    if (!size.is_last) unets += part.weight_bytes;  // else freed before what follows
    plan.parts.push_back(part);
  }
  const auto vae =
      vae_part(*models.front(), compute, use, size, left ? std::optional(less(*left, unets)) : std::nullopt);
  most = std::max(most, unets + vae.weight_bytes + vae.work_bytes);
  plan.parts.push_back(vae);
  plan.peak_bytes = held_now + most;
  if (left) plan.available_bytes = held_now + *left;
  return plan;
}

}  // namespace sdgen
