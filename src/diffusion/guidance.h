// Classifier-free guidance: the same network asked with and without the words, in one call.
#pragma once

#include <optional>

#include "compute/recorder.h"
#include "diffusion/network.h"
#include "diffusion/samplers/sampler.h"

namespace sdgen {

// What the words say, and what their absence (or the negative prompt) says. float32 or the compute dtype.
struct Conditioning {
  Tensor conditional;    // [N, L, D] prompt embeds
  Tensor unconditional;  // [N, L, D] negative prompt embeds; undefined where guidance is off
  double guidance_scale = 1.0;
  // What each token's values are multiplied by in cross-attention, [N, L] float32; undefined: by one. As if
  // the attention that patches pay to it were.
  Tensor token_weights{};
  // Of every row.
  AddedConditions added{};
  // What stands behind x's channels, [N, C, h, w], or a row each of M; undefined: nothing. In the scale
  // the network was trained with, whatever the sampler's.
  Tensor channels{};
  // How much the picture in `channels` counts ("InstructPix2Pix: Learning to Follow Image Editing
  // Instructions", eq. 3); with it a row without the words, but with the picture, is asked too.
  std::optional<double> image_guidance_scale{};
  // Brings the deviation of the guided output this part of the way back to that of the words' alone ("Common
  // Diffusion Noise Schedules and Sample Steps are Flawed", eq. 15 and 16).
  double guidance_rescale = 0.0;
  // What they add is summed up. They see x without `channels`.
  std::vector<Control> controls{};
  // The texts' own lengths, in the order of branches(), where they differ: rows are filled up with zeros to
  // L, and the network sees those of one length together, without them. Empty: all of L.
  std::vector<std::int64_t> lengths{};

  bool guided() const { return unconditional.defined(); }
  // How often the N pictures are asked in one evaluation. The rows' order: without the words; where there is
  // an image_guidance_scale, without the words again, but with the picture; with the words.
  int branches() const { return !guided() ? 1 : image_guidance_scale ? 3 : 2; }
};

// Who watches a denoiser at work, or takes part. All empty by default, and then free.
struct Watchers {
  AttentionHooks attention{};
  std::function<void(const Step&)> before{};                                        // each evaluation
  std::function<void(const Tensor& x, const Tensor& output, const Step&)> after{};  // each evaluation
};

// `network` as a denoiser of N pictures: x is scaled as the network has it and brought to the compute dtype
// and device, all rows of each picture go through one call, and eps = without + guidance_scale * (words -
// without) ("Classifier-Free Diffusion Guidance", eq. 6). `network`, `recorder` and ControlNets must outlive
// the denoiser; what the recorder has recorded is of this `network` and these ControlNets, and without one,
// or with attention hooks, everything is done as it is. Hooks see the texts as rows, the words' N last;
// on_cross sees the network's alone.
Denoiser guided_denoiser(const Network& network, PredictionType prediction_type,
                         const Conditioning& conditioning, const Compute& compute,
                         Recorder* recorder = nullptr, Watchers watchers = {});

}  // namespace sdgen
