// Layers that stay in memory, and layers that are read anew for each use: how a model runs that is larger
// than the memory.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "compute/compute.h"
#include "weights/weights.h"

namespace sdgen {

// About what layers of tensors of these shapes keep on the compute device, bytes. On the CPU 3x3 filters
// count as Winograd's (nn/methods/winograd.h), which is too much where those do not run; of a quantized UNet
// all numbers count as bytes, which is too little for the few layers that stay as they are.
std::uint64_t kept_bytes(const std::vector<std::vector<std::int64_t>>& shapes, const Compute& compute);

// What is left of the memory that a network's Streamed layers may stay in; all others stay in any case.
class Residency {
 public:
  // Everything stays.
  Residency() = default;
  // Layers stay, in the order they are built, while they fit `bytes` together.
  explicit Residency(std::uint64_t bytes) : bytes_left_(bytes) {}

  // Takes a layer of these weights in; false: it is to be streamed.
  bool admit(const Weights& weights) {
    constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
    if (bytes_left_ == kAll || weights.is_check_only()) return true;
    const std::uint64_t bytes = kept_bytes(weights.shapes(), weights.compute());
    if (bytes > bytes_left_) {
      bytes_left_ = 0;  // smaller ones behind it would only fill the reserve
      streams_ = true;
      return false;
    }
    bytes_left_ -= bytes;
    return true;
  }

  // Whether any layer was refused.
  bool streams() const { return streams_; }

 private:
  std::uint64_t bytes_left_ = std::numeric_limits<std::uint64_t>::max();
  bool streams_ = false;
};

template <typename Layer>
class Streamed {
 public:
  // Layer(weights, arguments...)
  template <typename... Arguments>
  Streamed(Residency& residency, const Weights& weights, const Arguments&... arguments)
      : build_([=] { return std::make_shared<const Layer>(weights, arguments...); }) {
    if (!residency.admit(weights)) return;
    held_ = build_();
    build_ = nullptr;
  }

  // Reads it first where it is streamed, and frees it again. Throws as Weights::tensor() then.
  template <typename... Arguments>
  decltype(auto) operator()(Arguments&&... arguments) const {
    return with(
        [&](const Layer& layer) -> decltype(auto) { return layer(std::forward<Arguments>(arguments)...); });
  }

  // use(layer), likewise
  template <typename Use>
  auto with(const Use& use) const {
    if (held_) return use(*held_);
    auto result = use(*build_());
    release_freed_memory();
    return result;
  }

 private:
  std::function<std::shared_ptr<const Layer>()> build_;
  std::shared_ptr<const Layer> held_;
};

}  // namespace sdgen
