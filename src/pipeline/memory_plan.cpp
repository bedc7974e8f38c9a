#include "pipeline/memory_plan.h"

#include <algorithm>
#include <map>

#include "base/memory.h"
#include "decode/decode_plan.h"
#include "nn/streamed.h"

namespace sdgen {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// Beside two streamed layers, one of which the system's allocator may still keep.
constexpr std::uint64_t kReserve = std::uint64_t{128} << 20;

// Maps of a residual block that are alive at once, and of a transformer block: its feed-forward is eight
// times as wide, and halved while both are there.
constexpr std::int64_t kResnetMaps = 5, kTransformerMaps = 18;

std::uint64_t less(std::uint64_t bytes, std::uint64_t by) {
  return bytes > by ? bytes - by : 0;
}

// The parts beside the UNet are never quantized.
Compute plain(const Compute& compute) {
  return {compute.device, compute.dtype};
}

// What a UNet's tensors keep, by whether they can be streamed.
struct UnetBytes {
  std::uint64_t fixed = 0, streamable = 0, largest_layer = 0;
};

UnetBytes unet_bytes(const TensorSource& unet, const Compute& compute) {
  std::map<std::string, std::uint64_t> layers;
  UnetBytes bytes;
  for (const std::string& key : unet.keys()) {
    const std::uint64_t kept = kept_bytes({unet.find(key)->shape}, compute);
    const std::string layer = streamed_layer(key);
    if (layer.empty()) {
      bytes.fixed += kept;
    } else {
      bytes.streamable += kept;
      bytes.largest_layer = std::max(bytes.largest_layer, layers[layer] += kept);
    }
  }
  return bytes;
}

// How the picture is decoded where `left` bytes are free.
MemoryPlan::Part vae_part(const Model& model, const Compute& compute, const MemoryUse& use,
                          const RunSize& size, std::optional<std::uint64_t> left) {
  const at::TensorOptions options = at::TensorOptions().device(compute.device).dtype(compute.dtype);
  const std::vector<std::int64_t> latents = {1, model.vae.latent_channels, size.decoded_height,
                                             size.decoded_width};
  const DecodeMode mode = decode_modes(use.vae_tiling, model.vae, latents, options, left).front();
  const std::string name = mode == DecodeMode::kWhole ? "vae" : "vae " + decode_mode_name(mode);
  return {name, kept_bytes(shapes_below(*model.source.weights("vae"), "decoder."), plain(compute)), 0,
          decode_bytes(mode, model.vae, latents, options)};
}

// A UNet of a plan, its ControlNets before it.
class UnetPlan {
 public:
  UnetPlan(const Model& model, const Compute& compute, const RunSize& size)
      : bytes_(unet_bytes(*model.source.weights("unet"), compute)) {
    const std::uint64_t element = c10::elementSize(compute.dtype);
    part_ = {"unet", bytes_.fixed + bytes_.streamable, 0, unet_work_bytes(model.unet, size, element)};
    for (const ControlNetModel& controlnet : model.controlnets) {
      controlnets_.push_back({"controlnet " + controlnet.name,
                              kept_bytes(shapes_below(*controlnet.weights), plain(compute)), 0, 0});
      beside_ += controlnets_.back().weight_bytes;
      part_.work_bytes += unet_work_bytes(controlnet.config.trunk, size, element) / 2;
    }
  }

  // What a step needs beside weights that stay, where some are streamed.
  std::uint64_t stepping() const { return part_.work_bytes + 2 * bytes_.largest_layer + kReserve; }

  // Leaves in the file what goes beyond `room` bytes of weights.
  void stream(std::uint64_t room) {
    const std::uint64_t held = std::min(bytes_.streamable, less(room, bytes_.fixed + beside_));
    part_.streamed_bytes = bytes_.streamable - held;
    part_.weight_bytes -= part_.streamed_bytes;
  }

  std::optional<std::uint64_t> held() const {
    if (part_.streamed_bytes == 0) return std::nullopt;
    return bytes_.streamable - part_.streamed_bytes;
  }
  std::uint64_t weights() const { return beside_ + part_.weight_bytes; }
  std::uint64_t peak() const {
    return weights() + part_.work_bytes + (part_.streamed_bytes > 0 ? 2 * bytes_.largest_layer : 0);
  }
  void add_to(MemoryPlan& plan) const {
    plan.parts.insert(plan.parts.end(), controlnets_.begin(), controlnets_.end());
    plan.parts.push_back(part_);
  }

 private:
  UnetBytes bytes_;
  MemoryPlan::Part part_;
  std::vector<MemoryPlan::Part> controlnets_;
  std::uint64_t beside_ = 0;  // the ControlNets' weights
};

// The text encoders' parts; the most that a model's hold together.
std::uint64_t add_texts(const std::vector<const Model*>& models, const Compute& compute, MemoryPlan& plan) {
  std::uint64_t most = 0;
  for (const Model* const model : models) {
    std::uint64_t all = 0;
    for (const TextModel& text : model->texts) {
      const auto bytes = kept_bytes(shapes_below(*model->source.weights(text.encoder)), plain(compute));
      plan.parts.push_back({text.encoder, bytes, 0, 0});
      all += bytes;
    }
    most = std::max(most, all);
  }
  return most;
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

std::uint64_t unet_work_bytes(const UnetConfig& config, const RunSize& size, std::uint64_t element_bytes) {
  std::int64_t kept = 0, most = 0;  // numbers
  std::int64_t height = size.height, width = size.width;
  for (std::size_t level = 0; level < config.block_out_channels.size(); ++level) {
    const std::int64_t map = size.rows * config.block_out_channels[level] * height * width;
    kept += map * (config.layers_per_block[level] + 1);
    // on the way up the first residual block sees what comes from below and beside it
    const bool attends = has_attention(config.down_block_types[level]);
    most = std::max(most, map * (attends ? kTransformerMaps : 2 * kResnetMaps));
    height = (height + 1) / 2;
    width = (width + 1) / 2;
  }
  return static_cast<std::uint64_t>(kept + most) * element_bytes;
}

PlannedRun plan_memory(const std::vector<const Model*>& models, const Compute& compute, const MemoryUse& use,
                       const RunSize& size, std::optional<std::uint64_t> all) {
  PlannedRun planned;
  std::optional<std::uint64_t> left = all;
  if (left) left = less(*left, size.ranker_bytes);
  MemoryPlan& plan = planned.plan;
  const std::uint64_t held_now = compute.device.is_cpu() ? resident_memory_bytes() : 0;
  std::uint64_t most = add_texts(models, compute, plan), unets = 0;
  // UNets that stay must leave room for the way of decoding that takes least.
  const MemoryPlan::Part least = vae_part(*models.front(), compute, use, size, std::uint64_t{0});
  for (const Model* const model : models) {
    UnetPlan unet(*model, compute, size);
    if (use.low_memory && left && size.is_one_batch)
      unet.stream(less(*left, unet.stepping()));
    else if (use.low_memory && left)
      unet.stream(less(*left, least.weight_bytes + std::max(unet.stepping(), least.work_bytes)) /
                  models.size());
    planned.held_of_unets.push_back(unet.held());
    most = std::max(most, unets + unet.peak());
    if (!size.is_one_batch) unets += unet.weights();
    unet.add_to(plan);
  }
  if (left) left = less(*left, unets);
  const auto vae = vae_part(*models.front(), compute, use, size, left);
  most = std::max(most, unets + vae.weight_bytes + vae.work_bytes);
  plan.parts.push_back(vae);
  if (size.ranker_bytes > 0) plan.parts.push_back({"ranker", size.ranker_bytes, 0, 0});
  plan.peak_bytes = held_now + most + size.ranker_bytes;
  if (all) plan.available_bytes = held_now + *all;
  return planned;
}

}  // namespace sdgen
