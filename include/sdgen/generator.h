// The chain: words -> conditioning -> latents -> pixels.
//
//   sdgen::Generator generator("models/pictograms", {});
//   auto request = generator.complete({.prompt = "a blue tulip to the left of an orange truck"});
//   generator.run({request}, {}, {.on_picture = [](const sdgen::Picture& picture) { ... }});
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sdgen/compute_options.h"
#include "sdgen/model_files.h"
#include "sdgen/observer.h"
#include "sdgen/parameters.h"
#include "sdgen/request.h"

namespace sdgen {

class Engine;

// One run() of a Generator at a time; several Generators may run side by side, each on a thread of its own.
// Each computes with its own ComputeOptions::threads: the count is set for the thread that calls run(), and
// put back when run() returns or throws. What stays changed in the process: GPUs compute float32 in float32
// (no TF32), and malloc keeps what the CPU's tensors free for the next step (mallopt).
class Generator {
 public:
  // Opens a model: reads its configs and weight headers and checks that they fit together, names,
  // shapes and classes included. No weight is read before run(). Throws Error(kInput) naming file, key and
  // remedy; Error(kWorking) if the device asked for is not there; Error(kRequest) for options that contradict
  // each other.
  Generator(const ModelFiles& files, const ComputeOptions& compute);
  Generator(const std::filesystem::path& model, const ComputeOptions& compute);
  // A generator of another kind: whatever is an Engine (src/run/engine.h), with a CLIP that ranks its
  // pictures.
  explicit Generator(std::unique_ptr<Engine> engine, const std::optional<std::filesystem::path>& ranker = {});
  ~Generator();
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;

  const ModelInfo& info() const;

  // The request with every optional filled in (a random seed where absent). Throws Error(kRequest) for
  // anything that cannot be drawn: unknown sampler, steps or count < 1, sizes not multiples of 8, ...;
  // Error(kInput) if no sampler is named and the folder's own scheduler is none of ours.
  Request complete(const Request& request) const;

  // Draws every picture of every request, in order, `options.batch_size` together where settings agree.
  // Requests are completed first, so nothing is drawn if one is wrong. Each component is loaded at its first
  // use and freed after its last. Pictures do not depend on batch size or order but for the last bit of float
  // arithmetic. Returns false if should_stop ended it. Throws Error(kInput) if weights cannot be read or are
  // not finite, Error(kWorking) if the device or the memory fails.
  bool run(const std::vector<Request>& requests, const RunOptions& options, const Observer& observer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Versions of this program and of the libraries it runs on, as (name, version), and for which level of
// processor its own loops ("kernels") and libtorch's ("cpu") are.
std::vector<std::pair<std::string, std::string>> versions();

}  // namespace sdgen
