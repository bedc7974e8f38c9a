#include "run/memory_plan.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/memory.h"
#include "decode/decode_plan.h"
#include "decode/latent_preview.h"
#include "diffusion/networks/unet.h"
#include "nn/streamed.h"

namespace sdgen {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// Beside two streamed layers, one of which the system's allocator may still keep.
constexpr std::uint64_t kReserve = std::uint64_t{128} << 20;

// What libtorch's code and tables take of the process once they are used, beside what was there before.
constexpr std::uint64_t kLibraries = std::uint64_t{20} << 20;

std::uint64_t less(std::uint64_t bytes, std::uint64_t by) {
  return bytes > by ? bytes - by : 0;
}

// What maps of `bytes` take of the process. Freed ones that are kept lie between those in use: measured up to
// 3 times the bytes. Given back, little is lost but what each operator holds for itself.
std::uint64_t taken(std::uint64_t bytes, const Compute& compute, bool gives_back) {
  if (!compute.device.is_cpu()) return bytes;
  return gives_back ? bytes + bytes / 6 : 3 * bytes;
}

// The parts beside the network are never quantized.
Compute plain(const Compute& compute) {
  return {compute.device, compute.dtype};
}

// What a network's tensors keep, by whether they can be streamed.
struct NetworkBytes {
  std::uint64_t fixed = 0, streamable = 0, largest_layer = 0;
};

// `layer_of`: the layer that a tensor can be streamed with; empty: with none.
NetworkBytes network_bytes(const TensorSource& tensors, const Compute& compute,
                           const std::function<std::string(const std::string&)>& layer_of) {
  std::map<std::string, std::uint64_t> layers;
  NetworkBytes bytes;
  for (const std::string& key : tensors.keys()) {
    const std::uint64_t kept = kept_bytes({tensors.find(key)->shape}, compute);
    const std::string layer = layer_of(key);
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
                          const RunSize& size, std::optional<std::uint64_t> left, bool gives_back) {
  const at::TensorOptions options = at::TensorOptions().device(compute.device).dtype(compute.dtype);
  const std::vector<std::int64_t> latents = {1, model.vae.latent_channels, size.decoded_height,
                                             size.decoded_width};
  const DecodeMode mode = decode_modes(use.vae_tiling, model.vae, latents, options, left).front();
  const std::string name = mode == DecodeMode::kWhole ? "vae" : "vae " + decode_mode_name(mode);
  return {name, kept_bytes(shapes_below(*model.source.weights("vae"), "decoder."), plain(compute)), 0,
          taken(decode_bytes(mode, model.vae, latents, options), compute, gives_back)};
}

// The VAE's encoder: its maps are as large as the decoder's, or less.
MemoryPlan::Part encoder_part(const Model& model, const Compute& compute, const RunSize& size,
                              bool gives_back) {
  const auto options = at::TensorOptions().device(compute.device).dtype(compute.dtype);
  const std::uint64_t work =
      decode_bytes(DecodeMode::kWhole, model.vae,
                   {1, model.vae.latent_channels, size.decoded_height, size.decoded_width}, options);
  const auto shapes = shapes_below(*model.source.weights("vae"), "encoder.");
  return {"vae encoder", kept_bytes(shapes, plain(compute)), 0, taken(work, compute, gives_back)};
}

// What a preview takes between two steps, beside the VAE's weights.
std::uint64_t preview_bytes(const Model& model, const Compute& compute, const RunSize& size) {
  const auto options = at::TensorOptions().device(compute.device).dtype(compute.dtype);
  const std::vector<std::int64_t> latents =
      previewed_latents(model.vae, size.decoded_height, size.decoded_width);
  return decode_bytes(DecodeMode::kWhole, model.vae, latents, options);
}

// A network of a plan, its ControlNets before it.
class NetworkPlan {
 public:
  NetworkPlan(const Model& model, const Compute& compute, const RunSize& size, bool gives_back)
      : bytes_(network_bytes(*model.source.weights(model.denoiser), compute,
                             [&](const std::string& key) { return model.network->streamed_layer(key); })) {
    const std::uint64_t element = c10::elementSize(compute.dtype);
    part_ = {model.denoiser, bytes_.fixed + bytes_.streamable, 0,
             model.network->work_bytes(size.network, element)};
    for (const ControlNetModel& controlnet : model.controlnets) {
      controlnets_.push_back({"controlnet " + controlnet.name,
                              kept_bytes(shapes_below(*controlnet.weights), plain(compute)), 0, 0});
      beside_ += controlnets_.back().weight_bytes;
      part_.work_bytes += unet_work_bytes(controlnet.config.trunk, size.network, element) / 2;
    }
    part_.work_bytes = taken(part_.work_bytes, compute, gives_back);
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
  NetworkBytes bytes_;
  MemoryPlan::Part part_;
  std::vector<MemoryPlan::Part> controlnets_;
  std::uint64_t beside_ = 0;  // the ControlNets' weights
};

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

std::optional<std::uint64_t> room_for_maps(std::optional<std::uint64_t> left, const MemoryUse& use) {
  if (left && use.limit) *left -= *left / 7;
  return left;
}

namespace {

// As plan_memory(), one way or the other.
class Planner {
 public:
  Planner(const std::vector<const Model*>& models, const Compute& compute, const MemoryUse& use,
          const RunSize& size, bool gives_back)
      : models_(models), compute_(compute), use_(use), size_(size) {
    planned_.gives_back = gives_back;
  }

  PlannedRun plan(std::optional<std::uint64_t> all) {
    const std::uint64_t held_now = compute_.device.is_cpu() ? resident_memory_bytes() : 0;
    const std::uint64_t libraries = compute_.device.is_cpu() ? kLibraries : 0;
    std::optional<std::uint64_t> left = all;
    if (left) left = less(*left, size_.ranker_bytes + libraries);
    for (const Model* const model : models_) add_texts(*model, left);
    add_encoder();
    add_networks(left);
    if (left) left = less(*left, networks_);
    const auto vae = vae_of(room_for_maps(left, use_));
    most_ = std::max(most_, networks_ + vae.weight_bytes + vae.work_bytes);
    planned_.plan.parts.push_back(vae);
    if (size_.ranker_bytes > 0) planned_.plan.parts.push_back({"ranker", size_.ranker_bytes, 0, 0});
    planned_.plan.process_bytes = held_now + libraries;
    planned_.plan.peak_bytes = planned_.plan.process_bytes + most_ + size_.ranker_bytes;
    if (all) planned_.plan.available_bytes = held_now + *all;
    return planned_;
  }

 private:
  bool streams(std::optional<std::uint64_t> left) const {
    return use_.low_memory && left && (planned_.gives_back || !compute_.device.is_cpu());
  }

  MemoryPlan::Part vae_of(std::optional<std::uint64_t> left) const {
    return vae_part(*models_.front(), compute_, use_, size_, left, planned_.gives_back);
  }

  // A model's text encoders, which go before its network comes.
  void add_texts(const Model& model, std::optional<std::uint64_t> left) {
    std::uint64_t all = 0, largest = 0, streamed = 0;
    std::optional<std::uint64_t> held;
    for (const std::string& encoder : model.text->encoders()) {
      const NetworkBytes bytes =
          network_bytes(*model.source.weights(encoder), plain(compute_),
                        [&](const std::string& key) { return model.text->streamed_layer(key); });
      const std::uint64_t stepping = 2 * bytes.largest_layer + kReserve;
      MemoryPlan::Part part{encoder, bytes.fixed + bytes.streamable, 0, 0};
      if (streams(left) && bytes.streamable > 0 && part.weight_bytes > less(*left, all)) {
        held = std::min(bytes.streamable, less(*left, all + bytes.fixed + stepping));
        part.streamed_bytes = bytes.streamable - *held;
        part.weight_bytes -= part.streamed_bytes;
        largest = bytes.largest_layer;
      }
      streamed += part.streamed_bytes;
      all += part.weight_bytes;
      planned_.plan.parts.push_back(part);
    }
    planned_.held_of_texts.push_back(held);
    most_ = std::max(most_, all + (streamed > 0 ? 2 * largest : 0));
  }

  void add_encoder() {
    if (size_.start_pictures == 0) return;
    encoder_ = encoder_part(*models_.front(), compute_, size_, planned_.gives_back);
    planned_.plan.parts.push_back(encoder_);
    most_ = std::max(most_, encoder_.weight_bytes + encoder_.work_bytes);
  }

  // What is beside a network's weights between its steps: previews, the next picture to start from.
  std::uint64_t between_steps(std::uint64_t work) const {
    std::uint64_t held = 0;
    if (size_.previews) {
      held = vae_of(std::uint64_t{0}).weight_bytes;
      work = std::max(work,
                      taken(preview_bytes(*models_.front(), compute_, size_), compute_, planned_.gives_back));
    }
    if (size_.start_pictures < 2) return held + work;
    // The encoder goes again after each picture where memory is scarce.
    if (use_.low_memory) return held + std::max(work, encoder_.weight_bytes + encoder_.work_bytes);
    return held + encoder_.weight_bytes + std::max(work, encoder_.work_bytes);
  }

  void add_networks(std::optional<std::uint64_t> left) {
    // Networks that stay must leave room for the way of decoding that takes least.
    const MemoryPlan::Part least = vae_of(std::uint64_t{0});
    for (const Model* const model : models_) {
      NetworkPlan network(*model, compute_, size_, planned_.gives_back);
      const std::uint64_t beside = between_steps(0), stepping = std::max(network.stepping(), beside);
      if (streams(left) && size_.is_one_batch)
        network.stream(less(*left, stepping));
      else if (streams(left))
        network.stream(less(*left, least.weight_bytes + std::max(stepping, least.work_bytes)) /
                       models_.size());
      planned_.held_of_networks.push_back(network.held());
      most_ =
          std::max(most_, networks_ + network.weights() + between_steps(network.peak() - network.weights()));
      if (!size_.is_one_batch) networks_ += network.weights();
      network.add_to(planned_.plan);
    }
  }

  const std::vector<const Model*>& models_;
  const Compute& compute_;
  const MemoryUse& use_;
  const RunSize& size_;
  PlannedRun planned_;
  MemoryPlan::Part encoder_;
  std::uint64_t most_ = 0, networks_ = 0;  // at any time; of networks that stay
};

}  // namespace

PlannedRun plan_memory(const std::vector<const Model*>& models, const Compute& compute, const MemoryUse& use,
                       const RunSize& size, std::optional<std::uint64_t> left) {
  const PlannedRun fast = Planner(models, compute, use, size, false).plan(left);
  const bool is_sparing = use.low_memory || use.limit;
  if (!compute.device.is_cpu() || !is_sparing || !fast.is_too_much()) return fast;
  return Planner(models, compute, use, size, true).plan(left);
}

}  // namespace sdgen
