// What a denoiser's network is to guidance, to the memory plan and to whoever opens a model, whatever it is
// made of: UNets (networks/unet.h); transformers have their place beside them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compute/graphs.h"
#include "diffusion/schedule.h"
#include "nn/attention.h"
#include "nn/streamed.h"

namespace sdgen {

class ControlNet;
struct Step;

// What a network may be told besides the words, once a batch. Undefined where its config asks for none of it.
struct AddedConditions {
  Tensor pooled;          // [M, P] the texts' summaries
  Tensor time_ids;        // [M, n] float32: sizes and crops, embedded one by one
  Tensor guidance_scale;  // [1] float32
};

// A ControlNet at work on a batch.
struct Control {
  const ControlNet& net;
  Tensor picture;            // [1, 3, H, W] RGB, 0 to 1, float32
  double scale = 1.0;        // what it adds is multiplied by this
  std::vector<bool> active;  // at which of the run's steps, by Step::index
};

// As many as one evaluation tells apart.
inline constexpr std::size_t kMaxControlNets = 16;

// What a batch of N pictures says to a network; M rows of text, N or a multiple of it.
struct NetworkInputs {
  Tensor context;  // [M, L, D], texts of one length
  AddedConditions added{};
  Tensor
      token_weights{};  // [N, L] what the values of the last N rows' tokens are multiplied by; undefined: 1
  Tensor channels{};    // [1, N or M, C, h, w] what stands behind x's channels; undefined: nothing
  std::vector<Control> controls{};
  AttentionHooks hooks{};  // who watches or replaces its attention
};

// A network that has been told a batch's words: what is left to do at every step.
struct PreparedNetwork {
  Tensors constants;  // what was made of the words, on the device
  // Which of its parts take part in a step, less than 2^20; nothing: always the same.
  std::function<int(const Step& step)> variant{};
  // x [N, C, h, w] in the compute dtype, timestep [1] float32, `constants` or copies of them, variant(step)
  // -> the raw output [M, C, h, w] in the compute dtype. Reads nothing else but weights, so that it can be
  // recorded.
  std::function<Tensor(const Tensor& x, const Tensor& timestep, Tensors::const_iterator constants,
                       int variant)>
      predict;
};

class Network {
 public:
  Network() = default;
  Network(const Network&) = default;
  Network(Network&&) = default;
  Network& operator=(const Network&) = default;
  Network& operator=(Network&&) = default;
  virtual ~Network() = default;

  // The network and the ControlNets must outlive the result.
  virtual PreparedNetwork prepare(const NetworkInputs& inputs, const Compute& compute) const = 0;

  // What x = alpha x0 + sigma eps is divided by before it is seen; by default it is brought to unit variance.
  virtual double input_norm(const Level& level) const;

  // Whether some layers are read anew whenever they are used: then nothing of it can be recorded.
  virtual bool streams() const { return false; }
};

// How much a network sees at once.
struct NetworkSize {
  std::int64_t rows = 2;               // pictures times branches
  std::int64_t height = 0, width = 0;  // latents
  std::int64_t attended = 0;           // weights of attention that a head writes out; 0: none
};

// A network as its config tells it, before any weight is read.
class NetworkModel {
 public:
  virtual ~NetworkModel() = default;

  // Throws Error(kInput) naming file and key where a tensor is missing or misshapen.
  virtual std::unique_ptr<const Network> build(const Weights& weights, Residency residency) const = 0;

  // The layer that a tensor of that name belongs to, "mid_block.resnets.0", if it is one that can be
  // streamed; else empty.
  virtual std::string streamed_layer(const std::string& key) const = 0;

  // Bytes that it holds beside its weights while it sees `size`, estimated.
  virtual std::uint64_t work_bytes(const NetworkSize& size, std::uint64_t element_bytes) const = 0;

  virtual std::int64_t in_channels() const = 0;     // extra ones included
  virtual std::int64_t patch() const { return 1; }  // latents a side of what is a token to it
  virtual std::int64_t native_height() const = 0;   // latents
  virtual std::int64_t native_width() const = 0;    // latents

  // Whether it is told the guidance scale instead of being asked with and without the words.
  virtual bool takes_guidance_scale() const { return false; }
  // Whether words may be held to a place or be changed: whether AttentionHooks may replace something.
  virtual bool is_steerable() const { return true; }
};

}  // namespace sdgen
