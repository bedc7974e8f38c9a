// Classifier-free guidance: the same network asked with and without the words, in one call.
#pragma once

#include "base/compute/recorder.h"
#include "diffusion/samplers.h"
#include "diffusion/unet.h"

namespace sdgen {

// What the words say, and what their absence (or the negative prompt) says. float32 or the compute dtype.
struct Conditioning {
  Tensor words;    // [N, L, D]
  Tensor without;  // [N, L, D]; undefined where guidance is off
  double guidance_scale = 1.0;
  // What each token's values are multiplied by in cross-attention, [N, L] float32; undefined: by one. As if
  // the attention that patches pay to it were.
  Tensor token_weights{};

  bool guided() const { return without.defined(); }
};

// Who watches a denoiser at work, or takes part. All empty by default, and then free.
struct Watchers {
  AttentionHooks attention{};
  std::function<void()> before{};                                                    // each evaluation
  std::function<void(const Tensor& x, const Tensor& output, const Level&)> after{};  // each evaluation
};

// `unet` as a denoiser of N pictures: x is scaled to unit variance and brought to the compute dtype and
// device, both rows of each picture go through one call, and eps = without + guidance_scale * (words -
// without)
// ("Classifier-Free Diffusion Guidance", eq. 6). `unet` and `recorder` must outlive the denoiser; what the
// recorder has recorded is of this `unet`, and without one, or with attention hooks, everything is done as it
// is. Hooks see the texts as rows: without (N, where guided), then words (N).
Denoiser guided_denoiser(const Unet& unet, PredictionType prediction_type, const Conditioning& conditioning,
                         const Compute& compute, Recorder* recorder = nullptr, Watchers watchers = {});

}  // namespace sdgen
